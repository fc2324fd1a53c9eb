/**
 * Resolved rules: numbers instead of names, and nothing left that depends on the container or the host. It is what
 * native/seccomp/compile.h takes, as objects.
 */
export interface ResolvedRules {
  /** SECCOMP_RET_* with its data, as all actions here. */
  readonly defaultAction: number;
  readonly badArchitectureAction: number;
  readonly architectures: readonly ResolvedArchitecture[];
}

export interface ResolvedArchitecture {
  /** AUDIT_ARCH_*. */
  readonly audit: number;
  /** Ascending, without overlaps. */
  readonly ranges: readonly ResolvedRange[];
}

export interface ResolvedRange {
  readonly first: number;
  readonly last: number;
  /** When no alternative holds. */
  readonly action: number;
  readonly alternatives: readonly Alternative[];
}

/** Holds when all of its conditions do; the first alternative that holds decides. */
export interface Alternative {
  readonly action: number;
  readonly conditions: readonly Condition[];
}

export interface Condition {
  readonly argument: number;
  readonly operator: Operator;
  /** How many of the argument's low bits are looked at. */
  readonly width: 32 | 64;
  /** Only for MASKED_EQUAL; else 0n. */
  readonly mask: bigint;
  readonly value: bigint;
}

/** enum seccomp_operator of native/seccomp/compile.h. */
export const Operator = {
  NOT_EQUAL: 1,
  LESS: 2,
  LESS_OR_EQUAL: 3,
  EQUAL: 4,
  GREATER_OR_EQUAL: 5,
  GREATER: 6,
  MASKED_EQUAL: 7,
} as const;
export type Operator = (typeof Operator)[keyof typeof Operator];

const VERSION = 1;

/** The bytes that native/seccomp/compile.h describes: little-endian words, as both processors have them. */
export function encodeRules(rules: ResolvedRules): Uint8Array {
  const words = [VERSION, rules.defaultAction, rules.badArchitectureAction, rules.architectures.length];
  for (const architecture of rules.architectures) {
    words.push(architecture.audit, architecture.ranges.length);
    for (const range of architecture.ranges) {
      words.push(range.first, range.last, range.action, range.alternatives.length);
      for (const alternative of range.alternatives) {
        words.push(alternative.action, alternative.conditions.length);
        for (const condition of alternative.conditions) pushCondition(words, condition);
      }
    }
  }
  return new Uint8Array(Uint32Array.from(words).buffer);
}

function pushCondition(words: number[], { argument, operator, width, mask, value }: Condition): void {
  words.push(argument | (operator << 8) | (width << 16));
  for (const wide of [mask, value]) words.push(Number(wide & 0xffff_ffffn), Number(wide >> 32n));
}
