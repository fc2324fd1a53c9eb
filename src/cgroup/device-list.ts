import { HakoError } from '../base/errors.ts';
import type { DeviceRule } from '../contracts/isolation.ts';
import { accessLetters, type DeviceRuleBits, deviceRuleBits } from './device-rules.ts';

export interface DeviceListWrite {
  readonly file: 'devices.allow' | 'devices.deny';
  readonly value: string;
}

const ALL = 7;

/**
 * Rules as writes to the v1 devices controller (cgroup-v1/devices.rst). It keeps a default and a list of exceptions
 * and knows no order, so the rules are played through here first; an exception within an exception cannot be said.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` for rules that this controller cannot express.
 */
export function compileDeviceList(rules: readonly DeviceRule[]): readonly DeviceListWrite[] {
  const state = play(deviceRuleBits(rules));
  const [first, then] = state.allowByDefault
    ? (['devices.allow', 'devices.deny'] as const)
    : (['devices.deny', 'devices.allow'] as const);
  return [
    { file: first, value: 'a' },
    ...state.exceptions.map((exception) => ({ file: then, value: format(exception) })),
  ];
}

interface ListState {
  allowByDefault: boolean;
  exceptions: readonly DeviceRuleBits[];
}

function play(rules: readonly DeviceRuleBits[]): ListState {
  const start = startOf(rules);
  const state: ListState = { allowByDefault: start.allowByDefault, exceptions: [] };
  for (const rule of rules.slice(start.index)) {
    if (rule.allow === state.allowByDefault) state.exceptions = withdraw(state.exceptions, rule);
    else state.exceptions = include(state.exceptions, rule);
  }
  return state;
}

/** The last rule for everything (a pair, for both kinds of device) is the default, and what came before it is void. */
function startOf(rules: readonly DeviceRuleBits[]): { allowByDefault: boolean; index: number } {
  for (let index = rules.length - 2; index >= 0; index--) {
    const [one, other] = [rules[index], rules[index + 1]];
    if (
      one !== undefined &&
      other !== undefined &&
      isAll(one) &&
      isAll(other) &&
      one.type !== other.type &&
      one.allow === other.allow
    ) {
      return { allowByDefault: one.allow, index: index + 2 };
    }
  }
  return { allowByDefault: false, index: 0 };
}

function include(exceptions: readonly DeviceRuleBits[], rule: DeviceRuleBits): readonly DeviceRuleBits[] {
  const same = exceptions.findIndex(
    (exception) => exception.type === rule.type && exception.major === rule.major && exception.minor === rule.minor,
  );
  const existing = exceptions[same];
  return existing === undefined
    ? [...exceptions, rule]
    : exceptions.with(same, { ...existing, access: existing.access | rule.access });
}

function withdraw(exceptions: readonly DeviceRuleBits[], rule: DeviceRuleBits): readonly DeviceRuleBits[] {
  return exceptions.flatMap((exception) => {
    if (
      exception.type !== rule.type ||
      (exception.access & rule.access) === 0 ||
      !overlap(exception.major, rule.major) ||
      !overlap(exception.minor, rule.minor)
    )
      return [exception];
    if (!covers(rule.major, exception.major) || !covers(rule.minor, exception.minor)) {
      throw new HakoError(
        'HOST_UNSUPPORTED',
        `The device rule '${rule.allow ? 'allow' : 'deny'} ${format(rule)}' takes a part out of '${format(exception)}', which the devices controller of cgroup v1 cannot express; name the devices one by one.`,
      );
    }
    const access = exception.access & ~rule.access;
    return access === 0 ? [] : [{ ...exception, access }];
  });
}

function overlap(one: number | null, other: number | null): boolean {
  return one === null || other === null || one === other;
}

function covers(wide: number | null, narrow: number | null): boolean {
  return wide === null || wide === narrow;
}

function isAll(rule: DeviceRuleBits): boolean {
  return rule.major === null && rule.minor === null && rule.access === ALL;
}

function format(rule: DeviceRuleBits): string {
  return `${rule.type} ${rule.major ?? '*'}:${rule.minor ?? '*'} ${accessLetters(rule.access)}`;
}
