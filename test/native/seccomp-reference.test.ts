import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allCapabilities } from '../../src/base/capabilities.ts';
import { type Abi, abis, type MachineArchitecture, syscallNumber, X32_BIT } from '../../src/seccomp/architectures.ts';
import { defaultProfile } from '../../src/seccomp/default-profile.ts';
import { compileSeccompProfile } from '../../src/seccomp/index.ts';
import { syscallTable } from '../../src/seccomp/syscall-table.ts';
import { ClassicBpf } from '../support/classic-bpf.ts';
import { describeWith } from '../support/requires.ts';
import { type JsonProfile, Libseccomp, type ReferenceProgram } from './support/libseccomp.ts';
import { native } from './support/native-binding.ts';

// Every decision of hako's default profile, for every number of every ABI, beside libseccomp's for Docker's profile.

const referencePath = new URL('../../../shared/reference/seccomp-default.json', import.meta.url);
const kernel = '6.1.0';
const ALLOW = 0x7fff0000;
const EPERM = 0x50001;
const ENOSYS = 0x50026;
const HIGH = 1n << 32n;

const dockerDefaults = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
];
const capabilitySets = { none: [], default: dockerDefaults.map((name) => `CAP_${name}`), ALL: [...allCapabilities] };

const machines: Record<MachineArchitecture, { goName: string; abis: Record<string, Abi> }> = {
  x64: { goName: 'amd64', abis: { x86_64: 'SCMP_ARCH_X86_64', x86: 'SCMP_ARCH_X86', x32: 'SCMP_ARCH_X32' } },
  arm64: { goName: 'arm64', abis: { aarch64: 'SCMP_ARCH_AARCH64', arm: 'SCMP_ARCH_ARM' } },
};

const machineAbis: Readonly<Record<string, Abi>> = { ...machines.x64.abis, ...machines.arm64.abis };

