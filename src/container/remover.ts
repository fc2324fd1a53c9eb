import { HakoError, hasHakoCode } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { removeGroups } from '../cgroup/index.ts';
import type { ActiveKey, StorageDriver } from '../contracts/storage-driver.ts';
import { isAlive, ownIdentity } from '../host/process-identity.ts';
import type { ContainerDirectories } from './container-directories.ts';
import type { HostMounts } from './host-mounts.ts';
import type { ContainerRecord, RecordedState } from './record.ts';
import { goesWithHandle, optionsOf } from './record-options.ts';
import type { ContainerRepository } from './repository.ts';
import type { StateReader } from './state-reader.ts';

type Removing = Extract<RecordedState, { status: 'removing' }>;

/** Logs that wait in a journal to be sent away. */
export interface JournaledLogs {
  has(record: ContainerRecord): boolean;
  /** Delivers what is still there, in bounded time. */
  finish(record: ContainerRecord): Promise<void>;
}

/**
 * Removes containers that do not run. The intent is recorded first, and each step may be done again: a removal that
 * was cut short is finished by the next runtime that opens the root.
 */
export class Remover {
  readonly #repository: ContainerRepository;
  readonly #states: StateReader;
  readonly #storage: StorageDriver;
  readonly #hostMounts: HostMounts;
  readonly #directories: Pick<ContainerDirectories, 'discard' | 'remove'>;
  readonly #logs: JournaledLogs;

  constructor(
    repository: ContainerRepository,
    states: StateReader,
    storage: StorageDriver,
    hostMounts: HostMounts,
    directories: Pick<ContainerDirectories, 'discard' | 'remove'>,
    logs: JournaledLogs,
  ) {
    this.#repository = repository;
    this.#states = states;
    this.#storage = storage;
    this.#hostMounts = hostMounts;
    this.#directories = directories;
    this.#logs = logs;
  }

  /**
   * @param unwritten - the states that the container has come to since its record was written, for the history
   * @throws HakoError `HAKO_ERR_CONTAINER_RUNNING`, `HAKO_ERR_CONTAINER_NOT_FOUND` when others were first
   */
  async remove(record: ContainerRecord, unwritten: () => readonly RecordedState[] = () => []): Promise<void> {
    // One that goes with its handle is removed in no time, and after a crash by whoever comes by: that takes no claim.
    const isBrief = goesWithHandle(record) && !isAtWork(record.state) && !this.#logs.has(record);
    const claim = isBrief ? null : this.#claim(this.#states.current(record.id) ?? record);
    const cgroups = groupsOf((claim ?? record).state);
    try {
      await removeGroups(cgroups);
      if (claim !== null) await this.#logs.finish(record);
      await this.removeFiles(record);
    } catch (error) {
      if (claim !== null) this.#repository.changeState(claim, { status: 'removing', cgroups });
      throw error;
    }
    const passed = claim === null ? [...unwritten(), { status: 'removing' as const, cgroups }] : [];
    if (!this.#repository.delete(record.id, passed)) throw isBeingRemoved(record);
  }

  /** Of several that would remove the same container, one gets to. */
  #claim(known: ContainerRecord): ContainerRecord & { readonly state: Removing } {
    const { id, name } = known;
    for (let record: ContainerRecord | null = known; ; record = this.#repository.find(id)) {
      if (record === null || (record.state.status === 'removing' && !isLeftHalfRemoved(record)))
        throw isBeingRemoved(known);
      if (!this.#isAtRest(record))
        throw new HakoError(
          'CONTAINER_RUNNING',
          `Container '${name}' has just been started. Stop it first, or remove it with force.`,
        );
      const state: Removing = { status: 'removing', by: ownIdentity(), cgroups: groupsOf(record.state) };
      if (this.#repository.changeState(record, state)) return { ...record, state };
    }
  }

  #isAtRest(record: ContainerRecord): boolean {
    // The end of one that claims to run could not be written: the disk was full, and is about to be less so.
    if (record.state.status === 'running') return this.#states.refresh(record).state.status !== 'running';
    return !isAtWork(record.state);
  }

  /** The snapshot and the directory. */
  async removeFiles(record: ContainerRecord): Promise<void> {
    const { id } = record;
    await this.#removeSnapshot(id, optionsOf(record).hostMount);
    if (goesWithHandle(record)) this.#directories.discard(id);
    else await this.#directories.remove(id);
  }

  /** @param isHostMounted - or may be */
  async removeRemains(id: ContainerId, isHostMounted: boolean): Promise<void> {
    await this.#removeSnapshot(id, isHostMounted);
    await this.#directories.remove(id);
  }

  async #removeSnapshot(id: ContainerId, isHostMounted: boolean): Promise<void> {
    const key = id as string as ActiveKey;
    try {
      if (isHostMounted) await this.#hostMounts.unmount(key);
      await this.#storage.remove(key);
    } catch (error) {
      if (!hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_NOT_FOUND')) throw error;
    }
  }
}

/** Whether a removal that was begun is left to whoever comes by. */
export function isLeftHalfRemoved({ state }: Pick<ContainerRecord, 'state'>): boolean {
  return state.status === 'removing' && (state.by === undefined || !isAlive(state.by));
}

function groupsOf(state: RecordedState): Removing['cgroups'] {
  return 'cgroups' in state ? state.cgroups : [];
}

function isAtWork({ status }: ContainerRecord['state']): boolean {
  return status === 'starting' || status === 'running' || status === 'restarting';
}

function isBeingRemoved({ name }: Pick<ContainerRecord, 'name'>): HakoError {
  return new HakoError('CONTAINER_NOT_FOUND', `Container '${name}' is being removed already.`);
}
