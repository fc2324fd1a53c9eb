import { describe, expect, test } from 'vitest';
import { RET_ALLOW, RET_ERRNO, RET_KILL_THREAD } from '../../src/seccomp/actions.ts';
import { abis, syscallNumber, X32_BIT } from '../../src/seccomp/architectures.ts';
import { parseSeccompProfile } from '../../src/seccomp/profile.ts';
import { type ResolveContext, resolveProfile } from '../../src/seccomp/resolve.ts';
import { encodeRules, Operator, type ResolvedRange } from '../../src/seccomp/rules.ts';

const EPERM = RET_ERRNO | 1;
const ENOSYS = RET_ERRNO | 38;
const KILL_PROCESS = 0x80000000;
const x64: ResolveContext = { architecture: 'x64', capabilities: [], kernel: '6.1.0-32-amd64' };

const deny = { defaultAction: 'SCMP_ACT_ERRNO' };
const allow = (names: string[], rest: object = {}) => ({ names, action: 'SCMP_ACT_ALLOW', ...rest });

/** The ranges for one ABI of a profile. */
function ranges(
  profile: object,
  context: ResolveContext = x64,
  audit: number = abis.SCMP_ARCH_X86_64.audit,
): readonly ResolvedRange[] {
  const rules = resolveProfile(parseSeccompProfile(JSON.stringify(profile)), context);
  return rules.architectures.find((architecture) => architecture.audit === audit)?.ranges ?? [];
}

/** What holds a number. */
function rangeOf(number: number, ...args: Parameters<typeof ranges>): ResolvedRange | undefined {
  return ranges(...args).find((range) => range.first <= number && number <= range.last);
}

const READ = 0;
const SOCKET = 41;

describe('a profile', () => {
  test.each([
    ['that is not JSON', '{'],
    ['that is no object', '[]'],
    ['without a default action', '{}'],
    ['with an unknown action', JSON.stringify({ defaultAction: 'SCMP_ACT_MAYBE' })],
    [
      'with a listener that nobody answers',
      JSON.stringify({ ...deny, syscalls: [{ names: ['read'], action: 'SCMP_ACT_NOTIFY' }] }),
    ],
    ['with a rule that names nothing', JSON.stringify({ ...deny, syscalls: [{ action: 'SCMP_ACT_ALLOW' }] })],
    [
      'with name and names',
      JSON.stringify({ ...deny, syscalls: [{ name: 'read', names: ['write'], action: 'SCMP_ACT_ALLOW' }] }),
    ],
    [
      'with architectures and archMap',
      JSON.stringify({ ...deny, architectures: ['SCMP_ARCH_X86'], archMap: [{ architecture: 'SCMP_ARCH_X86_64' }] }),
    ],
    [
      'with an argument that no call has',
      JSON.stringify({ ...deny, syscalls: [allow(['read'], { args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] })] }),
    ],
    [
      'with an unknown operator',
      JSON.stringify({ ...deny, syscalls: [allow(['read'], { args: [{ index: 0, value: 0, op: 'SCMP_CMP_LIKE' }] })] }),
    ],
    [
      'with a value over 64 bits',
      JSON.stringify({
        ...deny,
        syscalls: [allow(['read'], { args: [{ index: 0, value: '18446744073709551616', op: 'SCMP_CMP_EQ' }] })],
      }),
    ],
    [
      'with a number that JSON cannot hold',
      `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":9007199254740993,"op":"SCMP_CMP_EQ"}]}]}`,
    ],
    ['with an errno that is none', JSON.stringify({ ...deny, defaultErrnoRet: 5000 })],
    [
      'with a kernel version that is none',
      JSON.stringify({ ...deny, syscalls: [allow(['read'], { includes: { minKernel: 'new' } })] }),
    ],
  ])('%s is refused', (_, json) => {
    expect(() => parseSeccompProfile(json)).toThrowError(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_SECCOMP_PROFILE', kind: 'invalid_argument' }),
    );
  });

  test('is told apart from a good one by the place of its mistake', () => {
    expect(() =>
      parseSeccompProfile(JSON.stringify({ ...deny, syscalls: [allow(['read']), { names: ['x'], action: 'NO' }] })),
    ).toThrow(/at syscalls\.1\.action/);
  });

  test("may have null where Docker's own files have it, and fields that are not known", () => {
    const profile = parseSeccompProfile(
      JSON.stringify({
        ...deny,
        comment: '',
        flags: null,
        archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: null }],
        syscalls: [allow(['read'], { args: null, comment: 'c', includes: {}, excludes: {} })],
      }),
    );
    expect(profile.syscalls).toHaveLength(1);
  });

  test('may write a 64-bit value as text', () => {
    const profile = parseSeccompProfile(
      JSON.stringify({
        ...deny,
        syscalls: [allow(['read'], { args: [{ index: 0, value: '0xffffffffffffffff', op: 'SCMP_CMP_EQ' }] })],
      }),
    );
    expect(profile.syscalls?.[0]?.args?.[0]?.value).toBe(0xffff_ffff_ffff_ffffn);
  });
});

