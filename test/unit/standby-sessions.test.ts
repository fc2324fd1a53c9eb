import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { StandbySessions } from '../../src/container/execs/standby-sessions.ts';
import type { Supervised } from '../../src/container/supervision.ts';
import type { SupervisorSession } from '../../src/native/supervisor-session.ts';

class FakeSession {
  readonly end = Promise.withResolvers<void>();
  readonly closed = this.end.promise;
  readonly ref = vi.fn();
  readonly unref = vi.fn();
  readonly close = vi.fn(async () => this.end.resolve());
}

const container = () => {
  const end = Promise.withResolvers<unknown>();
  return { supervised: { ended: end.promise } as unknown as Supervised, end: () => end.resolve(undefined) };
};

let sessions: FakeSession[];
let standby: StandbySessions;
beforeEach(() => {
  vi.useFakeTimers();
  sessions = [];
  standby = new StandbySessions(async () => {
    const session = new FakeSession();
    sessions.push(session);
    return session as unknown as SupervisorSession;
  });
});
afterEach(() => vi.useRealTimers());

it('has one ready a moment after it was expected, once, and keeps node alive by none that waits', async () => {
  const { supervised } = container();
  standby.expect(supervised);
  standby.expect(supervised);
  expect(standby.take(supervised)).toBeNull();
  standby.expect(supervised);
  await vi.advanceTimersByTimeAsync(2);
  expect(sessions).toHaveLength(1);
  expect(sessions[0]?.unref).toHaveBeenCalledOnce();
  expect(standby.take(supervised)).toBe(sessions[0]);
  expect(sessions[0]?.ref).toHaveBeenCalledOnce();
  expect(standby.take(supervised)).toBeNull();
});

it('closes it with the container, when nobody comes, and when it is closed', async () => {
  const [ended, unwanted, left] = [container(), container(), container()];
  for (const { supervised } of [ended, unwanted]) standby.expect(supervised);
  await vi.advanceTimersByTimeAsync(2);
  ended.end();
  await vi.advanceTimersByTimeAsync(0);
  expect(sessions.map(({ close }) => close.mock.calls.length)).toEqual([1, 0]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sessions.map(({ close }) => close.mock.calls.length)).toEqual([1, 1]);
  standby.expect(left.supervised);
  await vi.advanceTimersByTimeAsync(2);
  standby[Symbol.dispose]();
  expect(sessions.map(({ close }) => close.mock.calls.length)).toEqual([1, 1, 1]);
  standby.expect(left.supervised);
  await vi.advanceTimersByTimeAsync(2);
  expect(sessions).toHaveLength(3);
});

it('forgets one that the supervisor has ended', async () => {
  const { supervised } = container();
  standby.expect(supervised);
  await vi.advanceTimersByTimeAsync(2);
  sessions[0]?.end.resolve();
  await vi.advanceTimersByTimeAsync(0);
  expect(standby.take(supervised)).toBeNull();
});
