import { randomUUID } from 'node:crypto';
import { inject, injectable } from 'tsyringe';
import type { Digest } from '../base/digest.ts';
import { HakoError, hasHakoCode } from '../base/errors.ts';
import { ContentStore } from '../content/content-store.ts';
import { decompress, defaultDecompressionLimits } from '../content/decompress.ts';
import type { Lease } from '../content/lease.ts';
import { snapshotResource } from '../content/lease-repository.ts';
import { verified } from '../content/verified.ts';
import type { Mount } from '../contracts/mount.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import type { ActiveKey, CommittedName, StorageDriver } from '../contracts/storage-driver.ts';
import { RuntimePathsToken, StorageDriverToken, TreeWorkerToken } from '../contracts/tokens.ts';
import { layerCompression } from '../oci/media-types.ts';
import type { LayerRecord } from './image-repository.ts';
import { initMountPoints } from './init-layer.ts';
import { giveSnapshot, mappedRootOf } from './mapped-root.ts';
import { initSnapshot, layerSnapshot } from './snapshot-names.ts';
import type { TreeWorker } from './tree-worker.ts';

/** What one layer may take before it is called a bomb. @public */
export interface LayerLimits {
  /** Bytes of the uncompressed archive. Default 64 GiB. */
  readonly archiveBytes: number;
  /** Bytes out for each byte in, once `ratioFrom` bytes have come out. Default 200. */
  readonly ratio: number;
  /** Bytes. Default 256 MiB. */
  readonly ratioFrom: number;
  /** Files, directories and links. Default 5,000,000. */
  readonly entries: number;
  /** Apparent bytes of one file, holes included. Default 1 TiB. */
  readonly fileBytes: number;
}

export const defaultLayerLimits: LayerLimits = {
  archiveBytes: defaultDecompressionLimits.bytes,
  ratio: defaultDecompressionLimits.ratio,
  ratioFrom: defaultDecompressionLimits.ratioFrom,
  entries: 5_000_000,
  fileBytes: 1024 * 2 ** 30,
};

export interface UnpackOptions extends OperationOptions {
  readonly limits?: Partial<LayerLimits>;
  /** Told of each layer that is there now. */
  readonly onLayer?: (chainId: Digest) => void;
}

interface SnapshotRequest {
  readonly name: CommittedName;
  readonly parent: CommittedName | null;
  readonly ownership: FileOwnership;
  readonly lease: Lease;
}

/** Whether what is below shows through. One that hides it all is a snapshot on nothing. */
type Filling = 'as-parent' | 'hides-all';

/** Names of snapshots that are being filled; those of killed processes are garbage. */
export const unpackKeyPrefix = 'unpack-';

/** Turns layers into snapshots. */
@injectable()
export class UnpackService {
  readonly #store: ContentStore;
  readonly #driver: StorageDriver;
  readonly #worker: TreeWorker;
  readonly #root: string;

  constructor(
    @inject(ContentStore) store: ContentStore,
    @inject(StorageDriverToken) driver: StorageDriver,
    @inject(TreeWorkerToken) worker: TreeWorker,
    @inject(RuntimePathsToken) paths: { readonly root: string },
  ) {
    this.#store = store;
    this.#driver = driver;
    this.#worker = worker;
    this.#root = paths.root;
  }

  /**
   * Makes sure that every layer is a committed snapshot, and the init layer on top of them, held by `lease`. Several
   * processes may do this at once for the same image: all succeed, with one set of snapshots.
   *
   * @returns the snapshot that containers are based on
   * @throws HakoError `HAKO_ERR_BLOB_DIGEST_MISMATCH` when a layer's content is not what its diffID says, which is known
   * before it is committed; `HAKO_ERR_INVALID_ARCHIVE`; `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`
   */
  async ensure(
    layers: readonly LayerRecord[],
    ownership: FileOwnership,
    lease: Lease,
    options: UnpackOptions = {},
  ): Promise<CommittedName> {
    let parent: CommittedName | null = null;
    for (const layer of layers) {
      const name = layerSnapshot(layer.chainId, ownership);
      await this.#make({ name, parent, ownership, lease }, options, (key) =>
        this.#unpack(layer, key, ownership, options),
      );
      options.onLayer?.(layer.chainId);
      parent = name;
    }
    const init = initSnapshot(layers.at(-1)?.chainId ?? null, ownership);
    await this.#make({ name: init, parent, ownership, lease }, options, async (_key, mounts) => {
      await this.#worker.makeMountPoints(mounts, initMountPoints, ownership, options);
      return 'as-parent';
    });
    return init;
  }

  /** Makes one committed snapshot, unless it is there: prepared, filled, committed; whoever comes second uses the first one's. */
  async #make(
    request: SnapshotRequest,
    options: OperationOptions,
    fill: (key: ActiveKey, mounts: readonly Mount[]) => Promise<Filling>,
  ): Promise<void> {
    const { name, parent, ownership, lease } = request;
    await lease.hold(snapshotResource(name), options);
    if (await this.#exists(name)) return;
    const key = `${unpackKeyPrefix}${randomUUID()}` as ActiveKey;
    await lease.hold(snapshotResource(key), options);
    const mounts = await this.#driver.prepare(key, parent, options);
    try {
      const owner = mappedRootOf(ownership);
      if (owner !== null) giveSnapshot(this.#root, (await this.#driver.unpackTarget(key)).directory, mounts, owner);
      const filling = await fill(key, mounts);
      if (filling === 'hides-all' && parent !== null) {
        await this.#driver.remove(key);
        return await this.#make({ ...request, parent: null }, options, fill);
      }
      await this.#driver.commit(name, key, options);
    } catch (error) {
      await this.#driver.remove(key);
      if (!hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_EXISTS')) throw error;
    }
  }

  async #unpack(
    layer: LayerRecord,
    key: ActiveKey,
    ownership: FileOwnership,
    options: UnpackOptions,
  ): Promise<Filling> {
    const limits = { ...defaultLayerLimits, ...options.limits };
    const compression = layerCompression(layer.blob.mediaType);
    if (compression === undefined)
      throw new HakoError('INVALID_IMAGE', `A layer of type '${layer.blob.mediaType}' cannot be unpacked.`);
    const plain = decompress(
      this.#store.read(layer.blob),
      compression,
      { bytes: limits.archiveBytes, ratio: limits.ratio, ratioFrom: limits.ratioFrom },
      options,
    );
    const checked = verified(plain, { digest: layer.diffId }, `layer ${layer.blob.digest}`);
    let complete = false;
    const stream = async function* (): AsyncGenerator<Uint8Array> {
      yield* checked;
      complete = true;
    };
    const target = await this.#driver.unpackTarget(key);
    const { rootOpaque } = await this.#worker.unpack(target, stream(), ownership, limits, options);
    // Whatever the worker made of it: what was not read to the end was not verified.
    if (!complete)
      throw new HakoError(
        'INVALID_ARCHIVE',
        `Layer ${layer.blob.digest} was not read to its end, so its digest is not known to be right.`,
      );
    return rootOpaque && target.whiteouts !== 'apply' ? 'hides-all' : 'as-parent';
  }

  async #exists(name: CommittedName): Promise<boolean> {
    try {
      return (await this.#driver.stat(name)).kind === 'committed';
    } catch (error) {
      if (hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_NOT_FOUND')) return false;
      if (!hasHakoCode(error, 'HAKO_ERR_STATE_CORRUPT')) throw error;
    }
    // Damaged, as by a power cut on a disk that lies. We have all that it takes to make it anew.
    await this.#driver.remove(name);
    return false;
  }
}
