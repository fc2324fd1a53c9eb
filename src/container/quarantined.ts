import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import type { Gate } from '../base/gate.ts';
import { type ContainerId, isContainerId } from '../base/ids.ts';
import { raceSignal } from '../base/signal.ts';
import { signalNumber } from '../base/signal-number.ts';
import { type CgroupGroup, removeGroups } from '../cgroup/index.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import { given } from './call-options.ts';
import type { RemoveOptions } from './container.ts';
import type { SupervisorLauncher } from './launcher.ts';
import { stateSchema } from './record.ts';
import type { Remover } from './remover.ts';
import type { ContainerRepository } from './repository.ts';
import type { StateReader } from './state-reader.ts';

/** The records of containers that could not be read and were put aside. */
export interface QuarantinedRecords {
  /** The row that was put aside, as it was; null: there is none with that id. */
  find(id: string): unknown;
  /** Every one with that id. */
  forget(id: string): void;
}

export interface QuarantinedContainersParts {
  readonly records: QuarantinedRecords;
  readonly repository: ContainerRepository;
  readonly states: StateReader;
  readonly remover: Remover;
  readonly launcher: SupervisorLauncher;
  readonly native: Pick<NativeBinding, 'isLocked'>;
  /** Of the runtime. */
  readonly gate: Gate;
}

/** Milliseconds. */
const betweenLooks = 10;

const rowSchema = z.object({ state: z.string() });

/** Removes what is left of containers whose records cannot be read. */
export class QuarantinedContainers {
  readonly #parts: QuarantinedContainersParts;

  constructor(parts: QuarantinedContainersParts) {
    this.#parts = parts;
  }

  async remove(id: string, removeOptions: RemoveOptions): Promise<void> {
    const options = given.remove(removeOptions);
    await this.#parts.gate.passInTurn(() => this.#remove(id, options));
  }

  async #remove(id: string, options: RemoveOptions): Promise<void> {
    const { records, repository, remover } = this.#parts;
    const row = records.find(id);
    if (row === null)
      throw new HakoError(
        'CONTAINER_NOT_FOUND',
        `No record of a container '${id.slice(0, 64)}' was put aside. List those that were with runtime.info().`,
      );
    // An id that is none leads to no files of ours; one that has a sound record again has them for itself.
    if (isContainerId(id) && repository.find(id) === null) {
      await this.#end(id, options);
      await removeGroups(groupsOf(row));
      await remover.removeRemains(id, true);
    }
    records.forget(id);
  }

  /** Nobody knows of it but its supervisor, which can be told by its directory. */
  async #end(id: ContainerId, { force, signal }: RemoveOptions): Promise<void> {
    const { states, launcher, native } = this.#parts;
    const directory = states.directory(id);
    while (native.isLocked(directory)) {
      if (force !== true)
        throw new HakoError(
          'CONTAINER_RUNNING',
          `Container ${id.slice(0, 12)}, whose record cannot be read, is running. Remove it with force.`,
        );
      signal?.throwIfAborted();
      const session = await launcher.connect(directory);
      if (session !== null) {
        session.signal(signalNumber('SIGKILL')).catch(() => {});
        await raceSignal(
          session.exited.catch(() => {}),
          signal,
        ).finally(() => session.close());
      }
      await sleep(betweenLooks);
    }
  }
}

/** Where a supervisor that was killed has left some, if the record still says so. */
function groupsOf(row: unknown): readonly CgroupGroup[] {
  const { data } = rowSchema.safeParse(row);
  if (data === undefined) return [];
  try {
    const state = stateSchema.parse(JSON.parse(data.state));
    return 'cgroups' in state ? state.cgroups : [];
  } catch {
    return [];
  }
}
