import { kernelIsAtLeast } from '../base/kernel-release.ts';
import { actionValue, compareStrictness, ENOSYS, RET_ERRNO, RET_KILL_THREAD } from './actions.ts';
import {
  type Abi,
  abis,
  isAbiOf,
  type MachineArchitecture,
  machines,
  syscallNumber,
  X32_BIT,
} from './architectures.ts';
import { conditionsOf } from './conditions.ts';
import { doors, type Multiplexed, multiplexedOnX86 } from './multiplexed.ts';
import type { SeccompCondition, SeccompProfile, SeccompRule } from './profile.ts';
import {
  type Alternative,
  type Condition,
  Operator,
  type ResolvedArchitecture,
  type ResolvedRange,
  type ResolvedRules,
} from './rules.ts';

export interface ResolveContext {
  readonly architecture: MachineArchitecture;
  /** The container's bounding set, by name (`CAP_SYS_ADMIN`). */
  readonly capabilities: readonly string[];
  /** As uname(2) gives it: `6.1.0-32-amd64`. */
  readonly kernel: string;
}

/** What became of the rules for one number so far. */
interface Entry {
  /** Of the first rule without a condition: it prevails over all others, wherever they stand. */
  unconditional: number | undefined;
  readonly alternatives: Alternative[];
}

/**
 * Turns names into numbers and settles which rules apply, with runc's and libseccomp's answers to what profiles
 * leave open:
 *
 * - A call that this processor does not have, or that is not known, is passed over.
 * - A rule whose action is the default one is passed over; it does not take back what another rule allows.
 * - Of the rules for one call, the first without a condition prevails. Without such a one, all that hold count, and
 *   the strictest of them decides, as when the kernel has several filters. (What libseccomp makes of conditional
 *   rules that overlap depends on the order of arguments and operators, and is not always one of them.)
 * - A call newer than every one that the profile names fails with ENOSYS instead of the profile's own error, so that
 *   C libraries fall back to an older one (runc does so; libseccomp by itself does not).
 * - Calls of an ABI that is not listed get libseccomp's answer, the end of the thread.
 *
 * Different from libseccomp: int-arguments.ts, and the calls that 32-bit x86 can also make through socketcall(2) or
 * ipc(2). For a conditional rule libseccomp allows the whole call there; here such a rule counts only if it is stricter
 * than the default, so that what a condition was meant to keep out does not come in by the other door. And rules that
 * name socketcall or ipc themselves are the only ones for it.
 */
export function resolveProfile(profile: SeccompProfile, context: ResolveContext): ResolvedRules {
  const rules = (profile.syscalls ?? []).filter((rule) => applies(rule, context));
  const defaultAction = actionValue(profile.defaultAction, profile.defaultErrnoRet);
  const wanted = abisOf(profile, context.architecture);
  const ranges = new Map<number, ResolvedRange[]>();
  for (const abi of wanted) {
    const { audit } = abis[abi];
    ranges.set(audit, [...(ranges.get(audit) ?? []), ...rangesOf(abi, rules, defaultAction)]);
  }
  // The kernel has no x32 of its own: its calls come as x86_64's with one more bit. -1 is what a tracer sets to skip a call.
  const x86 =
    wanted.includes('SCMP_ARCH_X86_64') && !wanted.includes('SCMP_ARCH_X32')
      ? ranges.get(abis.SCMP_ARCH_X86_64.audit)
      : undefined;
  x86?.push({ first: X32_BIT, last: 0xffff_fffe, action: RET_KILL_THREAD, alternatives: [] });
  const architectures: ResolvedArchitecture[] = [...ranges].map(([audit, list]) => ({ audit, ranges: list }));
  return { defaultAction, badArchitectureAction: RET_KILL_THREAD, architectures };
}

function applies(rule: SeccompRule, context: ResolveContext): boolean {
  const { includes, excludes } = rule;
  const { goName } = machines[context.architecture];
  if (excludes?.arches?.includes(goName) || excludes?.caps?.some((name) => context.capabilities.includes(name)))
    return false;
  if (excludes?.minKernel && kernelIsAtLeast(context.kernel, excludes.minKernel)) return false;
  return includes === undefined || includes === null || allHold(includes, goName, context);
}

function allHold(includes: SeccompCondition, goName: string, context: ResolveContext): boolean {
  if (includes.arches?.length && !includes.arches.includes(goName)) return false;
  if (!(includes.caps ?? []).every((name) => context.capabilities.includes(name))) return false;
  return !includes.minKernel || kernelIsAtLeast(context.kernel, includes.minKernel);
}

