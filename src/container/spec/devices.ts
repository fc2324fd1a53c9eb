import type { IsolationPlan, RequestedDevice } from '../../contracts/privilege-mode.ts';
import type { SetupOperation } from '../../native/protocol.ts';
import { NODEV, NOEXEC, NOSUID, RDONLY, STRICTATIME } from './mount-options.ts';
import { bindOf, mountOf, ownFile } from './operations.ts';

const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** The nodes that every container has (OCI runtime spec, config-linux.md, "Default Devices"). */
const standardNodes = [
  { path: '/dev/null', major: 1, minor: 3 },
  { path: '/dev/zero', major: 1, minor: 5 },
  { path: '/dev/full', major: 1, minor: 7 },
  { path: '/dev/random', major: 1, minor: 8 },
  { path: '/dev/urandom', major: 1, minor: 9 },
  { path: '/dev/tty', major: 5, minor: 0 },
] as const;

const links = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
  ['/dev/core', '/proc/kcore'],
  ['/dev/ptmx', 'pts/ptmx'],
] as const;

/** Paths of /dev that are hako's own; nothing of the caller's may take their place. */
export const ownDevicePaths: ReadonlySet<string> = new Set([
  '/dev',
  '/dev/pts',
  '/dev/console',
  ...standardNodes.map(({ path }) => path),
  ...links.map(([path]) => path),
]);

const made: readonly SetupOperation[] = standardNodes.map(({ path, major, minor }) => ({
  kind: 'mknod',
  path,
  mode: S_IFCHR | 0o666,
  major,
  minor,
  uid: 0,
  gid: 0,
}));
/**
 * A device of the host's that is bound has the host's inode. Read-only keeps its owner and mode from being changed; the
 * device itself is written to all the same.
 */
const hostsInode = RDONLY | NOSUID | NOEXEC;
const bound: readonly SetupOperation[] = standardNodes.map(({ path }) =>
  bindOf(path, path, { set: hostsInode, target: ownFile, device: true }),
);
const symlinks: readonly SetupOperation[] = links.map(([path, target]) => ({ kind: 'symlink', path, target }));
const tmpfs = mountOf('tmpfs', '/dev', NOSUID | STRICTATIME, [
  ['mode', '755'],
  ['size', '65536k'],
]);

/** The gid of `tty`, which owns pseudo-terminals (devpts.rst); the same in every distribution. */
const TTY_GROUP = 5;

/** /dev with its nodes, links and pseudo-terminals. */
export function deviceOperations(plan: IsolationPlan): readonly SetupOperation[] {
  return [
    tmpfs,
    ...(plan.deviceMethod === 'bind' ? bound : made),
    ...symlinks,
    devpts(hasTtyGroup(plan)),
    ...plan.devices.map((device) => deviceOperation(device, plan.deviceMethod)),
  ];
}

function devpts(withGroup: boolean): SetupOperation {
  return mountOf('devpts', '/dev/pts', NOSUID | NOEXEC, [
    ['newinstance', ''],
    ['ptmxmode', '0666'],
    ['mode', '0620'],
    ...(withGroup ? [['gid', String(TTY_GROUP)] as const] : []),
  ]);
}

/** A group that the user namespace does not have cannot own anything there. */
function hasTtyGroup(plan: IsolationPlan): boolean {
  if (plan.namespaces.user === 'host') return true;
  return (
    plan.idMappings?.gid.some(({ containerId, size }) => containerId <= TTY_GROUP && TTY_GROUP < containerId + size) ??
    false
  );
}

function deviceOperation(device: RequestedDevice, method: IsolationPlan['deviceMethod']): SetupOperation {
  // A device that the container may not make itself (no `m`) can't be made for it either, once its group is joined.
  if (method === 'bind' || !device.access.includes('m'))
    return bindOf(device.hostPath, device.path, {
      set: hostsInode,
      target: { create: 'file', noFollow: true },
      device: true,
    });
  const { path, major, minor, uid, gid } = device;
  return { kind: 'mknod', path, mode: (device.type === 'b' ? S_IFBLK : S_IFCHR) | device.mode, major, minor, uid, gid };
}

/** /dev/shm and /dev/mqueue: the container's, or the host's with its IPC namespace. */
export function ipcOperations(
  plan: IsolationPlan,
  shmSize: number,
  userTargets: ReadonlySet<string>,
): readonly SetupOperation[] {
  const attributes = NOSUID | NOEXEC | NODEV;
  const operations: SetupOperation[] = [];
  if (plan.namespaces.ipc === 'host') {
    const more = { set: attributes, target: { create: 'directory', noFollow: true }, optional: true } as const;
    operations.push(bindOf('/dev/shm', '/dev/shm', more), bindOf('/dev/mqueue', '/dev/mqueue', more));
  } else {
    operations.push(
      mountOf(
        'tmpfs',
        '/dev/shm',
        attributes,
        [
          ['mode', '1777'],
          ['size', String(shmSize)],
        ],
        'shm',
      ),
      mountOf('mqueue', '/dev/mqueue', attributes),
    );
  }
  return operations.filter((operation) => !('path' in operation) || !userTargets.has(operation.path));
}
