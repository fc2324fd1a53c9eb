import { Breather } from '../../base/breather.ts';
import { hasHakoCode } from '../../base/errors.ts';
import type { ContainerId } from '../../base/ids.ts';
import type { EventRecorder } from '../../contracts/events.ts';
import type { ActiveKey, StorageDriver } from '../../contracts/storage-driver.ts';
import type { ContainerSummary, Inspector } from '../inspection.ts';
import type { ContainerRepository } from '../repository.ts';
import { type ListOptions, type ParsedPruneOptions, parseListOptions } from './list-options.ts';
import { isPrunable, matchesRecord, matchesSummary } from './match.ts';

/** What {@link Containers.prune} has removed. @public */
export interface PruneResult {
  /** Their ids. */
  readonly removed: readonly ContainerId[];
  /** Bytes that the containers' own layers took. */
  readonly spaceReclaimed: number;
}

/** All the containers of a root, looked at together. */
export class ContainerListing {
  readonly #repository: ContainerRepository;
  readonly #inspector: Inspector;
  readonly #storage: StorageDriver;
  readonly #history: EventRecorder;
  readonly #remove: (id: ContainerId) => Promise<void>;

  constructor(parts: {
    repository: ContainerRepository;
    inspector: Inspector;
    storage: StorageDriver;
    history: EventRecorder;
    remove(id: ContainerId): Promise<void>;
  }) {
    this.#repository = parts.repository;
    this.#inspector = parts.inspector;
    this.#storage = parts.storage;
    this.#history = parts.history;
    this.#remove = parts.remove;
  }

  /** @param createdAt - of the container that a filter names */
  async list(options: ListOptions, createdAt: (nameOrId: string) => number): Promise<readonly ContainerSummary[]> {
    const parsed = parseListOptions(options);
    parsed.signal?.throwIfAborted();
    const { before, since } = parsed.filters;
    const bounds = {
      before: before === undefined ? Number.POSITIVE_INFINITY : createdAt(before),
      since: since === undefined ? Number.NEGATIVE_INFINITY : createdAt(since),
    };
    const breather = new Breather();
    const found: ContainerSummary[] = [];
    for (const record of await this.#repository.list()) {
      if (found.length === parsed.limit) break;
      if (breather.isDue) await breather.pause();
      parsed.signal?.throwIfAborted();
      if (!matchesRecord(record, parsed.filters, bounds)) continue;
      const summary = this.#inspector.summary(record);
      if (matchesSummary(summary, parsed)) found.push(summary);
    }
    return found;
  }

  async prune({ filters, signal }: ParsedPruneOptions): Promise<PruneResult> {
    const removed: ContainerId[] = [];
    let spaceReclaimed = 0;
    for (const record of await this.#repository.list()) {
      signal?.throwIfAborted();
      if (!isPrunable(this.#inspector.summary(record), filters)) continue;
      const bytes = await this.#usage(record.id);
      if (!(await this.#removeIfAtRest(record.id))) continue;
      removed.push(record.id);
      spaceReclaimed += bytes;
    }
    const attributes = { reclaimed: String(spaceReclaimed) };
    this.#history.record({ type: 'container', action: 'prune', id: '', name: '', attributes });
    return { removed, spaceReclaimed };
  }

  async #usage(id: ContainerId): Promise<number> {
    try {
      return (await this.#storage.usage(id as string as ActiveKey)).bytes;
    } catch (error) {
      if (hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_NOT_FOUND')) return 0;
      throw error;
    }
  }

  /** Somebody may have started it, or removed it, meanwhile. */
  async #removeIfAtRest(id: ContainerId): Promise<boolean> {
    try {
      await this.#remove(id);
      return true;
    } catch (error) {
      if (hasHakoCode(error, 'HAKO_ERR_CONTAINER_RUNNING') || hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_FOUND'))
        return false;
      throw error;
    }
  }
}
