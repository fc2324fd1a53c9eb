import type { Gate } from '../base/gate.ts';
import type { ContainerId } from '../base/ids.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { given } from './call-options.ts';
import type { Pausing } from './pausing.ts';
import { presentRecord } from './present-record.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerRepository } from './repository.ts';
import type { ResourceUpdater, UpdateOptions } from './resources.ts';
import type { ContainerStats, StatsOptions, StatsReader } from './stats.ts';

/** What a container can be asked to do with what it uses of the machine, by id. */
export class ResourceOperations {
  readonly #repository: ContainerRepository;
  readonly #pausing: Pausing;
  readonly #updater: ResourceUpdater;
  readonly #stats: StatsReader;
  readonly #gate: Gate;
  readonly #keep: (id: ContainerId) => Promise<void>;
  readonly #told: (record: ContainerRecord, what: 'pause' | 'unpause' | 'update') => void;

  constructor(parts: {
    repository: ContainerRepository;
    pausing: Pausing;
    updater: ResourceUpdater;
    stats: StatsReader;
    /** Of the runtime. */
    gate: Gate;
    /** Its restart policy is another now. */
    keep(id: ContainerId): Promise<void>;
    told(record: ContainerRecord, what: 'pause' | 'unpause' | 'update'): void;
  }) {
    this.#repository = parts.repository;
    this.#pausing = parts.pausing;
    this.#updater = parts.updater;
    this.#stats = parts.stats;
    this.#gate = parts.gate;
    this.#keep = parts.keep;
    this.#told = parts.told;
  }

  async update(id: ContainerId, options: UpdateOptions): Promise<void> {
    const changes = given.update(options);
    const record = presentRecord(this.#repository, id);
    if (changes.resources === undefined && changes.restart === undefined) return;
    await this.#gate.pass(async () => {
      await this.#updater.update(id, changes);
      if (changes.restart !== undefined) await this.#keep(id);
    });
    this.#told(record, 'update');
  }

  async pause(id: ContainerId, options: OperationOptions): Promise<void> {
    const checked = given.pause(options);
    await this.#gate.pass(async () => {
      const record = presentRecord(this.#repository, id);
      await this.#pausing.pause(record, checked);
      this.#told(record, 'pause');
    });
  }

  async unpause(id: ContainerId, options: OperationOptions): Promise<void> {
    const checked = given.pause(options);
    await this.#gate.pass(async () => {
      const record = presentRecord(this.#repository, id);
      await this.#pausing.unpause(record, checked);
      this.#told(record, 'unpause');
    });
  }

  /** After a signal that is to be acted on. */
  async release(record: ContainerRecord): Promise<void> {
    if (await this.#pausing.release(record)) this.#told(record, 'unpause');
  }

  async stats(id: ContainerId, options: StatsOptions): Promise<ContainerStats> {
    const checked = given.stats(options);
    return this.#stats.read(presentRecord(this.#repository, id), checked);
  }

  async *watchStats(id: ContainerId, options: StatsOptions): AsyncGenerator<ContainerStats> {
    const checked = given.stats(options);
    yield* this.#stats.watch(presentRecord(this.#repository, id), checked);
  }
}