describe('which rules apply', () => {
  const includes = (condition: object) => ({ ...deny, syscalls: [allow(['read'], { includes: condition })] });
  const excludes = (condition: object) => ({ ...deny, syscalls: [allow(['read'], { excludes: condition })] });
  const allowed = (profile: object, context: Partial<ResolveContext> = {}, audit?: number) => {
    const number = context.architecture === 'arm64' ? 63 : READ;
    return rangeOf(number, profile, { ...x64, ...context }, audit)?.action === RET_ALLOW;
  };

  test('all of the capabilities must be there for includes, none for excludes', () => {
    const both = { caps: ['CAP_A', 'CAP_B'] };
    expect(
      [[], ['CAP_A'], ['CAP_A', 'CAP_B']].map((capabilities) => allowed(includes(both), { capabilities })),
    ).toEqual([false, false, true]);
    expect(
      [[], ['CAP_A'], ['CAP_A', 'CAP_B']].map((capabilities) => allowed(excludes(both), { capabilities })),
    ).toEqual([true, false, false]);
  });

  test("the processor is meant by Go's name", () => {
    expect(allowed(includes({ arches: ['amd64', 'x32'] }))).toBe(true);
    expect(allowed(includes({ arches: ['arm64'] }))).toBe(false);
    expect(allowed(includes({ arches: ['arm64'] }), { architecture: 'arm64' }, abis.SCMP_ARCH_AARCH64.audit)).toBe(
      true,
    );
    expect(allowed(excludes({ arches: ['amd64'] }))).toBe(false);
  });

  test.each([
    ['4.8', '4.8.0', true],
    ['4.8', '4.7.99', false],
    ['4.8', '4.10.1', true],
    ['4.8', '5.1', true],
    ['5.10', '5.9.1', false],
    ['6.1', '6.1-rc2', true],
  ])('a kernel of at least %s: %s is %s', (minKernel, kernel, expected) => {
    expect(allowed(includes({ minKernel }), { kernel })).toBe(expected);
    expect(allowed(excludes({ minKernel }), { kernel })).toBe(!expected);
  });

  test('a call that is not known is passed over', () => {
    const odd = ['constructor', '__proto__', 'toString', ''.padEnd(1000, 'x')];
    const args = [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }];
    expect(
      rangeOf(READ, { ...deny, architectures: ['SCMP_ARCH_X86'], syscalls: [allow(odd), allow(odd, { args })] }),
    ).toBeUndefined();
    expect(ranges({ ...deny, syscalls: [allow(['read', 'no_such_call'])] })[0]).toEqual({
      first: READ,
      last: READ,
      action: RET_ALLOW,
      alternatives: [],
    });
  });
});

describe('several rules for one call', () => {
  const kill = (names: string[], rest: object = {}) => ({ names, action: 'SCMP_ACT_KILL_PROCESS', ...rest });
  const when = (value: number) => ({ args: [{ index: 1, value, op: 'SCMP_CMP_EQ' }] });

  test('the first without a condition prevails, before or after those with one', () => {
    for (const syscalls of [
      [allow(['read']), kill(['read'], when(1))],
      [kill(['read'], when(1)), allow(['read']), kill(['read'])],
    ]) {
      expect(rangeOf(READ, { ...deny, syscalls })).toEqual({
        first: READ,
        last: READ,
        action: RET_ALLOW,
        alternatives: [],
      });
    }
  });

  test('of those with a condition the strictest comes first', () => {
    const range = rangeOf(READ, {
      ...deny,
      syscalls: [allow(['read'], when(1)), kill(['read'], when(2)), allow(['read'], when(3))],
    });
    expect(range?.action).toBe(EPERM);
    expect(range?.alternatives.map(({ action, conditions }) => [action, conditions[0]?.value])).toEqual([
      [KILL_PROCESS, 2n],
      [RET_ALLOW, 1n],
      [RET_ALLOW, 3n],
    ]);
  });

  test('one with the default action takes nothing back, as in runc', () => {
    expect(
      rangeOf(READ, { ...deny, syscalls: [{ names: ['read'], action: 'SCMP_ACT_ERRNO' }, allow(['read'])] })?.action,
    ).toBe(RET_ALLOW);
    expect(
      rangeOf(READ, {
        ...deny,
        syscalls: [{ names: ['read'], action: 'SCMP_ACT_ERRNO', errnoRet: 2 }, allow(['read'])],
      })?.action,
    ).toBe(RET_ERRNO | 2);
  });

  test('conditions on one argument twice are alternatives, on different ones they must all hold', () => {
    const equal = (index: number, value: number) => ({ index, value, op: 'SCMP_CMP_EQ' });
    const lists = (args: object[]) =>
      rangeOf(READ, { ...deny, syscalls: [allow(['read'], { args })] })?.alternatives.map(
        ({ conditions }) => conditions.length,
      );
    expect(lists([equal(0, 1), equal(1, 2)])).toEqual([2]);
    expect(lists([equal(0, 1), equal(1, 2), equal(0, 3)])).toEqual([1, 1, 1]);
  });
});

