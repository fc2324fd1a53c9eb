/** A difference that is meant, and why. */
export interface KnownDifference {
  /** Of the line, whichever of the two has it. */
  readonly line: RegExp;
  readonly reason: string;
}

export interface Difference {
  readonly line: string;
  readonly only: 'docker' | 'hako';
  readonly reason: string | undefined;
}

/** The lines that one has and the other has not, each with the reason for it if one is known. */
export function compare(
  docker: readonly string[],
  hako: readonly string[],
  known: readonly KnownDifference[],
): readonly Difference[] {
  const only = (lines: readonly string[], others: readonly string[], side: Difference['only']) =>
    lines
      .filter((line) => !others.includes(line))
      .map((line) => ({ line, only: side, reason: known.find((each) => each.line.test(line))?.reason }));
  return [...only(docker, hako, 'docker'), ...only(hako, docker, 'hako')];
}
