import { setTimeout as sleep } from 'node:timers/promises';
import { raceSignal } from '../../base/signal.ts';
import { afterCheck, type ContainerHealth, type HealthCheckResult } from './health.ts';
import type { HealthPlan } from './plan.ts';
import type { Finding } from './prober.ts';

export interface MonitorParts {
  readonly plan: HealthPlan;
  readonly startedAt: Date;
  /** One that is paused can be asked nothing, and is judged by nothing. */
  isPaused(): boolean;
  probe(signal: AbortSignal): Promise<Finding>;
  /** Told after each check. */
  checked(health: ContainerHealth): void;
}

/** Checks a container's health again and again until `signal` is aborted. One check at a time, however long it takes. */
export async function monitor(parts: MonitorParts, from: ContainerHealth, signal: AbortSignal): Promise<void> {
  const { plan, startedAt, isPaused, checked } = parts;
  let health = from;
  while (!signal.aborted) {
    const pause = untilNext(plan, health, Date.now() - startedAt.getTime());
    if (!(await slept(pause, signal))) return;
    if (isPaused()) continue;
    const begun = new Date();
    const result = await check(parts, begun, signal);
    if (signal.aborted) return;
    if (isPaused()) continue;
    const inStartPeriod = begun.getTime() - startedAt.getTime() < plan.startPeriod;
    health = afterCheck(health, result, { retries: plan.retries, inStartPeriod });
    checked(health);
  }
}

/** In the start period a container that is not healthy yet is looked at more often, and at once when that is over. */
function untilNext({ interval, startInterval, startPeriod }: HealthPlan, health: ContainerHealth, age: number): number {
  const left = startPeriod - age;
  return left > 0 && health.status === 'starting' ? Math.min(startInterval, left) : interval;
}

async function check({ plan, probe }: MonitorParts, startedAt: Date, ending: AbortSignal): Promise<HealthCheckResult> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error('The health check took too long.')), plan.timeout);
  const signal = AbortSignal.any([late.signal, ending]);
  let finding: Finding;
  try {
    const found = probe(signal);
    // A program is killed and tells what it had written; a function that goes on is not waited for.
    finding = plan.probe.kind === 'exec' ? await found : await raceSignal(found, signal);
  } catch (error) {
    finding = {
      exitCode: -1,
      output: late.signal.aborted ? '' : error instanceof Error ? error.message : String(error),
    };
  } finally {
    clearTimeout(timer);
  }
  const result = { startedAt, finishedAt: new Date() };
  if (!late.signal.aborted) return { ...result, ...finding };
  const words = `Health check exceeded timeout (${plan.timeout / 1000}s)`;
  return { ...result, exitCode: -1, output: finding.output === '' ? words : `${words}: ${finding.output}` };
}

async function slept(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(milliseconds, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
