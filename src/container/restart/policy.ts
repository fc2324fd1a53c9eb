import type { RestartPolicy } from './options.ts';

/** Docker's: the first wait, the longest one, and how long a container must have run to be given the first again; in milliseconds. */
const firstDelay = 100;
const longestDelay = 60_000;
const provenAfter = 10_000;

/** What a policy is asked about. */
export interface RunEnd {
  /** Also true of an end that is not known, and of a container that was ended because it was unhealthy. */
  readonly failed: boolean;
  /** How often the policy has restarted it since somebody started it. */
  readonly restarts: number;
}

export function mayRestart({ policy, maxRetries }: RestartPolicy, { failed, restarts }: RunEnd): boolean {
  switch (policy) {
    case 'no':
      return false;
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return failed && (maxRetries === 0 || restarts < maxRetries);
  }
}

/**
 * How long to wait before the next start, in milliseconds.
 *
 * @param last - the wait before the run that has ended; 0: it was started by somebody
 */
export function nextDelay(last: number, ranFor: number): number {
  return last === 0 || ranFor >= provenAfter ? firstDelay : Math.min(last * 2, longestDelay);
}
