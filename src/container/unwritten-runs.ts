import type { ContainerId } from '../base/ids.ts';
import { isOwn } from '../host/process-identity.ts';
import { type ContainerRecord, isSameRun, type RecordedState } from './record.ts';
import type { ContainerRepository } from './repository.ts';

/** Milliseconds that a program has to run, or to have ended, before that is written down. */
const writeAfter = 5;

interface UnwrittenRun {
  readonly running: RecordedState;
  /** Until it is written that the program runs, or has ended. */
  readonly timer: NodeJS.Timeout;
  readonly end?: RecordedState;
}

export interface UnwrittenEnd {
  readonly record: ContainerRecord;
  /** Those that are not written, in order. */
  readonly states: readonly RecordedState[];
}

/**
 * What is not written down yet of ephemeral containers that run in this process: that the program runs, and how it has
 * ended, each in its first moments. Mostly the container is removed before anybody could read that. Who looks in this
 * process is told, and it is written then; another process finds what a crash would leave: a start that is under way,
 * an end in the supervisor's exit record.
 */
export class UnwrittenRuns {
  readonly #repository: Pick<ContainerRepository, 'find'>;
  readonly #runs = new Map<ContainerId, UnwrittenRun>();

  constructor(repository: Pick<ContainerRepository, 'find'>) {
    this.#repository = repository;
  }

  /** @param write - writes it down, when the program has run for a little while */
  started({ id, state }: ContainerRecord, write: () => void): void {
    this.#runs.set(id, { running: state, timer: setTimeout(write, writeAfter) });
  }

  /**
   * @param record - of the run
   * @param write - writes it down, when the container is still there after a little while
   */
  ended({ id, state }: ContainerRecord, end: RecordedState, write: () => void): void {
    clearTimeout(this.#runs.get(id)?.timer);
    this.#runs.set(id, { running: state, end, timer: setTimeout(write, writeAfter) });
  }

  /** The state that a container has come to since that of its record was written; null: none. */
  stateAfter(id: ContainerId, written: RecordedState): RecordedState | null {
    const run = this.#runs.get(id);
    if (run === undefined) return null;
    if (written.status === 'starting') return isOwn(written.by) ? (run.end ?? run.running) : null;
    return written.status === 'running' && isSameRun(written, run.running) ? (run.end ?? null) : null;
  }

  /** The record of a container that has ended, with that end; null: it has not, or its end is written. */
  endOf(id: ContainerId): UnwrittenEnd | null {
    const run = this.#runs.get(id);
    const record = run?.end === undefined ? null : this.#repository.find(id);
    if (run === undefined || record === null) return null;
    const state = this.stateAfter(id, record.state);
    if (state === null) return null;
    return {
      record: { ...record, state },
      states: record.state.status === 'starting' ? [run.running, state] : [state],
    };
  }

  /** It is removed, or started anew. */
  forget(id: ContainerId): void {
    clearTimeout(this.#runs.get(id)?.timer);
    this.#runs.delete(id);
  }
}
