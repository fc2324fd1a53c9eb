import { constants } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Disposer } from '../../base/dispose.ts';
import { HakoError } from '../../base/errors.ts';
import type { ContainerId } from '../../base/ids.ts';
import { raceSignal } from '../../base/signal.ts';
import type { NativeBinding } from '../../contracts/native-binding.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import { presentRecord } from '../present-record.ts';
import type { ContainerRecord } from '../record.ts';
import type { ContainerRepository } from '../repository.ts';
import { pauseForStart } from '../start-pause.ts';
import type { StateReader } from '../state-reader.ts';

/** A container whose files can be worked on, until this is disposed of. */
export interface Settled extends AsyncDisposable {
  readonly record: ContainerRecord;
  /** Its directory, under a lock that keeps supervisors away from it; null: it runs. */
  readonly rest: number | null;
}

/** In a container's directory: who holds it mounts its root to write in it. */
const writerLock = 'writer.lock';

/** How often a lock is asked for, and how long by those who only read, in milliseconds. */
const betweenLooks = 10;
const readersPatience = 10_000;

/**
 * Keeps containers at rest while their files are worked on. The lock is a shared flock(2) of the directory that a
 * supervisor takes for itself: starts pay nothing for it, wait for those who hold it, and whatever a killed process
 * held is free.
 */
export class RestLocks {
  readonly #repository: ContainerRepository;
  readonly #states: StateReader;
  readonly #native: Pick<NativeBinding, 'open' | 'close' | 'lock'>;

  constructor(
    repository: ContainerRepository,
    states: StateReader,
    native: Pick<NativeBinding, 'open' | 'close' | 'lock'>,
  ) {
    this.#repository = repository;
    this.#states = states;
    this.#native = native;
  }

  /**
   * Waits until the container runs or is at rest, and keeps one that is at rest there.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_FOUND`; `HAKO_ERR_CONTAINER_RUNNING` for one that waits in a pool
   */
  async settle(id: ContainerId, { signal }: OperationOptions): Promise<Settled> {
    for (;;) {
      signal?.throwIfAborted();
      await using opened = new Disposer();
      const rest = await this.#keepAtRest(id, opened);
      // Only now, what is true of it stays true.
      const record = this.#states.refresh(presentRecord(this.#repository, id));
      const { state } = record;
      if (state.status === 'starting' && state.waiting === true)
        throw new HakoError('CONTAINER_RUNNING', `Container '${record.name}' is kept ready by a pool. Close the pool.`);
      // Whoever starts it comes first; its supervisor may also still clear up.
      const isSettled = rest === null ? state.status === 'running' : state.status !== 'starting';
      if (isSettled) {
        const held = opened.move();
        return { record, rest, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
      }
      await opened[Symbol.asyncDispose]();
      await pauseForStart(signal);
    }
  }

  /**
   * Of those who mount the root of a container at rest to write in it, lets one do so at a time.
   *
   * @param patiently - as long as it takes: for those who are to write in it; not for those who only read, whom a writer
   * may be waiting for in its turn
   * @throws HakoError `HAKO_ERR_CONTAINER_BUSY`
   */
  async write(record: ContainerRecord, patiently: boolean, { signal }: OperationOptions): Promise<AsyncDisposable> {
    await using opened = new Disposer();
    const fd = this.#open(
      join(this.#states.directory(record.id), writerLock),
      constants.O_RDWR | constants.O_CREAT,
      opened,
    );
    for (let waited = 0; !(await this.#native.lock(fd, false)); waited += betweenLooks) {
      if (!patiently && waited >= readersPatience)
        throw new HakoError(
          'CONTAINER_BUSY',
          `Files are being copied into container '${record.name}', which has not been started yet. Read it afterwards.`,
        );
      await raceSignal(sleep(betweenLooks), signal);
    }
    return opened.move();
  }

  async #keepAtRest(id: ContainerId, opened: Disposer): Promise<number | null> {
    let fd: number;
    try {
      fd = this.#open(this.#states.directory(id), constants.O_RDONLY | constants.O_DIRECTORY, opened);
    } catch (error) {
      presentRecord(this.#repository, id);
      throw error;
    }
    return (await this.#native.lock(fd, false, 'shared')) ? fd : null;
  }

  #open(path: string, flags: number, opened: Disposer): number {
    const fd = this.#native.open(path, flags | constants.O_NOFOLLOW);
    opened.defer(() => this.#native.close(fd));
    return fd;
  }
}