/** Our own profile as a file would have it, for a clone that has no reference data beside it. */
function ownProfile(): JsonProfile {
  const text = JSON.stringify(defaultProfile, (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  return JSON.parse(text) as JsonProfile;
}

const interesting = [
  0n,
  1n,
  2n,
  8n,
  9n,
  37n,
  38n,
  39n,
  40n,
  41n,
  0x20000n,
  0x20008n,
  0x20009n,
  0x10000000n,
  0x02000000n,
  0x7e020000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
];

/** Vectors of six arguments: each value in the first and in the others, with and without high bits. */
const vectors: bigint[][] = [
  ...interesting,
  ...interesting.map((value) => value + HIGH),
  ...interesting.map((value) => value | (0xffffffffn << 32n)),
].flatMap((value) => [
  [value, 0n, 0n, 0n, 0n, 0n],
  [value, value, value, value, value, value],
]);
const lows = (args: readonly bigint[]) => args.map((value) => value & 0xffffffffn);

function numbersOf(abi: Abi): number[] {
  const base = abi === 'SCMP_ARCH_X32' ? X32_BIT : 0;
  const few = Array.from({ length: 601 }, (_, number) => base + number);
  const edges = [1000, 0xf0000, 0xf0001, 0xf0002, 0xf0003, 0xf0004, 0xf0005, 0xf0006, 0x3fffffff].map(
    (number) => base + number,
  );
  return base === 0
    ? [...few, ...edges, 0x80000000, 0xffffffff]
    : [...few, ...edges.filter((number) => number <= 0x7fffffff)];
}

type Deviation =
  | 'an int compared as one'
  | 'socket by socketcall'
  | 'newer than the profile'
  | 'newer than this libseccomp';

interface Comparison {
  readonly abi: Abi;
  readonly ours: ClassicBpf;
  readonly reference: ReferenceProgram;
  /** Numbers that the reference would know if its libseccomp were newer. */
  readonly tooNew: ReadonlySet<number>;
  readonly newest: number;
}

/** Why two decisions differ, where that is meant; undefined where it is not. */
function explain(
  c: Comparison,
  number: number,
  args: readonly bigint[],
  ours: number,
  theirs: number,
): Deviation | undefined {
  const call = { number, architecture: abis[c.abi].audit };
  if (c.tooNew.has(number) && theirs === EPERM && ours === ALLOW) return 'newer than this libseccomp';
  if (number > c.newest && number <= abis[c.abi].last && theirs === EPERM && ours === ENOSYS)
    return 'newer than the profile';
  const isSocketcall = c.abi === 'SCMP_ARCH_X86' && number === syscallNumber(c.abi, 'socketcall');
  if (isSocketcall && lows(args)[0] === 1n && theirs === ALLOW && ours === EPERM) return 'socket by socketcall';
  const named = ['socket', 'personality'].some((name) => syscallNumber(c.abi, name) === number);
  const asInts = { ...call, arguments: lows(args) };
  if (named && abis[c.abi].wide && c.ours.run(asInts) === ours && c.reference.bpf.run(asInts) === ours)
    return 'an int compared as one';
  return undefined;
}

describeWith({ tools: ['cc'], paths: ['/usr/include/seccomp.h'] }, 'the default profile beside libseccomp', () => {
  let directory: string;
  let libseccomp: Libseccomp;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'hako-seccomp-'));
    libseccomp = new Libseccomp(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const sources: [string, () => JsonProfile][] = [
    ["Docker's profile", () => JSON.parse(readFileSync(referencePath, 'utf8')) as JsonProfile],
    ["hako's own profile", ownProfile],
  ];
  const cases = sources
    .filter(([name]) => name.startsWith('hako') || existsSync(referencePath))
    .flatMap(([source, load]) =>
      Object.keys(machines).flatMap((machine) =>
        Object.keys(capabilitySets).map((capabilities) => ({
          source,
          load,
          machine: machine as MachineArchitecture,
          capabilities: capabilities as keyof typeof capabilitySets,
        })),
      ),
    );

  test.each(cases)('$source, $machine, capabilities: $capabilities', ({ load, machine, capabilities }) => {
    const profile = load();
    const { goName, abis: names } = machines[machine];
    const held = capabilitySets[capabilities];
    const reference = libseccomp.compile(profile, goName, Object.keys(names), held);
    expect(reference.refused).toEqual([]);
    const compiled = compileSeccompProfile({
      profile: 'default',
      architecture: machine,
      capabilities: held,
      kernel,
      native,
    });
    const ours = new ClassicBpf((compiled as { program: Uint8Array }).program);
    const unexplained: string[] = [];
    const explained = new Map<Deviation, Set<string>>();
    let compared = 0;
    for (const abi of Object.values(names)) {
      const known = profile.syscalls.flatMap((rule) => rule.names).flatMap((name) => syscallNumber(abi, name) ?? []);
      const newest = Math.max(...known.filter((number) => number <= abis[abi].last));
      // x32 got map_shadow_stack in later kernels than libseccomp's table.
      const later = abi === 'SCMP_ARCH_X32' ? ['map_shadow_stack'] : [];
      const tooNew = new Set([...reference.unknown, ...later].flatMap((name) => syscallNumber(abi, name) ?? []));
      const comparison = { abi, ours, reference, tooNew, newest };
      for (const number of numbersOf(abi)) {
        for (const args of abis[abi].wide ? vectors : vectors.map(lows)) {
          const call = { number, architecture: abis[abi].audit, arguments: args };
          const [mine, theirs] = [ours.run(call), reference.bpf.run(call)];
          compared++;
          if (mine === theirs) continue;
          const why = explain(comparison, number, args, mine, theirs);
          if (why === undefined)
            unexplained.push(`${abi} ${number} (${args}): ${mine.toString(16)}, libseccomp ${theirs.toString(16)}`);
          else explained.set(why, (explained.get(why) ?? new Set()).add(`${abi} ${number}`));
        }
      }
    }
    expect(unexplained.slice(0, 20)).toEqual([]);
    expect(compared).toBeGreaterThan(100_000);
    // The deviations are there, so that the list above can't outlive its reasons.
    const withDoor =
      machine === 'x64' && profile.syscalls.some((rule) => rule.names.includes('socketcall'))
        ? ['socket by socketcall']
        : [];
    const expected = [
      'an int compared as one',
      'newer than the profile',
      ...withDoor,
      ...(reference.unknown.length > 0 ? ['newer than this libseccomp'] : []),
    ];
    expect([...explained.keys()].sort()).toEqual(expected.sort());
  });

  // One rule for a call: what libseccomp makes of several that overlap is its own (see resolve.ts). The names are of
  // calls whose arguments are no ints, so that every decision must be the same.
  test('profiles at random decide alike', () => {
    const operators = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map((name) => `SCMP_CMP_${name}`);
    const values = [0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000001, 0x1fffffffffffff];
    const narrow = values.filter((value) => value <= 0xffffffff);
    const action = fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRAP');
    const argument = (from: number[]) =>
      fc.record({
        index: fc.integer({ min: 0, max: 2 }),
        op: fc.constantFrom(...operators),
        value: fc.constantFrom(...from),
        two: fc.constantFrom(...from),
      });
    const rule = (name: string, from: number[]) =>
      fc.record({
        names: fc.constant([name]),
        action,
        errnoRet: fc.integer({ min: 2, max: 30 }),
        args: fc.uniqueArray(argument(from), { maxLength: 3, selector: ({ index }) => index }),
      });
    const profileWith = (from: number[]) =>
      fc.record({
        defaultAction: action,
        defaultErrnoRet: fc.constant(1),
        syscalls: fc.tuple(...['mmap', 'write', 'mprotect', 'lseek', 'mremap'].map((name) => rule(name, from))),
      });

    const check = (abiNames: Record<string, Abi>, from: number[]) =>
      fc.assert(
        fc.property(profileWith(from), ({ syscalls, ...rest }) => {
          const json = {
            ...rest,
            // Bits of the value that the mask does not have would never be equal: libseccomp refuses such rules or not, by its version.
            syscalls: syscalls.map(({ args, ...one }) => ({
              ...one,
              args: args.map(({ two, ...condition }) => ({
                ...condition,
                valueTwo: Number(BigInt(condition.value) & BigInt(two)),
              })),
            })),
          };
          const reference = libseccomp.compile(json, 'amd64', Object.keys(abiNames), []);
          expect(reference.refused).toEqual([]);
          const architectures = Object.values(abiNames);
          // libseccomp looks at 32 bits for x32, where the kernel has 64.
          const most = architectures.length > 1 ? 0xffffffffn : 1n << 63n;
          const asked = from.flatMap((one) => [BigInt(one), BigInt(one) + 1n]).filter((value) => value <= most);
          const compiled = compileSeccompProfile({
            profile: { json: JSON.stringify({ ...json, architectures }) },
            architecture: 'x64',
            capabilities: [],
            kernel,
            native,
          });
          const ours = new ClassicBpf((compiled as { program: Uint8Array }).program);
          for (const abi of architectures) {
            for (const name of ['read', 'mmap', 'write', 'mprotect', 'lseek', 'mremap']) {
              for (const value of asked) {
                for (const args of [
                  [value, 0n, 1n],
                  [1n, value, 0n],
                  [0n, 1n, value],
                  [value, value, value],
                ]) {
                  const number = syscallNumber(abi, name) as number;
                  const call = { number, architecture: abis[abi].audit, arguments: abis[abi].wide ? args : lows(args) };
                  const [mine, theirs] = [ours.run(call), reference.bpf.run(call)];
                  if (mine !== theirs && mine !== ENOSYS)
                    throw new Error(
                      `${abi} ${name} (${args}): ${mine.toString(16)}, libseccomp ${theirs.toString(16)}`,
                    );
                }
              }
            }
          }
        }),
        { numRuns: 100 },
      );
    check({ x86_64: 'SCMP_ARCH_X86_64' }, values);
    check({ x86_64: 'SCMP_ARCH_X86_64', x86: 'SCMP_ARCH_X86', x32: 'SCMP_ARCH_X32' }, narrow);
  });

  test('numbers are those that libseccomp knows, for every name and ABI', () => {
    const names = syscallTable
      .trim()
      .split(/,\s/)
      .map((entry) => entry.split(' ')[0] as string);
    const different: string[] = [];
    const known = libseccomp.numbers(names, ['x86_64', 'x86', 'x32', 'aarch64', 'arm']);
    for (const { name, abi, number } of known) {
      const ours = syscallNumber(machineAbis[abi] as Abi, name);
      if (ours !== number) different.push(`${abi} ${name}: ${ours}, libseccomp ${number}`);
    }
    expect(known.length).toBeGreaterThan(1500);
    expect(different).toEqual([]);
  });

  test('calls of another architecture end the thread, as with libseccomp', () => {
    const compiled = compileSeccompProfile({
      profile: 'default',
      architecture: 'x64',
      capabilities: [],
      kernel,
      native,
    });
    const ours = new ClassicBpf((compiled as { program: Uint8Array }).program);
    const reference = libseccomp.compile(ownProfile(), 'amd64', ['x86_64', 'x86', 'x32'], []);
    for (const architecture of [0xc00000b7, 0x40000028, 0, 0xffffffff]) {
      const call = { number: 0, architecture, arguments: [0n, 0n, 0n, 0n, 0n, 0n] };
      expect(ours.run(call)).toBe(0);
      expect(reference.bpf.run(call)).toBe(0);
    }
  });

  test("the program is smaller than libseccomp's", () => {
    const compiled = compileSeccompProfile({
      profile: 'default',
      architecture: 'x64',
      capabilities: capabilitySets.default,
      kernel,
      native,
    });
    const reference = libseccomp.compile(ownProfile(), 'amd64', ['x86_64', 'x86', 'x32'], capabilitySets.default);
    const length = (compiled as { program: Uint8Array }).program.length / 8;
    expect(length).toBeLessThan(400);
    expect(length).toBeLessThan(reference.bpf.length / 2);
  });
});
