import type { Branded } from '../base/brand.ts';
import type { Mount } from './mount.ts';
import type { OperationOptions } from './operation.ts';

/** The name of a snapshot that can still be written, or that is a view. Chosen by the caller. @public */
export type ActiveKey = Branded<string, 'ActiveKey'>;

/** The name of a committed, read-only snapshot: an image layer's chain ID, or a chain ID and `-init`. @public */
export type CommittedName = Branded<string, 'CommittedName'>;

/** What is known of a snapshot. @public */
export interface SnapshotInfo {
  readonly name: ActiveKey | CommittedName;
  readonly kind: 'active' | 'view' | 'committed';
  readonly parent: CommittedName | null;
  readonly createdAt: Date;
}

/** What a snapshot takes of its disk, without its parents. @public */
export interface SnapshotUsage {
  /** Bytes of disk that the snapshot alone takes (its parents not counted). */
  readonly bytes: number;
  /** Files and directories. */
  readonly inodes: number;
}

/** How a snapshot is made. @public */
export interface PrepareOptions extends OperationOptions {
  /** Bytes that the snapshot alone may hold; only for drivers with the capability `quota`. */
  readonly quota?: number;
}

/**
 * A storage driver keeps the layers of images and the writable layers of containers: what containerd calls a
 * snapshotter.
 *
 * A **key** names an *active* snapshot, which can be written through the mounts that `prepare` returns. `commit`
 * turns it into a *committed* snapshot with a **name**; the key is gone afterwards. A committed snapshot never
 * changes and can be the parent of others. A **view** is a read-only look at a committed snapshot. Names and keys
 * share one space: one that exists is `HAKO_ERR_SNAPSHOT_EXISTS`, one that does not `HAKO_ERR_SNAPSHOT_NOT_FOUND`.
 * They match `^(sha256:)?[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}$`; anything else is `HAKO_ERR_INVALID_NAME`.
 *
 * A layer is unpacked so:
 *
 * ```ts
 * const mounts = await driver.prepare(key, parent);      // a place to write
 * await unpack(layer, driver.unpackTarget(key));         // the caller writes it
 * await driver.commit(name, key);                        // durable, read-only, addressable
 * ```
 *
 * and a container lives on `prepare(containerId, imageName)` … `remove(containerId)`.
 *
 * Every operation either happens or leaves no trace, also over `kill -9`: a driver writes to a temporary place,
 * then renames. All may be called from several processes at once on one root. hako wraps a driver so that
 * nothing is called after `Symbol.asyncDispose`, which is called once.
 *
 * @public
 */
export interface StorageDriver extends AsyncDisposable {
  /** Powers that callers may ask for; none is assumed. */
  readonly capabilities: ReadonlySet<'remap-ids' | 'quota' | 'reflink' | 'external-parent'>;
  /**
   * Makes an active snapshot on `parent` (null: empty) and returns how to mount it. A quota that cannot be held here is
   * `HAKO_ERR_HOST_UNSUPPORTED` with the reason.
   */
  prepare(key: ActiveKey, parent: CommittedName | null, options?: PrepareOptions): Promise<readonly Mount[]>;
  /** Makes a read-only look at `parent` and returns how to mount it. */
  view(key: ActiveKey, parent: CommittedName, options?: OperationOptions): Promise<readonly Mount[]>;
  /** The mounts of a key again, as after a restart. */
  mounts(key: ActiveKey, options?: OperationOptions): Promise<readonly Mount[]>;
  /**
   * Where and how a layer's tar is unpacked for `key`: the directory of the host, and whether whiteouts are kept
   * in the overlay filesystem's form or applied to the tree at once.
   */
  unpackTarget(key: ActiveKey): Promise<UnpackTarget>;
  /**
   * Where what an active snapshot changes of its parent lies: the counterpart of `unpackTarget`, from which hako lists
   * the changes and makes a layer of them. It is read only, also while the snapshot is mounted and written to.
   */
  changes(key: ActiveKey): Promise<SnapshotChanges>;
  /** Makes `key` the committed snapshot `name`; everything in it is on disk (syncfs) before the name exists. */
  commit(name: CommittedName, key: ActiveKey, options?: OperationOptions): Promise<void>;
  /** Removes a snapshot. `HAKO_ERR_SNAPSHOT_HAS_CHILDREN` when it is a parent. */
  remove(name: ActiveKey | CommittedName, options?: OperationOptions): Promise<void>;
  /** What is known of a snapshot. @throws HakoError `HAKO_ERR_SNAPSHOT_NOT_FOUND` */
  stat(name: ActiveKey | CommittedName, options?: OperationOptions): Promise<SnapshotInfo>;
  /** What it takes of its disk, without its parents. @throws HakoError `HAKO_ERR_SNAPSHOT_NOT_FOUND` */
  usage(name: ActiveKey | CommittedName, options?: OperationOptions): Promise<SnapshotUsage>;
  /** Every snapshot of the driver, in no order. */
  list(options?: OperationOptions): AsyncIterable<SnapshotInfo>;
  /** What `container.inspect().graphDriver.data` shows, in Docker's words (LowerDir, UpperDir …). */
  describe(key: ActiveKey): Promise<Readonly<Record<string, string>>>;
}

/** Where a layer is to be unpacked, and in which form. @public */
export interface UnpackTarget {
  readonly directory: string;
  readonly whiteouts: 'overlay' | 'overlay-userxattr' | 'apply';
}

/** What a snapshot changes of its parent, and how to look at it. @public */
export interface SnapshotChanges {
  /** The one mount that shows the snapshot's own files. */
  readonly own: readonly Mount[];
  /**
   * `own` holds only what is new, and overlayfs's marks (whiteouts, opaque directories) for what is gone. Otherwise it is
   * the whole tree, to be compared with the parent's.
   */
  readonly marks: boolean;
  /** The one mount that shows the parent, read-only; empty when there is none. */
  readonly parent: readonly Mount[];
}
