import { execFileSync, spawnSync } from 'node:child_process';
import type { Rootfs } from './rootfs.ts';

/**
 * The same steps as the supervisor's, by path and in good faith: the positive control of the attacks. What doesn't
 * succeed against this proves nothing when it fails against hako.
 */
function inOwnMounts(rootfs: Rootfs, script: string): string {
  const { stdout } = spawnSync(
    'unshare',
    ['-m', 'sh', '-c', `mount --make-rprivate /; cd '${rootfs.path}'; ${script}`],
    { encoding: 'utf8' },
  );
  return stdout;
}

/** Where a tmpfs ends up that is meant for a path in the root. */
export const mountPoint = (rootfs: Rootfs, path: string): string | undefined =>
  inOwnMounts(rootfs, `mount -t tmpfs naive '${rootfs.at(path)}' && grep ' naive ' /proc/self/mountinfo`).split(' ')[4];

export const makeDirectory = (rootfs: Rootfs, path: string): void => {
  spawnSync('mkdir', ['-p', rootfs.at(path)]);
};

export const makeFile = (rootfs: Rootfs, path: string): void => {
  spawnSync('sh', ['-c', `: >> '${rootfs.at(path)}'`]);
};

/** What a file reads like after the image's own /dev/null was mounted over it. */
export const masked = (rootfs: Rootfs, path: string): string =>
  inOwnMounts(rootfs, `mount --bind dev/null '${path}' && timeout 1 head -c 100 '${path}'`);

/** Root's changes to a file that a host's device was mounted over. */
export const changeMask = (rootfs: Rootfs, device: string, script: string): void => {
  inOwnMounts(rootfs, `mount --bind '${device}' etc/passwd && chroot . /bin/sh -c '${script}'`);
};

/** What lies in a working directory that is entered with a host's directory still open. */
export const listWorkingDirectory = (rootfs: Rootfs, cwd: string, leaked: string): string =>
  inOwnMounts(rootfs, `mount -t proc proc proc; exec 9< '${leaked}'; chroot . /bin/sh -c "cd '${cwd}' && ls"`);

/** What a program reads whose standard input was opened by a path of the image, before its root was entered. */
export const readsBeforeRoot = (rootfs: Rootfs, path: string): string =>
  inOwnMounts(rootfs, `chroot . /bin/cat < '${path}'`);

/** A value that is written to a procfs file of a root in which something else may be mounted there. */
export const writeProc = (rootfs: Rootfs, path: string, value: string, over: string): void => {
  inOwnMounts(rootfs, `mount -t proc proc proc; mount --bind '${over}' proc; echo '${value}' > 'proc/${path}'`);
};

/** Whether the account file can be read to its end within a second. */
export const readsAccounts = (rootfs: Rootfs): boolean =>
  spawnSync('sh', ['-c', `ulimit -v 400000; timeout 1 tail -n 1 '${rootfs.at('etc/passwd')}' | head -c 1000`], {
    encoding: 'utf8',
  }).stdout !== '';

/** Comes into a container's pid namespace with no more power than is there already, and takes half a second on its way, with a file open. */
export const enter = (pid: number, open = '/dev/null'): void => {
  execFileSync('sh', [
    '-c',
    'exec 9< "$0"; exec "$@"',
    open,
    'nsenter',
    '-t',
    String(pid),
    '-p',
    'setpriv',
    '--bounding-set',
    '-all',
    '--inh-caps',
    '-all',
    'sleep',
    '0.5',
  ]);
};
