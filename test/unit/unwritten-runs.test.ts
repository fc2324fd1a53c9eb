import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { newContainerId } from '../../src/base/ids.ts';
import type { ContainerRecord, RecordedState } from '../../src/container/record.ts';
import { UnwrittenRuns } from '../../src/container/unwritten-runs.ts';
import { ownIdentity } from '../../src/host/process-identity.ts';

const id = newContainerId();
const starting: RecordedState = { status: 'starting', by: ownIdentity(), cgroups: [] };
const run = (pid: number): Extract<RecordedState, { status: 'running' }> => ({
  status: 'running',
  startedAt: '2026-01-01T00:00:00.000Z',
  pid,
  supervisor: { ...ownIdentity(), pid },
  cgroups: [],
});
const end: RecordedState = {
  status: 'exited',
  startedAt: '2026-01-01T00:00:00.000Z',
  finishedAt: '2026-01-01T00:00:01.000Z',
  exitCode: 3,
  signal: 0,
  oomKilled: false,
};
const record = (state: RecordedState) => ({ id, state }) as ContainerRecord;

let written: RecordedState | null;
let runs: UnwrittenRuns;
beforeEach(() => {
  vi.useFakeTimers();
  written = starting;
  runs = new UnwrittenRuns({ find: () => (written === null ? null : record(written)) });
});
afterEach(() => vi.useRealTimers());

it('writes down what runs for a while, and what ends before not, but its end when it is not removed soon', () => {
  const write = vi.fn();
  runs.started(record(run(7)), write);
  vi.advanceTimersByTime(4);
  expect(write).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(write).toHaveBeenCalledOnce();

  const [never, writeEnd] = [vi.fn(), vi.fn()];
  runs.started(record(run(8)), never);
  runs.ended(record(run(8)), end, writeEnd);
  vi.advanceTimersByTime(4);
  expect(writeEnd).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(writeEnd).toHaveBeenCalledOnce();

  runs.started(record(run(9)), never);
  runs.ended(record(run(9)), end, never);
  runs.forget(id);
  vi.advanceTimersByTime(1000);
  expect(never).not.toHaveBeenCalled();
});

it('tells those who look what has become of a start that this process has begun', () => {
  runs.started(record(run(7)), () => {});
  expect(runs.stateAfter(id, starting)).toEqual(run(7));
  expect(runs.stateAfter(id, run(7))).toBeNull();
  expect(runs.stateAfter(id, { status: 'starting', by: { ...ownIdentity(), pid: 1 }, cgroups: [] })).toBeNull();
  runs.ended(record(run(7)), end, () => {});
  expect(runs.stateAfter(id, starting)).toEqual(end);
  expect(runs.stateAfter(id, run(7))).toEqual(end);
  // Another process has started it anew.
  expect(runs.stateAfter(id, run(8))).toBeNull();
});

it('knows which states of an end are still to be written', () => {
  expect(runs.endOf(id)).toBeNull();
  runs.started(record(run(7)), () => {});
  expect(runs.endOf(id)).toBeNull();
  runs.ended(record(run(7)), end, () => {});
  expect(runs.endOf(id)).toEqual({ record: record(end), states: [run(7), end] });
  written = run(7);
  expect(runs.endOf(id)).toEqual({ record: record(end), states: [end] });
  written = end;
  expect(runs.endOf(id)).toBeNull();
  written = null;
  expect(runs.endOf(id)).toBeNull();
  written = run(7);
  runs.forget(id);
  expect(runs.endOf(id)).toBeNull();
});
