/** Docker's: `starting` until a check has succeeded, or too many have failed. @public */
export type HealthStatus = 'starting' | 'healthy' | 'unhealthy';

/** One health check that was made. @public */
export interface HealthCheckResult {
  readonly startedAt: Date;
  readonly finishedAt: Date;
  /** 0: healthy; -1: it took too long, or could not be made. */
  readonly exitCode: number;
  /** At most 4 KiB; `...` at its end: there was more. */
  readonly output: string;
}

/** What is known of a container's health. @public */
export interface ContainerHealth {
  /** What the checks up to now come to. */
  readonly status: HealthStatus;
  /** How many checks have failed since the last that succeeded. */
  readonly failingStreak: number;
  /** The last five, the newest last. */
  readonly log: readonly HealthCheckResult[];
}

export const newHealth: ContainerHealth = { status: 'starting', failingStreak: 0, log: [] };

const mostResults = 5;

/** The health after a check, as Docker has it: failures in the start period do not count until one has succeeded. */
export function afterCheck(
  { status, failingStreak, log }: ContainerHealth,
  result: HealthCheckResult,
  { retries, inStartPeriod }: { readonly retries: number; readonly inStartPeriod: boolean },
): ContainerHealth {
  const results = [...log, result].slice(-mostResults);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log: results };
  if (status === 'starting' && inStartPeriod) return { status, failingStreak, log: results };
  const streak = failingStreak + 1;
  return { status: streak >= retries ? 'unhealthy' : status, failingStreak: streak, log: results };
}
