import type { IdMappings } from '../../contracts/isolation.ts';

/**
 * A directory of the host that becomes the worker's whole world, and a path below it that goes through no symbolic
 * link (empty: the directory itself).
 */
export interface DirectoryTree {
  readonly kind: 'directory';
  readonly base: string;
  readonly path: string;
  /** Make it, with mode 0755, when it is not there. */
  readonly make?: boolean;
}

/** An overlay that is mounted where only the worker sees it. Paths are below `base`. */
export interface OverlayTree {
  readonly kind: 'overlay';
  readonly base: string;
  /** Top first. */
  readonly lower: readonly string[];
  /** null: nothing can be written. */
  readonly upper: { readonly path: string; readonly work: string } | null;
  readonly userxattr: boolean;
  /** Of overlayfs, in order; an empty value is a flag. */
  readonly options?: readonly (readonly [key: string, value: string])[];
}

/** What is mounted in a {@link MountsTree}, by absolute paths of the host. */
export type TreeMount = { readonly target: string; readonly readonly: boolean } & (
  | { readonly kind: 'bind'; readonly source: string; readonly recursive: boolean }
  | ({ readonly kind: 'overlay' } & Omit<OverlayTree, 'kind' | 'base'>)
);

/** Mounts that are put together where only the worker sees them: the first is the root, the others lie in it. */
export interface MountsTree {
  readonly kind: 'mounts';
  /** A directory of the host that the root may be laid over. */
  readonly base: string;
  /** An open descriptor of it, whose lock the worker holds for as long as it lives. Who asks closes it. */
  readonly held?: number;
  readonly mounts: readonly TreeMount[];
}

/** The root of a running container, as it sees it itself. */
export interface NamespaceTree {
  readonly kind: 'namespace';
  /** Descriptor of its mount namespace. Who asks closes it. */
  readonly mount: number;
  /** Descriptor of its user namespace; null: it is in ours. */
  readonly user: number | null;
  /** With what is mounted in the root. */
  readonly recursive: boolean;
}

export type Tree = DirectoryTree | OverlayTree | MountsTree | NamespaceTree;

/** Trees of which two can be opened at once. */
export type PlainTree = DirectoryTree | OverlayTree;

/** What an archive may ask for at most; passing one is `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`. */
export interface ArchiveLimits {
  /** Bytes of the uncompressed archive, padding included. */
  readonly archiveBytes: number;
  readonly entries: number;
  /** Apparent bytes of one file, holes included. */
  readonly fileBytes: number;
  /** Components of one name. */
  readonly pathDepth: number;
  /** Bytes of one extended header (PAX records, GNU long name). */
  readonly headerBytes: number;
  /** Bytes of the names and values of one entry's extended attributes. */
  readonly xattrBytes: number;
}

export interface UnpackRequest {
  readonly tree: Tree;
  readonly idMappings: IdMappings | null;
  /**
   * What `.wh.` entries become (OCI image spec, layer.md, "Whiteouts"): ordinary files, overlayfs's own marks (of a
   * lower directory that is mounted with `userxattr` or without), or deletions from the tree.
   */
  readonly whiteouts: 'none' | 'overlay' | 'overlay-userxattr' | 'apply';
  /** `single`: every file belongs to whom the worker runs as, and other owners are kept in {@link OWNER_XATTR}. */
  readonly ownership: 'keep' | 'single';
  /** Pass over, and count, devices that may not be made here; otherwise they are a failure. */
  readonly devicesOptional: boolean;
  /** syncfs(2) before the result. */
  readonly sync: boolean;
  /** The directory of the tree that the archive is for, without `..`; made when it is not there. Default: the root. */
  readonly at?: string;
  /** Change nothing of that directory itself, whatever the archive says of it. */
  readonly keepRoot?: boolean;
  /** Fail where a directory would take the place of something else, or something else that of a directory. */
  readonly keepKinds?: boolean;
  /** Leave out what gives rights: set-user-ID and set-group-ID modes, devices (which are counted), `security.capability`. */
  readonly plain?: boolean;
  /** Everything belongs to these ids, instead of those in the archive. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /**
   * A name that nobody can guess: a file is written under it, in the directory where it is to be, and takes its own name,
   * and the place of what had that, when it is whole. By default files are made where they are to be.
   */
  readonly temporary?: string;
  readonly limits?: Partial<ArchiveLimits>;
}

/** Takes away the files that an unpacking which was killed has left. */
export interface SweepRequest {
  readonly tree: Tree;
  readonly idMappings: IdMappings | null;
  /** Of the tree; symbolic links are followed inside it. */
  readonly directory: string;
  /** The `temporary` of the unpacking. */
  readonly name: string;
  /** Also in all that is below the directory. */
  readonly below: boolean;
}

export interface UnpackResult {
  readonly entries: number;
  readonly bytesRead: number;
  /** Without holes. */
  readonly bytesWritten: number;
  /** Devices that could not be made, and character devices 0:0, which are overlayfs's whiteouts and never made. */
  readonly devicesSkipped: number;
  /** Extended attributes that an image may not set, or that the filesystem does not take. */
  readonly xattrsDropped: number;
  /**
   * With `whiteouts: 'overlay…'`: the layer hides everything of the layers below it. overlayfs heeds no such mark at
   * the root of a lower directory, so whoever mounts it must leave the layers below out.
   */
  readonly rootOpaque: boolean;
}

export interface CopyResult {
  readonly entries: number;
  readonly bytesCopied: number;
  /** By reflink. */
  readonly bytesShared: number;
}

export interface TreeUsage {
  /** Of disk, each file counted once however many names it has. */
  readonly bytes: number;
  readonly inodes: number;
}

export type Mountpoint =
  | { readonly kind: 'directory' | 'file'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string };

export interface PackRequest {
  readonly tree: Tree;
  readonly idMappings: IdMappings | null;
  /** What of the tree, without `..`; the last component is not followed. Default: all of it. */
  readonly path?: string;
  /** Its name in the archive. Default: `./`. */
  readonly name?: string;
  /** Write overlayfs's marks as `.wh.` entries; otherwise they are left out. */
  readonly whiteouts: boolean;
  /** Take owners from {@link OWNER_XATTR} where it is there. */
  readonly owners: boolean;
  /** Give to root what belongs to ids that `idMappings` does not have. */
  readonly adopt?: boolean;
}

export interface PackResult {
  readonly entries: number;
  readonly bytes: number;
}

export interface PathStatus {
  /** `st_mode` of stat(2): type and permissions. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  readonly modifiedAt: Date;
  /** The path with every symbolic link resolved inside the tree, without a slash before it. */
  readonly resolved: string;
  /** For a symbolic link: where it leads, resolved in the same way. Otherwise null. */
  readonly linkTarget: string | null;
}

export interface CompareRequest {
  readonly own: PlainTree;
  /** null: it has none, so that everything is new. */
  readonly parent: PlainTree | null;
  /** `own` holds only what is new, and overlayfs's marks for what is gone. */
  readonly marks: boolean;
  /** Take owners from {@link OWNER_XATTR} where it is there. */
  readonly owners: boolean;
  /** A list of kind (`A`, `C`, `D`), path and NUL; or a layer of an image, as a tar stream. */
  readonly output: 'list' | 'layer';
  readonly idMappings: IdMappings | null;
}
