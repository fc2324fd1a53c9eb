/** One of those that are measured side by side. */
export interface Contestant {
  readonly name: string;
  /** Does the thing once, and gives what it took in the figure's unit. */
  measure(): Promise<number>;
  close?(): Promise<void>;
}

/** Makes a contestant, or says why it can't take part here. */
export interface Entrant {
  readonly name: string;
  prepare(): Promise<Contestant>;
}

/** The reason why a contestant can't take part: not installed, not on this kernel. */
export class Absent extends Error {}

export type Samples = ReadonlyMap<string, readonly number[]>;

export interface Contest {
  readonly samples: Samples;
  readonly absent: ReadonlyMap<string, string>;
}

/**
 * Measures the entrants in turns, A B C, B C A, C A B …, so that whatever the machine does meanwhile hits all alike, and
 * each comes after each other one: what ran before decides what the processor's caches hold. The first `warmups` rounds
 * don't count.
 */
export async function compete(entrants: readonly Entrant[], rounds: number, warmups: number): Promise<Contest> {
  const samples = new Map<string, number[]>();
  const absent = new Map<string, string>();
  const contestants: Contestant[] = [];
  try {
    for (const entrant of entrants) {
      try {
        contestants.push(await entrant.prepare());
        samples.set(entrant.name, []);
      } catch (error) {
        if (!(error instanceof Absent)) throw error;
        absent.set(entrant.name, error.message);
      }
    }
    for (let round = -warmups; round < rounds; round++) {
      for (const contestant of rotated(contestants, round + warmups)) {
        const took = await contestant.measure();
        if (round >= 0) samples.get(contestant.name)?.push(took);
      }
    }
  } finally {
    for (const contestant of contestants.reverse()) await contestant.close?.();
  }
  return { samples, absent };
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
