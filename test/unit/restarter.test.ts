import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Gate } from '../../src/base/gate.ts';
import { newContainerId } from '../../src/base/ids.ts';
import type { ContainerLauncher } from '../../src/container/container-launcher.ts';
import { Restarter } from '../../src/container/keeping/restarter.ts';
import type { ContainerRecord, RecordedState } from '../../src/container/record.ts';
import type { ContainerRepository } from '../../src/container/repository.ts';
import type { StateReader } from '../../src/container/state-reader.ts';
import { ownIdentity } from '../../src/host/process-identity.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('tries a restart again that could neither be made nor given up, on a disk that is full', async () => {
  const life = { restarts: 0, delay: 0, keeper: ownIdentity(), stopped: null };
  const end = { exitCode: 1, signal: 0, oomKilled: false, finishedAt: new Date().toISOString() };
  const record = {
    ...{ id: newContainerId(), name: 'again', options: { restart: 'always' } },
    state: { status: 'exited', startedAt: end.finishedAt, ...end, life } as RecordedState,
  } as unknown as ContainerRecord;
  let [found, isFull] = [record, false];
  const repository = {
    find: () => found,
    reviseState: (_: unknown, change: (state: RecordedState) => RecordedState | null) => {
      if (isFull) throw new Error('the disk is full');
      const state = change(found.state);
      if (state !== null) found = { ...found, state };
      return state === null ? null : found;
    },
  } as unknown as ContainerRepository;
  const start = vi.fn(() => (isFull ? Promise.reject(new Error('the disk is full')) : Promise.resolve()));
  const launcher = { start } as unknown as ContainerLauncher;
  const states = { refresh: () => found } as unknown as StateReader;
  const warn = vi.fn();
  const gate = new Gate(() => new Error('closed'));
  const restarter = new Restarter({ repository, states, launcher, gate, warn });

  restarter.ended(record.id);
  expect(found.state.status).toBe('restarting');
  isFull = true;
  await vi.advanceTimersByTimeAsync(1000);
  expect(start).toHaveBeenCalledOnce();
  expect(warn).toHaveBeenCalledOnce();
  isFull = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(start).toHaveBeenCalledTimes(2);
  expect(warn).toHaveBeenCalledOnce();
});
