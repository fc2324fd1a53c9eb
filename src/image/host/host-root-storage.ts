import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { HakoError, hasHakoCode } from '../../base/errors.ts';
import type { HostInfo } from '../../contracts/host-info.ts';
import type { Mount } from '../../contracts/mount.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import type { FileOwnership } from '../../contracts/privilege-mode.ts';
import type {
  ActiveKey,
  CommittedName,
  PrepareOptions,
  SnapshotChanges,
  SnapshotInfo,
  SnapshotUsage,
  StorageDriver,
  UnpackTarget,
} from '../../contracts/storage-driver.ts';
import { giveSnapshot, mappedRootOf, openWay } from '../mapped-root.ts';
import { type HostImageOptions, hiddenDirectories } from './host-image.ts';
import { hostRootChanges, type PlacedChanges } from './host-root-changes.ts';
import { planHostRoot } from './host-root-plan.ts';
import { findHidden, readHostTree } from './host-tree.ts';
import { layHostRoot, readPlan } from './lay-host-root.ts';

/** What snapshots of the host's root have for a parent. It is empty, and only tells them from others. */
const hostRootName = 'host-root' as CommittedName;

const rememberedKeys = 1000;

type OverlayHost = Pick<HostInfo, 'uid' | 'inUserNamespace' | 'overlay' | 'rootlessOverlay'>;

/**
 * Lets containers live on the host's own root, with any storage driver: their snapshots are ordinary ones of the
 * driver, in which the changes lie beside a note of how it is all mounted. The container never sees the note: it is
 * in the snapshot's directory, not in what is mounted.
 */
export class HostRootStorage implements StorageDriver {
  readonly #driver: StorageDriver;
  readonly #root: string;
  readonly #host: OverlayHost;
  /** Mounts of keys that were prepared here: most are asked for right after, and they never change. */
  readonly #prepared = new Map<ActiveKey, readonly Mount[]>();

  /**
   * @param root - hako's own root, which no container may see.
   * @param host - says where overlayfs can be mounted; without it, what is the host's can be read only.
   */
  constructor(driver: StorageDriver, root: string, host: OverlayHost) {
    this.#driver = driver;
    this.#root = root;
    this.#host = host;
  }

  get capabilities(): StorageDriver['capabilities'] {
    return this.#driver.capabilities;
  }

  /** As `prepare`, for a container whose root may be somebody else outside. */
  async prepareFor(
    ownership: FileOwnership,
    key: ActiveKey,
    parent: CommittedName,
    options: PrepareOptions = {},
  ): Promise<void> {
    this.#checkQuota(options);
    const mounts = await this.#driver.prepare(key, parent, options);
    const owner = mappedRootOf(ownership);
    this.#remember(key, mounts);
    if (owner !== null)
      await this.#undoing(key, async () => giveSnapshot(this.#root, await this.#directory(key), mounts, owner));
  }

