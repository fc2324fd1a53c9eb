/** What a service and its container take up after so many rounds; every figure but `done` has to stay what it is. */
export type Sample = Readonly<Record<string, number>> & { readonly done: number };

/** The figures of a sample by name. */
export function figuresOf(samples: readonly Sample[]): readonly string[] {
  return Object.keys(samples[0] ?? {}).filter((name) => name !== 'done');
}

/**
 * How much a figure has grown: the mean of the last third over that of the second. The first is for what is loaded and
 * compiled once.
 */
export function growth(samples: readonly Sample[], name: string): number {
  const third = Math.floor(samples.length / 3);
  const mean = (some: readonly Sample[]): number =>
    some.reduce((sum, sample) => sum + (sample[name] ?? 0), 0) / some.length;
  return mean(samples.slice(-third)) - mean(samples.slice(third, -third));
}
