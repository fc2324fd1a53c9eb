import { HakoError } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { raceSignal } from '../base/signal.ts';
import type { ExitResult, HistoryEvent } from '../contracts/events.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { FileWatch } from '../log/file-watch.ts';
import { exitOfEvent } from './container-event.ts';
import { exitOf } from './container-state.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerRepository } from './repository.ts';
import type { StateReader } from './state-reader.ts';
import type { Supervision } from './supervision.ts';

/** Docker's: `not-running`: it has ended; `next-exit`: it ends from now on; `removed`. @public */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** What to wait for. @public */
export interface WaitOptions extends OperationOptions {
  /** Default: `not-running`. */
  readonly condition?: WaitCondition;
}

/** Waits for what becomes of containers, whichever process brings it about. */
export class Waiter {
  readonly #repository: ContainerRepository;
  readonly #states: StateReader;
  readonly #supervision: Supervision;
  readonly #watchStore: () => FileWatch;
  readonly #lastEnd: (id: ContainerId) => HistoryEvent | null;

  constructor(
    repository: ContainerRepository,
    states: StateReader,
    supervision: Supervision,
    watchStore: () => FileWatch,
    lastEnd: (id: ContainerId) => HistoryEvent | null,
  ) {
    this.#repository = repository;
    this.#states = states;
    this.#supervision = supervision;
    this.#watchStore = watchStore;
    this.#lastEnd = lastEnd;
  }

  async wait(record: ContainerRecord, { condition = 'not-running', signal }: WaitOptions): Promise<ExitResult> {
    if (condition === 'removed') return this.#removed(record, signal);
    if (condition === 'next-exit') return this.#nextExit(record, signal);
    const supervised = await raceSignal(this.#supervision.find(record), signal);
    if (supervised !== null) return raceSignal(supervised.ended, signal);
    const current = this.#states.refresh(record);
    return current.state.status === 'restarting' ? this.#nextExit(current, signal) : lastExit(current);
  }

  async #nextExit(record: ContainerRecord, signal: AbortSignal | undefined): Promise<ExitResult> {
    const { state } = this.#states.refresh(record);
    const last = endOf(state);
    for await (const current of this.#changes(record.id, signal)) {
      if (current === null || current.state.status === 'removing') {
        const exit = this.#unseen(record.id);
        if (exit !== null && exit.finishedAt.toISOString() !== last) return exit;
        throw new HakoError('CONTAINER_NOT_FOUND', `Container '${record.name}' was removed before it ended again.`);
      }
      const supervised = await raceSignal(this.#supervision.find(current), signal);
      if (supervised !== null) return raceSignal(supervised.ended, signal);
      const { status } = current.state;
      const hasEnded = status === 'exited' || status === 'restarting' || status === 'lost';
      // A restart that was to come and was stopped is an end too.
      const isStopped = state.status === 'restarting' && status === 'exited';
      if (hasEnded && (isStopped || endOf(current.state) !== last)) return lastExit(current);
    }
    throw new HakoError('RUNTIME_CLOSED', 'The runtime was closed.');
  }

  async #removed(record: ContainerRecord, signal: AbortSignal | undefined): Promise<ExitResult> {
    let exit: ExitResult | null = null;
    for await (const current of this.#changes(record.id, signal)) {
      if (current === null) break;
      const supervised = await raceSignal(this.#supervision.find(current), signal);
      if (supervised !== null) exit = await raceSignal(supervised.ended, signal).catch(() => exit);
      else if (current.state.status === 'exited') exit = exitOf(current.state);
    }
    // Docker's answer for one that never ran.
    return exit ?? this.#unseen(record.id) ?? { exitCode: 0, signal: null, oomKilled: false, finishedAt: new Date() };
  }

  /** The end of one that has been removed before anybody here saw that it had ended. */
  #unseen(id: ContainerId): ExitResult | null {
    const event = this.#lastEnd(id);
    return event === null ? null : exitOfEvent(event.attributes);
  }

  /** The record now, and whenever something may have changed; null: there is none any more. */
  async *#changes(id: ContainerId, signal: AbortSignal | undefined): AsyncGenerator<ContainerRecord | null> {
    using watch = this.#watchStore();
    for (;;) {
      const record = this.#repository.find(id);
      yield record === null ? null : this.#states.refresh(record);
      try {
        await raceSignal(watch.wait(), signal);
      } catch (error) {
        watch.notify();
        throw error;
      }
    }
  }
}

/** @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING` when it never ran, `HAKO_ERR_SUPERVISOR_LOST` when nobody knows */
export function lastExit({ name, state }: ContainerRecord): ExitResult {
  if (state.status === 'exited' || state.status === 'restarting') return exitOf(state);
  if (state.status === 'lost')
    throw new HakoError('SUPERVISOR_LOST', `How container '${name}' ended is not known. ${state.reason}`);
  throw new HakoError('CONTAINER_NOT_RUNNING', `Container '${name}' has not run yet. Start it first.`);
}

/** Tells one end from another. */
function endOf(state: ContainerRecord['state']): string | null {
  if (state.status === 'exited' || state.status === 'restarting') return state.finishedAt;
  return state.status === 'lost' ? `lost ${state.startedAt}` : null;
}
