import type { Mount } from '../contracts/mount.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import type { UnpackTarget } from '../contracts/storage-driver.ts';

/** What one layer may take. */
export interface UnpackLimits {
  /** Bytes of the uncompressed archive. */
  readonly archiveBytes: number;
  readonly entries: number;
  /** Apparent bytes of one file, holes included. */
  readonly fileBytes: number;
}

/** Something that must exist in an image's tree for hako to mount over. */
export type MountPoint =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string };

/**
 * The work on file trees that images need, done by hako-worker: outside of this process, through descriptors, and in
 * the user namespace that the ownership says.
 */
export interface TreeWorker {
  /**
   * Applies a plain tar stream to a directory. Reads `tar` to its end. What was made before a failure stays.
   *
   * @returns whether the layer hides all that is below it, which overlayfs has no mark for at the root
   * @throws HakoError `HAKO_ERR_INVALID_ARCHIVE`, `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`; or what `tar` threw, as it is.
   */
  unpack(
    target: UnpackTarget,
    tar: AsyncIterable<Uint8Array>,
    ownership: FileOwnership,
    limits: UnpackLimits,
    options?: OperationOptions,
  ): Promise<{ readonly rootOpaque: boolean }>;
  /** Makes what is missing in the tree that `mounts` show; whatever is there is left alone. */
  makeMountPoints(
    mounts: readonly Mount[],
    points: readonly MountPoint[],
    ownership: FileOwnership,
    options?: OperationOptions,
  ): Promise<void>;
  /** A tar of a directory of the host. */
  pack(directory: string, options?: OperationOptions): AsyncIterable<Uint8Array>;
}
