import { spawnSync } from 'node:child_process';
import { posix } from 'node:path';
import type { Mount } from '../../contracts/mount.ts';

/**
 * Runs a shell script in a snapshot, in a mount namespace of its own: as an ordinary user in a user namespace, in
 * which that user is root. It needs sh(1), mount(8) and unshare(1). The script's directory is the snapshot's root.
 *
 * @returns what it printed
 * @throws Error with what it wrote to stderr, when it fails or the mounts do
 */
export function runMounted(mounts: readonly Mount[], script: string): string {
  const lines = mounts.map(mountCommand);
  const flags = process.getuid?.() === 0 ? ['-m'] : ['-rm'];
  const result = spawnSync(
    'unshare',
    [...flags, '--propagation', 'private', 'sh', '-euc', [...preamble, ...lines, 'cd "$root"', script].join('\n')],
    {
      encoding: 'utf8',
      timeout: 30_000,
      // util-linux ≥ 2.39 would use fsconfig(2), whose strings end at 256 bytes.
      env: { ...process.env, LIBMOUNT_FORCE_MOUNT2: 'always', LC_ALL: 'C' },
    },
  );
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) throw new Error(`the script ended with ${result.status ?? result.signal}: ${result.stderr}`);
  return result.stdout;
}

const preamble = ['root=/mnt', 'mount -t tmpfs tmpfs /mnt', 'mkdir /mnt/root', 'root=/mnt/root'];

function mountCommand(mount: Mount): string {
  const target = `"$root"/${quote(mount.target ?? '')}`;
  if (mount.type === 'bind') {
    const readOnly = mount.options.includes('ro') ? `\nmount -o remount,bind,ro ${target}` : '';
    return `mount --${mount.options.includes('rbind') ? 'rbind' : 'bind'} ${quote(mount.source)} ${target}${readOnly}`;
  }
  const lower = mount.options
    .filter((option) => option.startsWith('lowerdir+='))
    .map((option) => option.slice('lowerdir+='.length));
  const others = mount.options.filter((option) => !option.startsWith('lowerdir+='));
  const base = commonDirectory(lower);
  // mount(2) takes one page of options: with relative paths, many layers fit.
  const options = [
    ...(lower.length === 0 ? [] : [`lowerdir=${lower.map((path) => posix.relative(base, path) || '.').join(':')}`]),
    ...others,
  ];
  return `cd ${quote(base)}\nmount -t ${quote(mount.type)} -o ${quote(options.join(','))} ${quote(mount.source)} ${target}`;
}

function commonDirectory(paths: readonly string[]): string {
  const [first = '/', ...rest] = paths;
  let common = posix.dirname(first);
  while (!rest.every((path) => path.startsWith(`${common}/`)) && common !== '/') common = posix.dirname(common);
  return common;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
