import { posix } from 'node:path';
import type { Mount } from '../../contracts/mount.ts';

/** What the planner must know of the host; read by {@link readHostTree}. */
export interface HostTree {
  /** Entries of "/": a directory, or a symbolic link with its target. */
  readonly entries: readonly HostEntry[];
  /** Directories that another filesystem is mounted on. */
  readonly mountPoints: readonly string[];
}

export type HostEntry =
  | { readonly name: string; readonly kind: 'directory' }
  | { readonly name: string; readonly kind: 'symlink'; readonly target: string };

export interface HostRootRequest {
  readonly tree: HostTree;
  /** Where the container's changes go: a directory of the container's own. */
  readonly directory: string;
  /** What of the host, by its real absolute path, is empty in the container. */
  readonly hidden: readonly HiddenPath[];
  /** Whether it is mounted inside a user namespace, which may not take "/" apart from what is mounted on it. */
  readonly inUserNamespace: boolean;
  /** Whether overlayfs can be mounted with its changes on this disk. */
  readonly overlay: boolean;
}

export interface HiddenPath {
  readonly path: string;
  readonly kind: 'directory' | 'file';
  readonly mode: number;
}

/** A root as data: what must be made in {@link HostRootRequest.directory} beforehand, and what is then mounted. */
export interface HostRootPlan {
  readonly directories: readonly { readonly path: string; readonly mode: number }[];
  /** Empty ones. */
  readonly files: readonly { readonly path: string; readonly mode: number }[];
  readonly symlinks: readonly { readonly path: string; readonly target: string }[];
  readonly mounts: readonly Mount[];
}

/** Those that a container gets anew, whatever the host has there. */
export const ownDirectories: Readonly<Record<string, number>> = {
  proc: 0o555,
  sys: 0o555,
  dev: 0o755,
  run: 0o755,
  tmp: 0o1777,
};

/**
 * How the host's root becomes a container's.
 *
 * For root it is one overlay on "/". The kernel clones only the mount of "/" for it, so what is mounted elsewhere is
 * not in it.
 *
 * In a user namespace the kernel refuses that: mounts that came from outside are locked together, lest somebody look
 * under them. It agrees for a directory that nothing is mounted below, so there is one overlay for each such directory
 * of "/". One with mounts below is bound with all of them, read-only; so is each where overlayfs cannot be had, as in most
 * containers.
 *
 * What is hidden has an empty directory or file of the container's own mounted over it.
 */
export function planHostRoot(request: HostRootRequest): HostRootPlan {
  return request.overlay && !request.inUserNamespace ? planWhole(request) : planByDirectory(request);
}

function planWhole({ directory, hidden }: HostRootRequest): HostRootPlan {
  const covers = cover(directory, hidden);
  return {
    directories: [{ path: 'upper', mode: 0o755 }, { path: 'work', mode: 0o700 }, ...covers.directories],
    files: covers.files,
    symlinks: [],
    mounts: [overlay('', '/', posix.join(directory, 'upper'), posix.join(directory, 'work'), false), ...covers.mounts],
  };
}

function planByDirectory({ tree, directory, hidden, overlay: canOverlay }: HostRootRequest): HostRootPlan {
  const hiddenModes = new Map(hidden.map(({ path, mode }) => [path, mode]));
  const names = tree.entries.flatMap((entry) =>
    entry.kind === 'directory' && !(entry.name in ownDirectories) ? [entry.name] : [],
  );
  const shown = names.filter((name) => !hiddenModes.has(`/${name}`));
  const alone = new Set(
    shown.filter((name) => canOverlay && !tree.mountPoints.some((mountPoint) => isWithin(mountPoint, `/${name}`))),
  );
  const covers = cover(
    directory,
    hidden.filter(({ path }) => shown.some((name) => path.startsWith(`/${name}/`))),
  );
  return {
    directories: [
      ...['root', 'upper', 'work'].map((path) => ({ path, mode: path === 'root' ? 0o755 : 0o700 })),
      ...Object.entries(ownDirectories).map(([name, mode]) => ({ path: `root/${name}`, mode })),
      ...names.map((name) => ({ path: `root/${name}`, mode: hiddenModes.get(`/${name}`) ?? 0o755 })),
      ...[...alone].flatMap((name) => [`upper/${name}`, `work/${name}`]).map((path) => ({ path, mode: 0o755 })),
      ...covers.directories,
    ],
    files: covers.files,
    symlinks: tree.entries.flatMap((entry) =>
      entry.kind === 'symlink' ? [{ path: `root/${entry.name}`, target: entry.target }] : [],
    ),
    mounts: [
      { type: 'bind', source: posix.join(directory, 'root'), options: ['rbind', 'rw'] },
      ...shown.map(
        (name): Mount =>
          alone.has(name)
            ? overlay(name, `/${name}`, posix.join(directory, 'upper', name), posix.join(directory, 'work', name), true)
            : { type: 'bind', source: `/${name}`, target: name, options: ['rbind', 'ro'] },
      ),
      ...covers.mounts,
    ],
  };
}

/** A directory of its own for each that is hidden, to be written to; for all files together one that is empty for good. */
function cover(
  directory: string,
  hidden: readonly HiddenPath[],
): Pick<HostRootPlan, 'directories' | 'files' | 'mounts'> {
  const directories = hidden.filter(({ kind }) => kind === 'directory');
  const files = hidden.filter(({ kind }) => kind === 'file');
  const bind = (source: string, path: string, access: 'rw' | 'ro'): Mount => ({
    type: 'bind',
    source: posix.join(directory, 'hidden', source),
    target: path.slice(1),
    options: ['rbind', access],
  });
  return {
    directories: [
      { path: 'hidden', mode: 0o700 },
      ...directories.map(({ mode }, index) => ({ path: `hidden/${index}`, mode })),
    ],
    files: files.length === 0 ? [] : [{ path: 'hidden/file', mode: 0o400 }],
    mounts: [
      ...directories.map(({ path }, index) => bind(`${index}`, path, 'rw')),
      ...files.map(({ path }) => bind('file', path, 'ro')),
    ],
  };
}

function overlay(target: string, lower: string, upper: string, work: string, userxattr: boolean): Mount {
  return {
    type: 'overlay',
    source: 'overlay',
    ...(target === '' ? {} : { target }),
    options: [
      `lowerdir+=${lower}`,
      `upperdir=${upper}`,
      `workdir=${work}`,
      ...(userxattr ? ['userxattr'] : []),
      'index=off',
      'metacopy=off',
      'redirect_dir=nofollow',
    ],
  };
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
