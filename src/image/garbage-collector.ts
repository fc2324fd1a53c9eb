import { join } from 'node:path';
import { inject, injectable } from 'tsyringe';
import type { Digest } from '../base/digest.ts';
import { hasHakoCode } from '../base/errors.ts';
import { ContentStore } from '../content/content-store.ts';
import { blobResource, type LeaseRepository, type ResourceKey, snapshotResource } from '../content/lease-repository.ts';
import type { NativeServices } from '../contracts/native-services.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { CommittedName, SnapshotInfo, StorageDriver } from '../contracts/storage-driver.ts';
import {
  ImageRepositoryToken,
  LeaseRepositoryToken,
  NativeServicesToken,
  RuntimePathsToken,
  StorageDriverToken,
} from '../contracts/tokens.ts';
import { isAlive } from '../host/process-identity.ts';
import type { ImageRepository } from './image-repository.ts';
import { chainIdOf, emptyChain } from './snapshot-names.ts';
import { unpackKeyPrefix } from './unpack-service.ts';

/**
 * Removes what no image and no lease needs: blobs, and snapshots of layers. What is needed is decided in one
 * transaction, from which leases of all processes are excluded; what a removal has been decided for cannot be leased
 * until it is gone. A removal that a killed process had begun is finished by the next collection.
 */
@injectable()
export class GarbageCollector {
  readonly #store: ContentStore;
  readonly #images: ImageRepository;
  readonly #leases: LeaseRepository;
  readonly #driver: StorageDriver;
  readonly #native: NativeServices;
  readonly #lockFile: string;

  constructor(
    @inject(ContentStore) store: ContentStore,
    @inject(ImageRepositoryToken) images: ImageRepository,
    @inject(LeaseRepositoryToken) leases: LeaseRepository,
    @inject(StorageDriverToken) driver: StorageDriver,
    @inject(NativeServicesToken) native: NativeServices,
    @inject(RuntimePathsToken) paths: { readonly content: string },
  ) {
    this.#store = store;
    this.#images = images;
    this.#leases = leases;
    this.#driver = driver;
    this.#native = native;
    this.#lockFile = join(paths.content, 'collect.lock');
  }

  /** Whether a process was killed in the middle of an import, or of a collection. */
  get isNeeded(): boolean {
    return this.#leases.removals().length > 0 || this.#leases.leaseHolders().some(({ holder }) => !isAlive(holder));
  }

  /** @param options - `signal` ends the wait for a collection of another process, not this one's */
  async collect(options: OperationOptions = {}): Promise<void> {
    // One collection at a time among all processes: so a removal intent that is found here is a dead one's.
    await using _lock = await this.#native.lock(this.#lockFile, { ...options, wait: true });
    const snapshots = await this.#ownSnapshots();
    const { blobs, doomed } = this.#leases.transaction(() => this.#decide(snapshots));
    await blobs.finish();
    // Children come before their parents.
    for (const snapshot of byDepth(snapshots).filter(({ name }) => doomed.has(snapshotResource(name))))
      await this.#remove(snapshot);
    for (const resource of doomed) this.#leases.deleteRemoval(resource);
  }

  #decide(snapshots: readonly SnapshotInfo[]): {
    blobs: { finish(): Promise<void> };
    doomed: ReadonlySet<ResourceKey>;
  } {
    for (const { id, holder } of this.#leases.leaseHolders()) if (!isAlive(holder)) this.#leases.deleteLease(id);
    const needed = new Set<ResourceKey>(this.#leases.leasedResources());
    const chains = new Set<Digest>();
    for (const { manifest, config, layers } of this.#images.list()) {
      for (const { digest } of [manifest, config, ...layers.map(({ blob }) => blob)]) needed.add(blobResource(digest));
      for (const { chainId } of layers) chains.add(chainId);
      if (layers.length === 0) chains.add(emptyChain);
    }
    const doomed = new Set<ResourceKey>(this.#leases.removals());
    for (const { name } of snapshots) {
      const resource = snapshotResource(name);
      const chainId = chainIdOf(name);
      if (needed.has(resource) || (chainId !== null && chains.has(chainId))) continue;
      this.#leases.insertRemoval(resource);
      doomed.add(resource);
    }
    const garbage = this.#store.digests().filter((digest) => !needed.has(blobResource(digest)));
    return { blobs: this.#store.detach(garbage), doomed };
  }

  async #ownSnapshots(): Promise<readonly SnapshotInfo[]> {
    const found: SnapshotInfo[] = [];
    for await (const snapshot of this.#driver.list()) {
      const isLayer = snapshot.kind === 'committed' && chainIdOf(snapshot.name) !== null;
      if (isLayer || (snapshot.kind === 'active' && snapshot.name.startsWith(unpackKeyPrefix))) found.push(snapshot);
    }
    return found;
  }

  /** A layer that a container still stands on stays until the next collection. */
  async #remove({ name }: SnapshotInfo): Promise<void> {
    try {
      await this.#driver.remove(name);
    } catch (error) {
      if (!hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_NOT_FOUND') && !hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_HAS_CHILDREN'))
        throw error;
    }
  }
}

function byDepth(snapshots: readonly SnapshotInfo[]): readonly SnapshotInfo[] {
  const parents = new Map<string, CommittedName | null>(snapshots.map(({ name, parent }) => [name, parent]));
  const depth = (name: string): number => {
    let count = 0;
    for (let next = parents.get(name) ?? null; next !== null; next = parents.get(next) ?? null) count++;
    return count;
  };
  return snapshots
    .map((snapshot) => ({ snapshot, depth: depth(snapshot.name) }))
    .sort((one, other) => other.depth - one.depth)
    .map(({ snapshot }) => snapshot);
}
