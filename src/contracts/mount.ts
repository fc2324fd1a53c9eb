/**
 * A filesystem to mount, as a storage driver hands it out. Drivers return mounts; they do not mount: the
 * supervisor does, in the container's own mount namespace.
 *
 * @public
 */
export interface Mount {
  /** A filesystem type (`overlay`), or `bind` for a directory of the host. */
  readonly type: string;
  /** The device's or directory's path on the host; what /proc/mounts shows first for other types. */
  readonly source: string;
  /** Where, inside the root being built; empty for the root itself. */
  readonly target?: string;
  /** Mount options in order (`lowerdir=…`, `userxattr`, `ro`, `rbind`). */
  readonly options: readonly string[];
}