describe('conditions', () => {
  const condition = (name: string, number: number, argument: object, audit?: number, context = x64) =>
    rangeOf(
      number,
      { ...deny, architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'], syscalls: [allow([name], { args: [argument] })] },
      context,
      audit,
    )?.alternatives[0]?.conditions[0];

  test('look at 32 bits where the kernel takes an int, and at 64 elsewhere', () => {
    expect(condition('socket', SOCKET, { index: 0, value: 38, op: 'SCMP_CMP_NE' })).toEqual({
      argument: 0,
      operator: Operator.NOT_EQUAL,
      width: 32,
      mask: 0n,
      value: 38n,
    });
    expect(condition('read', READ, { index: 2, value: 38, op: 'SCMP_CMP_NE' })?.width).toBe(64);
    expect(condition('socket', X32_BIT + SOCKET, { index: 0, value: 38, op: 'SCMP_CMP_NE' })?.width).toBe(32);
  });

  test('take -1 for what an int of -1 is, and no other value with high bits', () => {
    expect(condition('socket', SOCKET, { index: 0, value: '0xffffffffffffffff', op: 'SCMP_CMP_EQ' })).toMatchObject({
      width: 32,
      value: 0xffff_ffffn,
    });
    expect(condition('socket', SOCKET, { index: 0, value: 0x1_0000_0026, op: 'SCMP_CMP_EQ' })).toMatchObject({
      width: 64,
      value: 0x1_0000_0026n,
    });
    expect(condition('socket', SOCKET, { index: 0, value: '0xffffffffffffffff', op: 'SCMP_CMP_LT' })?.width).toBe(64);
  });

  test('of a 32-bit program are always narrow', () => {
    expect(condition('read', 3, { index: 2, value: 1, op: 'SCMP_CMP_EQ' }, abis.SCMP_ARCH_X86.audit)?.width).toBe(32);
    expect(
      condition('read', 3, { index: 2, value: 0x1_0000_0000, op: 'SCMP_CMP_EQ' }, abis.SCMP_ARCH_X86.audit)?.width,
    ).toBe(64);
  });

  test('with a mask have it first and the value second, as in the OCI form', () => {
    expect(condition('read', READ, { index: 1, value: 0xf0, valueTwo: 0x10, op: 'SCMP_CMP_MASKED_EQ' })).toMatchObject({
      operator: Operator.MASKED_EQUAL,
      mask: 0xf0n,
      value: 0x10n,
    });
    expect(condition('read', READ, { index: 1, value: 0xf0, op: 'SCMP_CMP_MASKED_EQ' })?.value).toBe(0n);
  });
});

describe('architectures', () => {
  test("without a list there is the processor's own, and x32 ends the thread", () => {
    const rules = resolveProfile(parseSeccompProfile(JSON.stringify({ ...deny, syscalls: [allow(['read'])] })), x64);
    expect(rules.architectures.map(({ audit }) => audit)).toEqual([abis.SCMP_ARCH_X86_64.audit]);
    expect(rules.architectures[0]?.ranges.at(-1)).toEqual({
      first: X32_BIT,
      last: 0xffff_fffe,
      action: RET_KILL_THREAD,
      alternatives: [],
    });
  });

  test("archMap counts for the processor's own entry; others' are passed over", () => {
    const profile = {
      ...deny,
      archMap: [
        { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
        { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_MIPS'] },
      ],
    };
    const audits = (context: ResolveContext) =>
      resolveProfile(parseSeccompProfile(JSON.stringify(profile)), context).architectures.map(({ audit }) => audit);
    expect(audits(x64)).toEqual([abis.SCMP_ARCH_X86_64.audit, abis.SCMP_ARCH_X86.audit]);
    expect(audits({ ...x64, architecture: 'arm64' })).toEqual([abis.SCMP_ARCH_AARCH64.audit, abis.SCMP_ARCH_ARM.audit]);
  });

  test('a call newer than any that the profile names is unknown, not forbidden', () => {
    const profile = { ...deny, syscalls: [allow(['read']), { names: ['openat2'], action: 'SCMP_ACT_ERRNO' }] };
    expect(rangeOf(438, profile)?.action).toBe(ENOSYS);
    // openat2 is 437: what lies below and is not named is forbidden.
    expect(rangeOf(437, profile)).toBeUndefined();
    expect(rangeOf(400, profile)).toBeUndefined();
  });

  test.each(['SCMP_ACT_ALLOW', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_LOG'])(
    'but a profile that says %s by default means it for those too',
    (defaultAction) => {
      expect(rangeOf(1000, { defaultAction, syscalls: [allow(['read'])] })).toBeUndefined();
    },
  );
});

describe('socketcall and ipc on 32-bit x86', () => {
  const SOCKETCALL = 102;
  const IPC = 117;
  const door = (number: number, syscalls: object[], defaultAction = 'SCMP_ACT_ERRNO') =>
    rangeOf(
      number,
      { defaultAction, architectures: ['SCMP_ARCH_X86'], syscalls },
      x64,
      abis.SCMP_ARCH_X86.audit,
    )?.alternatives.map(({ action, conditions }) => [action, conditions[0]?.mask, conditions[0]?.value]);
  const onFamily = { args: [{ index: 0, value: 38, op: 'SCMP_CMP_NE' }] };

  test('what is allowed by name is allowed there', () => {
    expect(door(SOCKETCALL, [allow(['bind', 'accept4'])])).toEqual([
      [RET_ALLOW, 0xffff_ffffn, 2n],
      [RET_ALLOW, 0xffff_ffffn, 18n],
    ]);
    expect(door(IPC, [allow(['shmat'])])).toEqual([[RET_ALLOW, 0xffffn, 21n]]);
  });

  test('what is allowed on a condition is not, since the condition cannot be looked at', () => {
    expect(door(SOCKETCALL, [allow(['socket'], onFamily)])).toBeUndefined();
  });

  test('what is forbidden on a condition is forbidden altogether', () => {
    expect(door(SOCKETCALL, [{ names: ['socket'], action: 'SCMP_ACT_ERRNO', ...onFamily }], 'SCMP_ACT_ALLOW')).toEqual([
      [EPERM, 0xffff_ffffn, 1n],
    ]);
  });

  test('a rule that names the door is the one for it', () => {
    expect(door(SOCKETCALL, [allow(['socket']), { names: ['socketcall'], action: 'SCMP_ACT_ERRNO' }])).toBeUndefined();
    expect(door(SOCKETCALL, [allow(['socket', 'socketcall'])])).toEqual([]);
  });
});

test('numbers are those of the ABI', () => {
  const of = (name: string) => (Object.keys(abis) as (keyof typeof abis)[]).map((abi) => syscallNumber(abi, name));
  expect(of('read')).toEqual([0, 3, X32_BIT, 63, 3]);
  expect(of('execve')).toEqual([59, 11, X32_BIT + 520, 221, 11]);
  expect(of('socketcall')).toEqual([undefined, 102, undefined, undefined, undefined]);
  expect(of('set_tls')).toEqual([undefined, undefined, undefined, undefined, 0xf0005]);
  expect(of('constructor')).toEqual(Array(5).fill(undefined));
});

test('rules are encoded as native/seccomp/compile.h describes', () => {
  const bytes = encodeRules({
    defaultAction: EPERM,
    badArchitectureAction: 0,
    architectures: [
      {
        audit: 0xc000003e,
        ranges: [
          {
            first: 1,
            last: 2,
            action: RET_ALLOW,
            alternatives: [
              { action: EPERM, conditions: [{ argument: 3, operator: 7, width: 32, mask: 0xffn, value: 0x11n }] },
            ],
          },
        ],
      },
    ],
  });
  const words = [
    1,
    EPERM,
    0,
    1,
    0xc000003e,
    1,
    1,
    2,
    RET_ALLOW,
    1,
    EPERM,
    1,
    3 | (7 << 8) | (32 << 16),
    0xff,
    0,
    0x11,
    0,
  ];
  expect([...new Uint32Array(bytes.slice().buffer)]).toEqual(words);
});
