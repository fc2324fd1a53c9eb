import { join } from 'node:path';
import { hasHakoCode } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { ExitResult } from '../contracts/events.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import { isAlive, isOwn } from '../host/process-identity.ts';
import { isExitRecordDamaged, readExitRecord } from './exit-record.ts';
import type { Life } from './keeping/life.ts';
import { type ContainerRecord, isSameRun, type RecordedState } from './record.ts';
import { goesWithHandle } from './record-options.ts';
import type { ContainerRepository } from './repository.ts';
import type { UnwrittenRuns } from './unwritten-runs.ts';

/**
 * Turns what a record claims into what is true: `running` holds while its supervisor has its hand on the container's
 * directory and has written no exit record; when it has gone without one, the container is `lost`.
 */
export class StateReader {
  readonly #repository: ContainerRepository;
  readonly #containers: string;
  readonly #native: Pick<NativeBinding, 'isLocked'>;
  readonly #unwritten: UnwrittenRuns;

  constructor(
    repository: ContainerRepository,
    containers: string,
    native: Pick<NativeBinding, 'isLocked'>,
    unwritten: UnwrittenRuns,
  ) {
    this.#repository = repository;
    this.#containers = containers;
    this.#native = native;
    this.#unwritten = unwritten;
  }

  directory(id: ContainerId): string {
    return join(this.#containers, id);
  }

  /** The record as it is now, with its true state; null: there is none any more. */
  current(id: ContainerId): ContainerRecord | null {
    const record = this.#repository.find(id);
    return record === null ? null : this.refresh(record);
  }

  /** The record with its true state, which is written back where it differs from the claim. */
  refresh(record: ContainerRecord): ContainerRecord {
    const { id } = record;
    const state = this.#trueState(id, record.state);
    if (state === record.state) return record;
    try {
      this.#writeEnd(id);
      // Of the claim as it is now: since this one was read, it may have been stopped, or run anew.
      const revised = this.#repository.reviseState(id, (current) => {
        const truth = this.#trueState(id, current);
        return truth === current ? null : truth;
      });
      return revised ?? this.#repository.find(id) ?? record;
    } catch (error) {
      // It is true all the same, and written by the next one who looks.
      if (hasHakoCode(error, 'HAKO_ERR_STATE_UNAVAILABLE')) return { ...record, state };
      throw error;
    }
  }

  /**
   * Records the end of a run that this process has started or found, unless that is done, or another one has begun.
   *
   * @param record - of the run
   */
  recordEnd(record: ContainerRecord, exit: ExitResult): void {
    const { state } = record;
    const isNobodyElses = isOwn(record.createdBy) && goesWithHandle(record);
    if (isNobodyElses && state.status === 'running' && state.life === undefined) {
      this.#unwritten.ended(record, exitedState(state.startedAt, exit, undefined), () =>
        this.#tryToWriteEnd(record.id),
      );
      return;
    }
    try {
      for (;;) {
        const current = this.#repository.find(record.id);
        if (current?.state.status !== 'running' || !isSameRun(current.state, record.state)) return;
        const { startedAt, life } = current.state;
        if (this.#repository.changeState(current, exitedState(startedAt, exit, life))) return;
      }
    } catch (error) {
      // The supervisor has written it down as well.
      if (!hasHakoCode(error, 'HAKO_ERR_STATE_UNAVAILABLE')) throw error;
    }
  }

  /** Each state that it has come to, for the history. */
  #writeEnd(id: ContainerId): void {
    for (const state of this.#unwritten.endOf(id)?.states ?? []) {
      const written = this.#repository.find(id);
      if (written === null || !this.#repository.changeState(written, state)) return;
    }
  }

  #tryToWriteEnd(id: ContainerId): void {
    try {
      this.#writeEnd(id);
    } catch {
      // It is known here, and to others by the exit record: whoever looks next writes it.
    }
  }

  #trueState(id: ContainerId, state: RecordedState): RecordedState {
    return this.#unwritten.stateAfter(id, state) ?? this.#lookedAt(id, state);
  }

  #lookedAt(id: ContainerId, state: RecordedState): RecordedState {
    switch (state.status) {
      case 'running':
        return this.#stateOf(id, state);
      case 'starting':
        // Whoever starts it tells what becomes of it; until then the exit record is the last run's.
        return isAlive(state.by) ? state : this.#stateOf(id, state);
      case 'restarting': {
        const { keeper } = state.life;
        return keeper !== null && isAlive(keeper) ? state : notRestarting(state);
      }
      default:
        return state;
    }
  }

  /** The record is read after the supervisor was looked for: one that has gone wrote it before it went. */
  #stateOf(id: ContainerId, claim: Extract<RecordedState, { status: 'running' | 'starting' }>): RecordedState {
    const supervised = this.#native.isLocked(this.directory(id));
    const startedAt = claim.status === 'running' ? claim.startedAt : null;
    const exit = readExitRecord(this.directory(id));
    if (exit !== null) return exitedState(startedAt, exit, claim.life);
    if (supervised) return claim;
    const reason = this.#reasonOfLoss(id, startedAt);
    return { status: 'lost', startedAt, reason, cgroups: claim.cgroups, ...carried(claim.life) };
  }

  #reasonOfLoss(id: ContainerId, startedAt: string | null): string {
    if (isExitRecordDamaged(this.directory(id)))
      return `The record of how it ended (${this.directory(id)}/exit.json) is damaged. Look at its disk.`;
    return startedAt === null
      ? 'The process that was starting it ended before it ran.'
      : 'Nothing recorded how it ended: the machine was restarted, or its supervisor was killed.';
  }
}

function exitedState(startedAt: string | null, exit: ExitResult, life: Life | undefined): RecordedState {
  return {
    status: 'exited',
    startedAt,
    exitCode: exit.exitCode,
    signal: exit.signal ?? 0,
    oomKilled: exit.oomKilled,
    finishedAt: exit.finishedAt.toISOString(),
    ...carried(life),
  };
}

/** The end that a container was to be restarted after. */
export function notRestarting({
  restartAt: _,
  ...end
}: Extract<RecordedState, { status: 'restarting' }>): Extract<RecordedState, { status: 'exited' }> {
  return { ...end, status: 'exited' };
}

function carried(life: Life | undefined): { life?: Life } {
  return life === undefined ? {} : { life };
}
