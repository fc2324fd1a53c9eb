import { HakoError, hasHakoCode } from '../base/errors.ts';
import type { Trash } from '../base/trash.ts';
import { removeGroups } from '../cgroup/index.ts';
import type { ActiveKey, StorageDriver } from '../contracts/storage-driver.ts';
import { isAlive, ownIdentity } from '../host/process-identity.ts';
import type { HostMounts } from './host-mounts.ts';
import type { ContainerRecord } from './record.ts';
import { optionsOf } from './record-options.ts';
import type { ContainerRepository } from './repository.ts';
import type { StateReader } from './state-reader.ts';

/**
 * Removes containers that do not run. The intent is recorded first, and each step may be done again: a removal that
 * was cut short is finished by the next runtime that opens the root.
 */
export class Remover {
  readonly #repository: ContainerRepository;
  readonly #states: StateReader;
  readonly #storage: StorageDriver;
  readonly #hostMounts: HostMounts;
  readonly #trash: Trash;
  readonly #finishLog: (record: ContainerRecord) => Promise<void>;

  /** @param finishLog - delivers what the log's journal still has, in bounded time */
  constructor(
    repository: ContainerRepository,
    states: StateReader,
    storage: StorageDriver,
    hostMounts: HostMounts,
    trash: Trash,
    finishLog: (record: ContainerRecord) => Promise<void>,
  ) {
    this.#repository = repository;
    this.#states = states;
    this.#storage = storage;
    this.#hostMounts = hostMounts;
    this.#trash = trash;
    this.#finishLog = finishLog;
  }

  /** @throws HakoError `HAKO_ERR_CONTAINER_RUNNING`, `HAKO_ERR_CONTAINER_NOT_FOUND` when others were first */
  async remove(record: ContainerRecord): Promise<void> {
    const cgroups = 'cgroups' in record.state ? record.state.cgroups : [];
    this.#claim(record, { status: 'removing', by: ownIdentity(), cgroups });
    try {
      await removeGroups(cgroups);
      await this.#finishLog(record);
      await this.removeFiles(record);
    } catch (error) {
      this.#repository.changeState(record.id, 'removing', { status: 'removing', cgroups });
      throw error;
    }
    this.#repository.delete(record.id);
  }

  #claim({ id, name, state }: ContainerRecord, removing: ContainerRecord['state']): void {
    const atWork = state.status === 'starting' || state.status === 'running' || state.status === 'restarting';
    if (!atWork && this.#repository.changeState(id, state.status, removing)) return;
    const current = this.#repository.find(id);
    // Its end could not be written: the disk was full, and is about to be less so.
    if (current?.state.status === 'running' && this.#states.refresh(current).state.status !== 'running')
      if (this.#repository.changeState(id, 'running', removing)) return;
    if (current === null || current.state.status === 'removing')
      throw new HakoError('CONTAINER_NOT_FOUND', `Container '${name}' is being removed already.`);
    throw new HakoError(
      'CONTAINER_RUNNING',
      `Container '${name}' has just been started. Stop it first, or remove it with force.`,
    );
  }

  /** The snapshot and the directory. */
  async removeFiles(record: ContainerRecord): Promise<void> {
    const key = record.id as string as ActiveKey;
    try {
      if (optionsOf(record).hostMount) await this.#hostMounts.unmount(key);
      await this.#storage.remove(key);
    } catch (error) {
      if (!hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_NOT_FOUND')) throw error;
    }
    // The directory holds only what hako wrote: the log, the exit record, files bound into the container.
    this.#trash.take(this.#states.directory(record.id));
  }
}

/** Whether a removal that was begun is left to whoever comes by. */
export function isLeftHalfRemoved({ state }: Pick<ContainerRecord, 'state'>): boolean {
  return state.status === 'removing' && (state.by === undefined || !isAlive(state.by));
}
