import { HakoError, hasHakoCode } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { Trash } from '../base/trash.ts';
import { removeGroups } from '../cgroup/index.ts';
import type { ActiveKey, StorageDriver } from '../contracts/storage-driver.ts';
import { isAlive, ownIdentity } from '../host/process-identity.ts';
import type { HostMounts } from './host-mounts.ts';
import type { ContainerRecord, RecordedState } from './record.ts';
import { optionsOf } from './record-options.ts';
import type { ContainerRepository } from './repository.ts';
import type { StateReader } from './state-reader.ts';

type Removing = Extract<RecordedState, { status: 'removing' }>;

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
    const claim = this.#claim(record);
    const { cgroups } = claim.state;
    try {
      await removeGroups(cgroups);
      await this.#finishLog(record);
      await this.removeFiles(record);
    } catch (error) {
      this.#repository.changeState(claim, { status: 'removing', cgroups });
      throw error;
    }
    this.#repository.delete(record.id);
  }

  /** Of several that would remove the same container, one gets to. */
  #claim(known: ContainerRecord): ContainerRecord & { readonly state: Removing } {
    const { id, name } = known;
    for (let record: ContainerRecord | null = known; ; record = this.#repository.find(id)) {
      if (record === null || (record.state.status === 'removing' && !isLeftHalfRemoved(record)))
        throw new HakoError('CONTAINER_NOT_FOUND', `Container '${name}' is being removed already.`);
      if (!this.#isAtRest(record))
        throw new HakoError(
          'CONTAINER_RUNNING',
          `Container '${name}' has just been started. Stop it first, or remove it with force.`,
        );
      const cgroups = 'cgroups' in record.state ? record.state.cgroups : [];
      const state: Removing = { status: 'removing', by: ownIdentity(), cgroups };
      if (this.#repository.changeState(record, state)) return { ...record, state };
    }
  }

  #isAtRest(record: ContainerRecord): boolean {
    const { status } = record.state;
    // The end of one that claims to run could not be written: the disk was full, and is about to be less so.
    if (status === 'running') return this.#states.refresh(record).state.status !== 'running';
    return status !== 'starting' && status !== 'restarting';
  }

  /** The snapshot and the directory. */
  async removeFiles(record: ContainerRecord): Promise<void> {
    await this.removeRemains(record.id, optionsOf(record).hostMount);
  }

  /** @param isHostMounted - or may be */
  async removeRemains(id: ContainerId, isHostMounted: boolean): Promise<void> {
    const key = id as string as ActiveKey;
    try {
      if (isHostMounted) await this.#hostMounts.unmount(key);
      await this.#storage.remove(key);
    } catch (error) {
      if (!hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_NOT_FOUND')) throw error;
    }
    // The directory holds only what hako wrote: the log, the exit record, files bound into the container.
    this.#trash.take(this.#states.directory(id));
  }
}

/** Whether a removal that was begun is left to whoever comes by. */
export function isLeftHalfRemoved({ state }: Pick<ContainerRecord, 'state'>): boolean {
  return state.status === 'removing' && (state.by === undefined || !isAlive(state.by));
}
