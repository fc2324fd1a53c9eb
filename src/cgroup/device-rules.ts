import { HakoError } from '../base/errors.ts';
import type { DeviceRule } from '../contracts/isolation.ts';

/** Access to a device as bits; the values are those of BPF_DEVCG_ACC_* (linux/bpf.h). */
export const DeviceAccess = { m: 1, r: 2, w: 4 } as const;

/** A rule with both kinds of device and whole access told apart: what both compilers work from. */
export interface DeviceRuleBits {
  readonly allow: boolean;
  readonly type: 'c' | 'b';
  readonly major: number | null;
  readonly minor: number | null;
  readonly access: number;
}

/**
 * The meaning of a list of rules, the same on v1 and v2: each access (read, write, mknod) to a device is decided by
 * the last rule that covers it; what no rule covers is denied, so that an empty list is never "allow all".
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for a number or an access that there cannot be.
 */
export function deviceRuleBits(rules: readonly DeviceRule[]): readonly DeviceRuleBits[] {
  return rules.flatMap((rule) => {
    const bits = {
      allow: rule.allow,
      major: checkNumber(rule.major, 4095),
      minor: checkNumber(rule.minor, 1_048_575),
      access: accessBits(rule.access),
    };
    return rule.type === 'a'
      ? [
          { ...bits, type: 'c' as const },
          { ...bits, type: 'b' as const },
        ]
      : [{ ...bits, type: rule.type }];
  });
}

/** Without doubles, in the kernel's order. */
export function accessLetters(access: number): string {
  return (['r', 'w', 'm'] as const).filter((letter) => (access & DeviceAccess[letter]) !== 0).join('');
}

function accessBits(access: string): number {
  let bits = 0;
  for (const letter of access) {
    if (letter !== 'r' && letter !== 'w' && letter !== 'm') break;
    bits |= DeviceAccess[letter];
  }
  if (access === '' || !/^[rwm]+$/.test(access))
    throw new HakoError(
      'INVALID_OPTION',
      `'${access.slice(0, 20)}' is not an access to a device; write some of r, w and m.`,
    );
  return bits;
}

function checkNumber(value: number | null, largest: number): number | null {
  if (value !== null && (!Number.isInteger(value) || value < 0 || value > largest || Object.is(value, -0))) {
    throw new HakoError(
      'INVALID_OPTION',
      `${value} is not a device number; it goes from 0 to ${largest}, and null stands for any.`,
    );
  }
  return value;
}
