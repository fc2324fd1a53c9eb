import { type Abi, abis } from './architectures.ts';
import { isIntArgument } from './int-arguments.ts';
import type { SeccompArgument } from './profile.ts';
import { type Condition, Operator } from './rules.ts';

const operators = {
  SCMP_CMP_NE: Operator.NOT_EQUAL,
  SCMP_CMP_LT: Operator.LESS,
  SCMP_CMP_LE: Operator.LESS_OR_EQUAL,
  SCMP_CMP_EQ: Operator.EQUAL,
  SCMP_CMP_GE: Operator.GREATER_OR_EQUAL,
  SCMP_CMP_GT: Operator.GREATER,
  SCMP_CMP_MASKED_EQ: Operator.MASKED_EQUAL,
} as const satisfies Record<SeccompArgument['op'], Operator>;

/** Shared, since nearly every rule is of this kind. */
const UNCONDITIONAL: readonly (readonly Condition[])[] = [];

const LOW = 0xffff_ffffn;

/** The same number as an int: zero- or sign-extended from 32 bits. */
function fitsInt(value: bigint): boolean {
  return value <= LOW || value >= 0xffff_ffff_8000_0000n;
}

function toCondition(syscall: string, abi: Abi, argument: SeccompArgument): Condition {
  const operator = operators[argument.op];
  const masked = operator === Operator.MASKED_EQUAL;
  // For a masked comparison the profile's first value is the mask (OCI runtime spec, and libseccomp).
  const [mask, value] = masked ? [argument.value, argument.valueTwo ?? 0n] : [0n, argument.value];
  const wide: Condition = { argument: argument.index, operator, width: 64, mask, value };
  // A 32-bit program's arguments have no high half.
  if (!abis[abi].wide) return value <= LOW && mask <= LOW ? { ...wide, width: 32 } : wide;
  if (!isIntArgument(syscall, argument.index)) return wide;
  const ordered = !masked && operator !== Operator.EQUAL && operator !== Operator.NOT_EQUAL;
  // An order among numbers of which one is negative is another one for an int: left as libseccomp has it.
  if (ordered ? value > LOW : !fitsInt(value)) return wide;
  return { ...wide, width: 32, mask: mask & LOW, value: value & LOW };
}

/**
 * What a rule's conditions come to: lists of which one must hold, each in all its conditions; none at all when the
 * rule has no condition. As in runc, conditions are alternatives when two of them are on the same argument, since
 * libseccomp takes only one for each argument of a rule.
 */
export function conditionsOf(
  syscall: string,
  abi: Abi,
  args: readonly SeccompArgument[],
): readonly (readonly Condition[])[] {
  if (args.length === 0) return UNCONDITIONAL;
  const conditions = args.map((argument) => toCondition(syscall, abi, argument));
  const repeated = new Set(args.map((argument) => argument.index)).size < args.length;
  return repeated ? conditions.map((condition) => [condition]) : [conditions];
}
