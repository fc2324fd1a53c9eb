import type { IdMappings } from './isolation.ts';
import type { HostMountRequest } from './native-binding.ts';
import type { OperationOptions } from './operation.ts';

/**
 * The work on file trees that a plugin may ask for. All of it runs outside Node's process, through descriptors
 * only, in the user namespace that `idMappings` describes (null: none).
 *
 * @public
 */
export interface NativeServices {
  /** Removes a tree, whatever it holds and whoever owns it. Not there: fine. */
  removeTree(path: string, idMappings: IdMappings | null, options?: OperationOptions): Promise<void>;
  /** Copies a tree with everything: ids, modes, times, xattrs, hard links, holes, devices; by reflink where it can. */
  copyTree(from: string, to: string, idMappings: IdMappings | null, options?: OperationOptions): Promise<void>;
  /** What a tree takes of its disk: bytes, hard links counted once, and files. `idMappings` as for `removeTree`. */
  usage(
    path: string,
    idMappings: IdMappings | null,
    options?: OperationOptions,
  ): Promise<{ readonly bytes: number; readonly inodes: number }>;
  /**
   * Takes flock(2) LOCK_EX of a file, made when absent. Null: somebody else has it, and `wait` was not asked for.
   * Disposing of the lock, or the end of this process, gives it back.
   */
  lock(path: string, options?: OperationOptions & { readonly wait?: boolean }): Promise<AsyncDisposable | null>;
  /**
   * Tells the filesystem that the directories made in this one have nothing to do with each other (chattr(1) `+T`), as
   * those of containers. ext4 then makes each where there is room, and need not step over all that was removed there in
   * the last minutes. Other filesystems don't care.
   */
  spreadDirectories(directory: string): void;
  /** syncfs(2) of the filesystem that the directory lies on. */
  syncFilesystem(directory: string): Promise<void>;
  /**
   * Limits what these directories of one filesystem, and all that is made in them from now on, hold together: a project
   * quota, which ext4 and xfs have when they are mounted so.
   *
   * @param bytes - at least 1
   * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` with the reason
   */
  setQuota(directories: readonly string[], bytes: number): Promise<void>;
  /** Takes such a limit away from all the directories that were given it with this one. One that has none is fine. */
  endQuota(directory: string): Promise<void>;
  /** Mounts on the host (needs the right to); for callers who ask for a host mount. */
  mount(request: HostMountRequest): Promise<void>;
  /** Takes away what is mounted there; nothing is: fine. */
  unmount(target: string): Promise<void>;
}
