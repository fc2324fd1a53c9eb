import { HakoError } from '../../base/errors.ts';
import type { IsolationPlan } from '../../contracts/privilege-mode.ts';
import type { SetupOperation } from '../../native/protocol.ts';
import type { UserMount } from '../option-parts.ts';
import { ownDevicePaths } from './devices.ts';
import { NODEV, NOEXEC, NOSUID, parseMountOptions, propagationOf, RDONLY } from './mount-options.ts';
import { bindOf, mountOf } from './operations.ts';

/**
 * The caller's mounts, outer ones first.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for a target that hako's own mounts lie on, or that is given twice.
 */
export function userMountOperations(
  mounts: readonly UserMount[],
  plan: Pick<IsolationPlan, 'nodev' | 'idmappedRoot'>,
): readonly SetupOperation[] {
  const targets = new Set<string>();
  for (const { target } of mounts) {
    const problem = targetProblem(target);
    if (problem !== null)
      throw new HakoError('INVALID_OPTION', `Nothing can be mounted on ${target}: ${problem}. Choose another target.`, {
        path: target,
      });
    if (targets.has(target))
      throw new HakoError('INVALID_OPTION', `Two mounts have the target ${target}; leave one out.`, { path: target });
    targets.add(target);
  }
  return [...mounts]
    .sort((one, other) => depth(one.target) - depth(other.target))
    .map((mount) => operationOf(mount, plan));
}

/**
 * Volumes that an image declares. hako gives them no host directory, but an image that wants one over /proc is an
 * attack (CVE-2019-16884) and is not run.
 *
 * @throws HakoError `HAKO_ERR_INVALID_IMAGE`
 */
export function checkImageVolumes(volumes: readonly string[]): void {
  for (const volume of volumes) {
    const names = volume.split('/').filter((name) => name !== '' && name !== '.');
    const problem = !volume.startsWith('/')
      ? 'it is not absolute'
      : names.includes('..')
        ? "it leads out of its directory by '..'"
        : targetProblem(`/${names.join('/')}`);
    if (problem !== null)
      throw new HakoError(
        'INVALID_IMAGE',
        `The image declares the volume '${volume.slice(0, 200)}', which no container can have: ${problem}. Use another image.`,
      );
  }
}

/** Whether a mount there would take the place of what isolates the container, or of the root; null: no. */
function targetProblem(target: string): string | null {
  if (target === '/') return "it is the container's root";
  if (isWithin(target, '/proc') || isWithin(target, '/sys'))
    return 'it belongs to the kernel, and what isolates the container is set up there';
  if (ownDevicePaths.has(target) || isWithin(target, '/dev/pts'))
    return 'it is one of the devices that every container has';
  return null;
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

function depth(path: string): number {
  return path.split('/').length;
}

function operationOf(
  mount: UserMount,
  { nodev, idmappedRoot }: Pick<IsolationPlan, 'nodev' | 'idmappedRoot'>,
): SetupOperation {
  const readonly = (nodev ? NODEV : 0n) | (mount.readonly ? RDONLY : 0n);
  if (mount.type === 'bind') {
    if (mount.idmap && !idmappedRoot)
      throw new HakoError(
        'INVALID_OPTION',
        `The mount on ${mount.target} cannot be idmapped: the container has no ids of its own that root has given it. Use the mode normal with userns 'auto', or leave idmap out.`,
        { path: mount.target },
      );
    const { attributes } = parseMountOptions(mount.options);
    return bindOf(mount.source, mount.target, {
      set: attributes | readonly,
      propagation: propagationOf(mount.propagation),
      recursive: mount.recursive,
      opened: mount.idmap ? 'idmapped' : idmappedRoot ? 'host' : 'inside',
    });
  }
  const lifted = new Set<string>(mount.options);
  const attributes =
    (lifted.has('suid') ? 0n : NOSUID) |
    (lifted.has('dev') ? 0n : NODEV) |
    (lifted.has('exec') ? 0n : NOEXEC) |
    parseMountOptions(mount.options).attributes;
  const options = [
    ['mode', mount.mode.toString(8)],
    ...(mount.size === undefined ? [] : [['size', String(mount.size)] as const]),
  ] as const;
  return mountOf('tmpfs', mount.target, attributes | readonly, options, 'tmpfs', {
    create: 'directory',
    noFollow: false,
  });
}
