import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileDeviceProgram } from '../../src/cgroup/device-bpf.ts';
import { compileDeviceList } from '../../src/cgroup/device-list.ts';
import type { DeviceRule } from '../../src/contracts/isolation.ts';
import { defaultDeviceRules } from '../../src/plugins/privilege-defaults.ts';
import { runDeviceProgram } from '../support/bpf-interpreter.ts';

interface Access {
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

const bits = (access: string): number =>
  [...access].reduce((sum, letter) => sum | { m: 1, r: 2, w: 4 }[letter as 'm' | 'r' | 'w'], 0);

/** What the rules mean, said as simply as it can be: each letter by the last rule that covers it. */
function meant(rules: readonly DeviceRule[], { type, major, minor, access }: Access): boolean {
  return [...access].every((letter) => {
    const last = rules.findLast(
      (rule) =>
        (rule.type === 'a' || rule.type === type) &&
        (rule.major ?? major) === major &&
        (rule.minor ?? minor) === minor &&
        rule.access.includes(letter),
    );
    return last?.allow ?? false;
  });
}

function byProgram(rules: readonly DeviceRule[], { type, major, minor, access }: Access): boolean {
  return (
    runDeviceProgram(compileDeviceProgram(rules), {
      accessType: (bits(access) << 16) | (type === 'b' ? 1 : 2),
      major,
      minor,
    }) === 1
  );
}

/** The v1 controller (security/device_cgroup.c): a default, and exceptions that must match wholly, or, to deny, in part. */
function byList(rules: readonly DeviceRule[], { type, major, minor, access }: Access): boolean {
  let allow = true;
  const exceptions = new Map<string, number>();
  for (const { file, value } of compileDeviceList(rules)) {
    if (value === 'a') {
      allow = file === 'devices.allow';
      exceptions.clear();
      continue;
    }
    const match = /^([bc]) (\d+|\*):(\d+|\*) ([rwm]+)$/.exec(value);
    if (match === null) throw new Error(`the kernel would refuse '${value}'`);
    if ((file === 'devices.allow') === allow) throw new Error('an exception that is none');
    const key = `${match[1]} ${match[2]} ${match[3]}`;
    exceptions.set(key, (exceptions.get(key) ?? 0) | bits(match[4] ?? ''));
  }
  const wanted = bits(access);
  const covering = [...exceptions].filter(([key]) => {
    const [t, a, i] = key.split(' ');
    return t === type && (a === '*' || a === String(major)) && (i === '*' || i === String(minor));
  });
  return allow ? !covering.some(([, has]) => (has & wanted) !== 0) : covering.some(([, has]) => (wanted & ~has) === 0);
}

const letters = fc.constantFrom('r', 'w', 'm', 'rw', 'rm', 'wm', 'rwm');
const number = fc.option(fc.integer({ min: 0, max: 3 }), { nil: null });
const rule: fc.Arbitrary<DeviceRule> = fc.record({
  allow: fc.boolean(),
  type: fc.constantFrom('a' as const, 'b' as const, 'c' as const),
  major: number,
  minor: number,
  access: letters,
});
const access: fc.Arbitrary<Access> = fc.record({
  type: fc.constantFrom('b' as const, 'c' as const),
  major: fc.integer({ min: 0, max: 3 }),
  minor: fc.integer({ min: 0, max: 3 }),
  access: letters,
});

describe('device rules as a BPF program', () => {
  test('mean what they say, for any rules and any access', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 8 }), access, (rules, wanted) => {
        expect(byProgram(rules, wanted)).toBe(meant(rules, wanted));
      }),
      { numRuns: 3000 },
    );
  });

  test('no rules deny everything: an empty list is never "allow all"', () => {
    expect(byProgram([], { type: 'c', major: 1, minor: 3, access: 'r' })).toBe(false);
  });

  test('an access that asks for nothing, as access(2) does with F_OK, is allowed', () => {
    expect(runDeviceProgram(compileDeviceProgram([]), { accessType: 2, major: 8, minor: 0 })).toBe(1);
  });

  test('the default rules give the standard devices and no disk, no tun, no fuse, no mknod of others', () => {
    const allowed = (type: 'b' | 'c', major: number, minor: number, letters: string) =>
      byProgram(defaultDeviceRules, { type, major, minor, access: letters });
    for (const minor of [3, 5, 7, 8, 9]) expect(allowed('c', 1, minor, 'rwm')).toBe(true);
    for (const minor of [0, 1, 2]) expect(allowed('c', 5, minor, 'rw')).toBe(true);
    expect(allowed('c', 136, 7, 'rw')).toBe(true);
    for (const [type, major, minor] of [
      ['b', 8, 0],
      ['b', 1, 3],
      ['c', 10, 200],
      ['c', 10, 229],
      ['c', 1, 1],
      ['c', 1, 11],
    ] as const) {
      for (const letter of ['r', 'w', 'm']) expect(allowed(type, major, minor, letter)).toBe(false);
    }
  });

  test('large numbers are compared whole', () => {
    const rules: DeviceRule[] = [{ allow: true, type: 'b', major: 4095, minor: 1_048_575, access: 'rwm' }];
    expect(byProgram(rules, { type: 'b', major: 4095, minor: 1_048_575, access: 'rwm' })).toBe(true);
    expect(byProgram(rules, { type: 'b', major: 4095, minor: 1_048_574, access: 'r' })).toBe(false);
  });

  test.each([
    { major: 4096, minor: 0, access: 'r' },
    { major: -0, minor: 0, access: 'r' },
    { major: 1.5, minor: 0, access: 'r' },
    { major: 1e18, minor: 0, access: 'r' },
    { major: Number.NaN, minor: 0, access: 'r' },
    { major: 1, minor: 0, access: '' },
    { major: 1, minor: 0, access: 'rx' },
  ])('refuses %o', (wrong) => {
    expect(() => compileDeviceProgram([{ allow: true, type: 'c', ...wrong }])).toThrow(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }),
    );
  });
});

describe('device rules as a v1 list', () => {
  test('never allow what the rules deny, and give every single access that they allow', () => {
    let expressible = 0;
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), access, (rules, wanted) => {
        let allowed: boolean;
        try {
          allowed = byList(rules, wanted);
        } catch (error) {
          expect(error).toMatchObject({ code: 'HAKO_ERR_HOST_UNSUPPORTED' });
          return;
        }
        expressible++;
        if (allowed) expect(meant(rules, wanted)).toBe(true);
        // Of several letters the kernel wants one exception for all; of one it can't differ.
        if (wanted.access.length === 1) expect(allowed).toBe(meant(rules, wanted));
      }),
      { numRuns: 3000 },
    );
    expect(expressible).toBeGreaterThan(1000);
  });

  test('begin by denying all, so that nothing is left of what the group inherited', () => {
    expect(compileDeviceList([])).toEqual([{ file: 'devices.deny', value: 'a' }]);
    expect(compileDeviceList(defaultDeviceRules).slice(0, 2)).toEqual([
      { file: 'devices.deny', value: 'a' },
      { file: 'devices.allow', value: 'c 1:3 rwm' },
    ]);
  });

  test('a hole in a wildcard cannot be said on v1, and that is said', () => {
    const rules: DeviceRule[] = [
      { allow: true, type: 'c', major: 10, minor: null, access: 'rwm' },
      { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
    ];
    expect(() => compileDeviceList(rules)).toThrow(/name the devices one by one/);
    expect(byProgram(rules, { type: 'c', major: 10, minor: 229, access: 'r' })).toBe(false);
  });
});
