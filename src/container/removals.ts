import { HakoError, hasHakoCode } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { signalNumber } from '../base/signal-number.ts';
import type { RemoveOptions } from './container.ts';
import type { Halter } from './keeping/halter.ts';
import { isPaused } from './pausing.ts';
import { presentRecord } from './present-record.ts';
import type { ContainerRecord } from './record.ts';
import { isLeftHalfRemoved, type Remover } from './remover.ts';
import type { ContainerRepository } from './repository.ts';
import { pauseForStart } from './start-pause.ts';
import type { StateReader } from './state-reader.ts';
import type { Supervision } from './supervision.ts';
import type { UnwrittenRuns } from './unwritten-runs.ts';

export interface RemovalsParts {
  readonly repository: ContainerRepository;
  readonly states: StateReader;
  readonly supervision: Supervision;
  readonly unwritten: UnwrittenRuns;
  readonly halter: Halter;
  readonly remover: Remover;
  removed(record: ContainerRecord): void;
}

/** Removes containers that may run, or be about to. */
export class Removals {
  readonly #parts: RemovalsParts;

  constructor(parts: RemovalsParts) {
    this.#parts = parts;
  }

  /** @throws HakoError `HAKO_ERR_CONTAINER_RUNNING` unless `force`, `HAKO_ERR_CONTAINER_NOT_FOUND` */
  async remove(id: ContainerId, options: RemoveOptions): Promise<void> {
    const { supervision, unwritten, remover, removed } = this.#parts;
    for (;;) {
      options.signal?.throwIfAborted();
      const record = unwritten.endOf(id)?.record ?? (await this.#ended(id, options));
      try {
        // Its supervisor removes the control groups by itself, after it has told of the end: nothing is left when both are done.
        const unseen = () => unwritten.endOf(id)?.states ?? [];
        await Promise.all([remover.remove(record, unseen), supervision.departed(id)]);
        unwritten.forget(id);
        return removed(record);
      } catch (error) {
        // Another process has started it anew.
        if (options.force !== true || !hasHakoCode(error, 'HAKO_ERR_CONTAINER_RUNNING')) throw error;
      }
    }
  }

  /** The record, once the container runs no more; with `force`, it is seen to. */
  async #ended(id: ContainerId, options: RemoveOptions): Promise<ContainerRecord> {
    const { repository, states, supervision, halter } = this.#parts;
    const settled = await this.#settled(id, options);
    const record = options.force === true ? await halter.halt(settled, options.signal) : settled;
    if (record.state.status === 'restarting') throw isRunning(record, 'to be restarted');
    const supervised = await supervision.find(record);
    if (supervised !== null) {
      if (options.force !== true) throw isRunning(record, isPaused(record) ? 'paused' : 'running');
      (await supervision.control(supervised)).signal(signalNumber('SIGKILL'));
      // A supervisor that was lost has taken the container along, and its groups are removed with it.
      await supervised.ended.catch(noResult);
    }
    return states.refresh(repository.find(id) ?? record);
  }

  /** The record, once nobody is starting the container any more. */
  async #settled(id: ContainerId, { force, signal }: RemoveOptions): Promise<ContainerRecord> {
    const { repository, states } = this.#parts;
    for (;;) {
      const begun = repository.find(id);
      // A removal that failed is taken up where it ended.
      if (begun !== null && isLeftHalfRemoved(begun)) return begun;
      const record = states.refresh(presentRecord(repository, id));
      if (record.state.status !== 'starting') return record;
      if (record.state.waiting === true)
        throw new HakoError('CONTAINER_RUNNING', `Container '${record.name}' is kept ready by a pool. Close the pool.`);
      if (force !== true) throw isRunning(record, 'being started');
      await pauseForStart(signal);
    }
  }

  /** Also while the runtime closes. */
  async removeIfPresent(id: ContainerId): Promise<void> {
    try {
      await this.remove(id, { force: true });
    } catch (error) {
      if (!hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_FOUND')) throw error;
    }
  }
}

function noResult(): void {}

function isRunning({ name }: ContainerRecord, how: string): HakoError {
  return new HakoError('CONTAINER_RUNNING', `Container '${name}' is ${how}. Stop it first, or remove it with force.`);
}