/** The processor's own calls are always meant; others that cannot reach its kernel never are. */
function abisOf(profile: SeccompProfile, architecture: MachineArchitecture): readonly Abi[] {
  const { native } = machines[architecture];
  const mapped = profile.archMap?.find((entry) => entry.architecture === native)?.subArchitectures;
  const names = new Set([native, ...(profile.architectures ?? []), ...(mapped ?? [])]);
  return [...names].filter((name) => isAbiOf(architecture, name));
}

function rangesOf(abi: Abi, rules: readonly SeccompRule[], defaultAction: number): ResolvedRange[] {
  const entries = new Map<number, Entry>();
  let newest = -1;
  for (const rule of rules) {
    const action = actionValue(rule.action, rule.errnoRet);
    for (const name of namesOf(rule)) {
      const number = syscallNumber(abi, name);
      if (number !== undefined && number <= abis[abi].last) newest = Math.max(newest, number);
      const conditions = conditionsOf(name, abi, rule.args ?? []);
      if (action !== defaultAction) add(entries, number, action, conditions);
    }
  }
  if (abi === 'SCMP_ARCH_X86') addMultiplexed(entries, rules, defaultAction);
  return mergeEntries(entries, defaultAction, newest < 0 ? undefined : unknownCalls(abi, newest, defaultAction));
}

function namesOf(rule: SeccompRule): readonly string[] {
  return rule.name ? [rule.name] : (rule.names ?? []);
}

function add(
  entries: Map<number, Entry>,
  number: number | undefined,
  action: number,
  conditions: readonly (readonly Condition[])[],
): void {
  if (number === undefined) return;
  const entry = entries.get(number) ?? { unconditional: undefined, alternatives: [] };
  entries.set(number, entry);
  if (conditions.length === 0) entry.unconditional ??= action;
  for (const list of conditions) entry.alternatives.push({ action, conditions: list });
}

/** A door that some rule names itself is left to the rules that do. */
function addMultiplexed(entries: Map<number, Entry>, rules: readonly SeccompRule[], defaultAction: number): void {
  const isNamed = (name: string): boolean => rules.some((rule) => namesOf(rule).includes(name));
  const open = doors.filter((door) => !isNamed(door));
  for (const rule of open.length > 0 ? rules : []) {
    const action = actionValue(rule.action, rule.errnoRet);
    if (action === defaultAction) continue;
    if (rule.args?.length && compareStrictness(action, defaultAction) >= 0) continue;
    for (const name of namesOf(rule)) {
      const call = multiplexedOnX86(name);
      if (call === undefined || !open.includes(call.through)) continue;
      add(entries, syscallNumber('SCMP_ARCH_X86', call.through), action, [[conditionOfDoor(call)]]);
    }
  }
}

function conditionOfDoor({ call, mask }: Multiplexed): Condition {
  return { argument: 0, operator: Operator.MASKED_EQUAL, width: 32, mask, value: call };
}

function unknownCalls(abi: Abi, newest: number, defaultAction: number): ResolvedRange | undefined {
  const isErrno = (defaultAction & 0xffff_0000) >>> 0 === RET_ERRNO;
  if (!isErrno || newest >= abis[abi].last) return undefined;
  return { first: newest + 1, last: abis[abi].last, action: RET_ERRNO | ENOSYS, alternatives: [] };
}

function mergeEntries(
  entries: ReadonlyMap<number, Entry>,
  defaultAction: number,
  unknown: ResolvedRange | undefined,
): ResolvedRange[] {
  const single = [...entries].map(([number, { unconditional, alternatives }]): ResolvedRange => {
    const settled = unconditional !== undefined;
    return {
      first: number,
      last: number,
      action: unconditional ?? defaultAction,
      alternatives: settled ? [] : alternatives.toSorted((a, b) => compareStrictness(a.action, b.action)),
    };
  });
  const sorted = (unknown === undefined ? single : [...single, unknown]).sort((a, b) => a.first - b.first);
  const merged: ResolvedRange[] = [];
  for (const range of sorted) {
    const previous = merged.at(-1);
    const alike = previous !== undefined && previous.last + 1 === range.first && previous.action === range.action;
    if (alike && previous.alternatives.length === 0 && range.alternatives.length === 0)
      merged[merged.length - 1] = { ...previous, last: range.last };
    else merged.push(range);
  }
  return merged;
}
