import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../base/errno.ts';
import { hasHakoCode } from '../../base/errors.ts';
import { freezeGroups, thawGroups } from '../../cgroup/index.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import { isMakerAlive, makerPrefix } from '../../host/process-identity.ts';
import { type ControlGroups, groupsOf } from '../control-groups.ts';
import { isPaused } from '../pausing.ts';
import type { ContainerRecord } from '../record.ts';
import type { ContainerRepository } from '../repository.ts';
import type { StateReader } from '../state-reader.ts';

const markName = 'hold';

/** Holds containers while something is done to their files. One whose holder has died is let go by whoever opens the root next. */
export class Holder {
  readonly #repository: ContainerRepository;
  readonly #states: StateReader;
  readonly #groups: ControlGroups;

  constructor(repository: ContainerRepository, states: StateReader, groups: ControlGroups) {
    this.#repository = repository;
    this.#states = states;
    this.#groups = groups;
  }

  /** @param must - fail where the host cannot hold containers; else the work is done all the same */
  async whilePaused<T>(
    claimed: ContainerRecord,
    must: boolean,
    options: OperationOptions,
    work: () => Promise<T>,
  ): Promise<T> {
    const record = this.#states.refresh(claimed);
    // Whoever has paused it wants to find it so.
    if (record.state.status !== 'running' || isPaused(record)) return work();
    const mark = join(this.#states.directory(record.id), `${makerPrefix()}${markName}`);
    writeFileSync(mark, '');
    try {
      await this.#freeze(record, must, options);
      return await work();
    } finally {
      await this.#thaw(record);
      rmSync(mark, { force: true });
    }
  }

  /** Lets go of a container that a process which is no more has held. */
  async release(record: ContainerRecord): Promise<void> {
    const directory = this.#states.directory(record.id);
    for (const name of names(directory)) {
      if (!name.endsWith(`.${markName}`) || isMakerAlive(name)) continue;
      await this.#thaw(record);
      rmSync(join(directory, name), { force: true });
    }
  }

  async #freeze(record: ContainerRecord, must: boolean, options: OperationOptions): Promise<void> {
    try {
      await freezeGroups(await this.#groups.under(record, 'freezer'), options);
    } catch (error) {
      // What has just ended holds still.
      const ended = hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_RUNNING');
      if (!ended && (must || !hasHakoCode(error, 'HAKO_ERR_HOST_UNSUPPORTED'))) throw error;
    }
  }

  /** Groups that it got for this are in its record by now. */
  async #thaw({ id }: ContainerRecord): Promise<void> {
    const record = this.#repository.find(id);
    if (record === null || !isPaused(record)) return;
    try {
      await thawGroups(groupsOf(record));
    } catch (error) {
      if (!hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_RUNNING')) throw error;
    }
  }
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