  /** Lets a container's root pass through to a directory of hako's, if it is somebody else outside. */
  openWay(ownership: FileOwnership, directory: string): void {
    const owner = mappedRootOf(ownership);
    if (owner !== null) openWay(this.#root, directory, owner.gid);
  }

  /** Makes an active snapshot on the host's root. */
  async prepareHostRoot(
    ownership: FileOwnership,
    key: ActiveKey,
    image: HostImageOptions,
    options: PrepareOptions = {},
  ): Promise<readonly Mount[]> {
    this.#checkQuota(options);
    await this.#ensureParent();
    await this.#driver.prepare(key, hostRootName, options);
    return this.#undoing(key, async () => {
      const directory = await this.#directory(key);
      const [tree, hidden] = [readHostTree(), findHidden([this.#root, ...hiddenDirectories(image)])];
      const inUserNamespace = ownership.kind !== 'same' || this.#host.uid !== 0 || this.#host.inUserNamespace;
      const overlay = (inUserNamespace ? this.#host.rootlessOverlay : this.#host.overlay).supported;
      const plan = planHostRoot({ tree, directory, hidden, inUserNamespace, overlay });
      const owner = mappedRootOf(ownership);
      layHostRoot(directory, plan, owner);
      if (owner !== null) giveSnapshot(this.#root, directory, [], owner);
      this.#remember(key, plan.mounts);
      return plan.mounts;
    });
  }

  prepare(key: ActiveKey, parent: CommittedName | null, options?: PrepareOptions): Promise<readonly Mount[]> {
    return this.#driver.prepare(key, parent, options);
  }

  view(key: ActiveKey, parent: CommittedName, options?: OperationOptions): Promise<readonly Mount[]> {
    return this.#driver.view(key, parent, options);
  }

  async mounts(key: ActiveKey, options?: OperationOptions): Promise<readonly Mount[]> {
    const remembered = this.#prepared.get(key);
    if (remembered !== undefined) return remembered;
    return (await this.#isHostRoot(key)) ? readPlan(await this.#directory(key)) : this.#driver.mounts(key, options);
  }

  unpackTarget(key: ActiveKey): Promise<UnpackTarget> {
    return this.#driver.unpackTarget(key);
  }

  changes(key: ActiveKey): Promise<SnapshotChanges> {
    return this.#driver.changes(key);
  }

  /** What an active snapshot changes, for each place that can be written: there is more than one on the host's root. */
  async changesByPlace(key: ActiveKey): Promise<readonly PlacedChanges[]> {
    return (await this.#isHostRoot(key))
      ? hostRootChanges(readPlan(await this.#directory(key)))
      : [{ at: '', changes: await this.#driver.changes(key), notes: new Set() }];
  }

  commit(name: CommittedName, key: ActiveKey, options?: OperationOptions): Promise<void> {
    return this.#driver.commit(name, key, options);
  }

  remove(name: ActiveKey | CommittedName, options?: OperationOptions): Promise<void> {
    this.#prepared.delete(name as ActiveKey);
    return this.#driver.remove(name, options);
  }

  stat(name: ActiveKey | CommittedName, options?: OperationOptions): Promise<SnapshotInfo> {
    return this.#driver.stat(name, options);
  }

  usage(name: ActiveKey | CommittedName, options?: OperationOptions): Promise<SnapshotUsage> {
    return this.#driver.usage(name, options);
  }

  list(options?: OperationOptions): AsyncIterable<SnapshotInfo> {
    return this.#driver.list(options);
  }

  async describe(key: ActiveKey): Promise<Readonly<Record<string, string>>> {
    const described = await this.#driver.describe(key);
    if (!(await this.#isHostRoot(key))) return described;
    const directory = await this.#directory(key);
    return { ...described, LowerDir: '/', UpperDir: join(directory, 'upper'), WorkDir: join(directory, 'work') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#driver[Symbol.asyncDispose]();
  }

  #checkQuota({ quota }: PrepareOptions): void {
    if (quota !== undefined && !this.capabilities.has('quota'))
      throw new HakoError(
        'HOST_UNSUPPORTED',
        "storageQuota cannot be held: the runtime's storage driver has no quotas. The driver 'overlay2' has, on xfs and ext4.",
      );
  }

  async #isHostRoot(key: ActiveKey): Promise<boolean> {
    return (await this.#driver.stat(key)).parent === hostRootName;
  }

  async #directory(key: ActiveKey): Promise<string> {
    return (await this.#driver.unpackTarget(key)).directory;
  }

  async #undoing<T>(key: ActiveKey, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.remove(key);
      throw error;
    }
  }

  #remember(key: ActiveKey, mounts: readonly Mount[]): void {
    if (this.#prepared.size >= rememberedKeys) this.#prepared.clear();
    this.#prepared.set(key, mounts);
  }

  async #ensureParent(): Promise<void> {
    try {
      await this.#driver.stat(hostRootName);
    } catch (error) {
      if (!hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_NOT_FOUND')) throw error;
      await this.#makeParent();
    }
  }

  async #makeParent(): Promise<void> {
    const key = `make-${hostRootName}-${randomUUID()}` as ActiveKey;
    await this.#driver.prepare(key, null);
    try {
      await this.#driver.commit(hostRootName, key);
    } catch (error) {
      await this.#driver.remove(key);
      // Another process made it meanwhile.
      if (!hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_EXISTS')) throw error;
    }
  }
}
