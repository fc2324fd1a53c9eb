import { expect, it } from 'vitest';
import { afterCheck, newHealth } from '../../src/container/health/health.ts';
import { healthPlan } from '../../src/container/health/plan.ts';
import { parseContainerOptions } from '../../src/container/options.ts';
import { mayRestart, nextDelay } from '../../src/container/restart/policy.ts';

const policyOf = (restart: unknown) => parseContainerOptions({ restart }).restart;

it("reads policies in Docker's words and as objects", () => {
  expect(policyOf('on-failure:5')).toEqual({ policy: 'on-failure', maxRetries: 5, onUnhealthy: false });
  expect(policyOf({ policy: 'always', onUnhealthy: true })).toEqual({
    policy: 'always',
    maxRetries: 0,
    onUnhealthy: true,
  });
  expect(policyOf(undefined)).toEqual({ policy: 'no', maxRetries: 0, onUnhealthy: false });
});

it('decides as Docker does', () => {
  const decisions = (restart: string, restarts = 0) =>
    [true, false].map((failed) => mayRestart(policyOf(restart), { failed, restarts }));
  expect(decisions('no')).toEqual([false, false]);
  expect(decisions('always')).toEqual([true, true]);
  expect(decisions('unless-stopped', 1_000)).toEqual([true, true]);
  expect(decisions('on-failure', 1_000)).toEqual([true, false]);
  expect(decisions('on-failure:3', 2)).toEqual([true, false]);
  expect(decisions('on-failure:3', 3)).toEqual([false, false]);
});

it('waits twice as long each time, at most a minute, and from the beginning after a run of ten seconds', () => {
  const waits: number[] = [];
  for (let last = 0; waits.length < 12; waits.push(last)) last = nextDelay(last, 9_999);
  expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  expect(nextDelay(60_000, 10_000)).toBe(100);
});

it('judges health as Docker does', () => {
  const at = { startedAt: new Date(0), finishedAt: new Date(1), output: '' };
  const checks = (codes: readonly number[], from = newHealth, inStartPeriod = false) =>
    codes.reduce((health, exitCode) => afterCheck(health, { ...at, exitCode }, { retries: 3, inStartPeriod }), from);
  expect(checks([1, 1])).toMatchObject({ status: 'starting', failingStreak: 2 });
  expect(checks([1, 1, 1])).toMatchObject({ status: 'unhealthy', failingStreak: 3 });
  expect(checks([1, 1, 1, 0])).toMatchObject({ status: 'healthy', failingStreak: 0 });
  expect(checks([0, 1, 1])).toMatchObject({ status: 'healthy', failingStreak: 2 });
  expect(checks([1, 1, 1, 1], newHealth, true)).toMatchObject({ status: 'starting', failingStreak: 0 });
  // What has been healthy once is judged in the start period too.
  expect(checks([0, 1, 1, 1], newHealth, true)).toMatchObject({ status: 'unhealthy', failingStreak: 3 });
  expect(checks([1, 2, 3, 4, 5, 6]).log.map(({ exitCode }) => exitCode)).toEqual([2, 3, 4, 5, 6]);
});

it("lays options over the image's HEALTHCHECK, and bounds what an image may ask for", () => {
  const plan = (healthcheck: unknown, image?: object) =>
    healthPlan(
      parseContainerOptions({ healthcheck }).healthcheck,
      image === undefined ? {} : ({ healthcheck: image } as never),
    );
  expect(plan(undefined)).toBeNull();
  expect(plan({ interval: 5 })).toBeNull();
  expect(plan({ test: ['NONE'] }, { test: ['CMD', 'true'] })).toBeNull();
  expect(plan(undefined, { test: ['CURL', 'x'] })).toBeNull();
  expect(plan({ test: 'true' })).toEqual({
    probe: { kind: 'exec', command: ['/bin/sh', '-c', 'true'] },
    interval: 30_000,
    timeout: 30_000,
    startPeriod: 0,
    startInterval: 5_000,
    retries: 3,
  });
  expect(plan({ interval: '1m30s', retries: 0 }, { test: ['CMD', 'a', 'b'], timeout: 2e9, retries: 7 })).toMatchObject({
    probe: { kind: 'exec', command: ['a', 'b'] },
    interval: 90_000,
    timeout: 2_000,
    retries: 7,
  });
  expect(plan(undefined, { test: ['CMD', 'a'], interval: 1, timeout: 2 ** 53 - 1 })).toMatchObject({
    interval: 100,
    timeout: 2 ** 31 - 1,
  });
});
