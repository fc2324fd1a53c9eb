import fc from 'fast-check';
import { HakoError } from 'libhako';
import { expect } from 'vitest';
import { seed } from '../support/amounts.ts';

/** No more than this for anything that is asked of it, in milliseconds; a start takes some dozens. */
const longest = 20_000;

/** It works, or a HakoError says why not, or the caller's own signal; in bounded time. */
async function answered(work: () => unknown): Promise<void> {
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => timer.reject(new Error('it hangs')), longest);
  try {
    await Promise.race([(async () => work())(), timer.promise]);
  } catch (error) {
    if (error instanceof DOMException && (error.name === 'AbortError' || error.name === 'TimeoutError')) return;
    if (!(error instanceof HakoError)) throw error;
    expect(error.message).toMatch(/\.$/);
  } finally {
    clearTimeout(timeout);
  }
}

/** So many values of `given`, each of which `use` has to answer. */
export async function holds<T>(given: fc.Arbitrary<T>, runs: number, use: (value: T) => unknown): Promise<void> {
  await fc.assert(
    fc.asyncProperty(given, (value) => answered(() => use(value))),
    { seed, numRuns: runs, endOnFailure: true },
  );
}
