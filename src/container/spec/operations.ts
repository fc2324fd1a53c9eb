import type { SetupOperation, TargetPolicy } from '../../native/protocol.ts';

/** A directory of hako's own making: an image's link in its place is refused ("ordinary directory", CVE-2019-19921). */
export const ownDirectory: TargetPolicy = { create: 'directory', noFollow: true };
export const ownFile: TargetPolicy = { create: 'file', noFollow: true };
/** A path of the caller's: links are followed inside the root, as the caller's programs would. */
export const callersPath: TargetPolicy = { create: 'like-source', noFollow: false };

type Bind = Extract<SetupOperation, { kind: 'bind' }>;
type MountOperation = Extract<SetupOperation, { kind: 'mount' }>;

export function mountOf(
  type: string,
  path: string,
  attributes: bigint,
  options: MountOperation['options'] = [],
  source = type,
  target = ownDirectory,
): MountOperation {
  return { kind: 'mount', type, source, path, attributes, options, target };
}

export function bindOf(
  hostPath: string,
  path: string,
  more: Partial<Omit<Bind, 'kind' | 'hostPath' | 'path'>> = {},
): Bind {
  return {
    kind: 'bind',
    hostPath,
    path,
    set: 0n,
    clear: 0n,
    propagation: 0n,
    target: callersPath,
    recursive: false,
    optional: false,
    device: false,
    opened: 'inside',
    ...more,
  };
}
