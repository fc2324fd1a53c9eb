import type { MountPoint } from './tree-worker.ts';

/**
 * What every container has something mounted on, or what its programs expect and images leave out. It is made once
 * for each image, below its containers' own layers, so that a container's changes are its own only. Docker's init layer.
 *
 * There is no /.dockerenv: programs take it for Docker's promise of more than this.
 */
export const initMountPoints: readonly MountPoint[] = [
  ...['proc', 'sys', 'dev', 'dev/pts', 'dev/shm', 'etc'].map(
    (path): MountPoint => ({ kind: 'directory', path, mode: 0o755 }),
  ),
  ...['dev/console', 'etc/hosts', 'etc/hostname', 'etc/resolv.conf'].map(
    (path): MountPoint => ({ kind: 'file', path, mode: 0o644 }),
  ),
  { kind: 'symlink', path: 'etc/mtab', target: '/proc/mounts' },
];
