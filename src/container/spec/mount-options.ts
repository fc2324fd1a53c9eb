import {
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} from '../../native/protocol.ts';

export const RDONLY = BigInt(MOUNT_ATTR_RDONLY);
export const NOSUID = BigInt(MOUNT_ATTR_NOSUID);
export const NODEV = BigInt(MOUNT_ATTR_NODEV);
export const NOEXEC = BigInt(MOUNT_ATTR_NOEXEC);
export const STRICTATIME = BigInt(MOUNT_ATTR_STRICTATIME);

/** Attributes by option; 0 is the kernel's default, named for clearness. */
const attributes: Readonly<Record<string, bigint>> = {
  ro: RDONLY,
  rw: 0n,
  nosuid: NOSUID,
  suid: 0n,
  nodev: NODEV,
  dev: 0n,
  noexec: NOEXEC,
  exec: 0n,
  noatime: BigInt(MOUNT_ATTR_NOATIME),
  strictatime: STRICTATIME,
  relatime: 0n,
  nodiratime: BigInt(MOUNT_ATTR_NODIRATIME),
  nosymfollow: BigInt(MOUNT_ATTR_NOSYMFOLLOW),
};

const propagations: Readonly<Record<string, bigint>> = {
  private: BigInt(MS_PRIVATE),
  rprivate: BigInt(MS_PRIVATE) | BigInt(MS_REC),
  slave: BigInt(MS_SLAVE),
  rslave: BigInt(MS_SLAVE) | BigInt(MS_REC),
  shared: BigInt(MS_SHARED),
  rshared: BigInt(MS_SHARED) | BigInt(MS_REC),
  unbindable: BigInt(MS_UNBINDABLE),
  runbindable: BigInt(MS_UNBINDABLE) | BigInt(MS_REC),
};

export function propagationOf(name: string): bigint {
  return propagations[name] ?? 0n;
}

/** Options of mount(8), told apart into what the mount has and what the filesystem is told. */
export interface ParsedMountOptions {
  readonly attributes: bigint;
  readonly propagation: bigint;
  readonly recursive: boolean;
  /** For the filesystem, in order; an empty value is a flag. */
  readonly data: readonly (readonly [key: string, value: string])[];
}

export function parseMountOptions(options: readonly string[]): ParsedMountOptions {
  let set = 0n;
  let propagation = 0n;
  let recursive = false;
  const data: (readonly [string, string])[] = [];
  for (const option of options) {
    const attribute = attributes[option];
    if (attribute !== undefined) set |= attribute;
    else if (option === 'bind' || option === 'rbind') recursive = option === 'rbind';
    else if (propagations[option] !== undefined) propagation = propagationOf(option);
    else data.push(...dataOf(option));
  }
  return { attributes: set, propagation, recursive, data };
}

/** overlay's list of layers is given one by one: fsconfig(2) takes no value over 255 bytes. */
function dataOf(option: string): readonly (readonly [string, string])[] {
  const equals = option.indexOf('=');
  if (equals < 0) return [[option, '']];
  const [key, value] = [option.slice(0, equals), option.slice(equals + 1)];
  if (key !== 'lowerdir') return [[key, value]];
  const layers = value.match(/(?:\\.|[^:\\])+/g) ?? [];
  return layers.map((layer) => ['lowerdir+', layer.replace(/\\(.)/g, '$1')]);
}
