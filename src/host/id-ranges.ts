import type { HostInfo, SubordinateRange } from '../contracts/host-info.ts';
import type { HostFiles } from './files.ts';

/**
 * Ids that rootless containers of root use when /etc/subuid grants root none. It lies above what systemd gives to
 * containers (524288 … 1879048191) and under 2^31, where systemd's UIDS-GIDS has nothing reserved.
 */
export const rootRange: SubordinateRange = { start: 1_879_048_192, size: 65_536 };

const USABLE = 65_536;
/** A map has 340 lines at most (user_namespaces(7)); one is for the user. */
const MOST_RANGES = 339;

export interface IdOwner {
  readonly uid: number;
  readonly gid: number;
  /** null: the id has no entry in passwd. */
  readonly name: string | null;
}

/** Which ids a user may map into a user namespace (subuid(5), newuidmap(1)). */
export function detectIdRanges(user: IdOwner, files: HostFiles): HostInfo['idRanges'] {
  const uid = rangesOf(files.read('/etc/subuid'), user, user.uid);
  const gid = rangesOf(files.read('/etc/subgid'), user, user.gid);
  if (user.uid === 0) return rangesOfRoot(uid, gid, files);
  if (/^NoNewPrivs:\s+1$/m.test(files.read('/proc/self/status') ?? '')) {
    return {
      supported: false,
      reason: 'this process cannot gain privileges (no_new_privs), which newuidmap and newgidmap do',
      remedy: 'start it without no_new_privs (systemd: NoNewPrivileges=no)',
    };
  }
  const newuidmap = files.findProgram('newuidmap');
  const newgidmap = files.findProgram('newgidmap');
  if (newuidmap === null || newgidmap === null) {
    return {
      supported: false,
      reason: `${newuidmap === null ? 'newuidmap' : 'newgidmap'} is not installed`,
      remedy: 'install the package uidmap (Debian, Ubuntu; Alpine: shadow-uidmap, Fedora: shadow-utils)',
    };
  }
  const who = user.name ?? String(user.uid);
  if (uid.length === 0)
    return {
      supported: false,
      reason: `/etc/subuid grants no ids to ${who}`,
      remedy: `run 'usermod --add-subuids 100000-165535 ${who}' as root`,
    };
  if (gid.length === 0)
    return {
      supported: false,
      reason: `/etc/subgid grants no ids to ${who}`,
      remedy: `run 'usermod --add-subgids 100000-165535 ${who}' as root`,
    };
  if (!isMapped(uid, files.read('/proc/self/uid_map')) || !isMapped(gid, files.read('/proc/self/gid_map'))) {
    return {
      supported: false,
      reason: `this process is in a user namespace that does not have the ids ${describe(uid)} of /etc/subuid and ${describe(gid)} of /etc/subgid`,
      remedy: 'start that namespace with them, or give ids that it has in /etc/subuid and /etc/subgid',
    };
  }
  return { supported: true, method: { kind: 'helpers', newuidmap, newgidmap }, uid, gid };
}

/** Root writes maps itself: of its own ranges, else of one that nobody has, else of the user namespace that it is root of. */
function rangesOfRoot(
  uid: readonly SubordinateRange[],
  gid: readonly SubordinateRange[],
  files: HostFiles,
): HostInfo['idRanges'] {
  const [uidMap, gidMap] = [files.read('/proc/self/uid_map'), files.read('/proc/self/gid_map')];
  const candidates = [
    { uid: enough(uid) ? uid : [rootRange], gid: enough(gid) ? gid : [rootRange] },
    { uid: insideOf(uidMap), gid: insideOf(gidMap) },
  ];
  const ranges = candidates.find((each) => isMapped(each.uid, uidMap) && isMapped(each.gid, gidMap));
  if (ranges !== undefined && count(ranges.uid) > 1 && count(ranges.gid) > 1) {
    return { supported: true, method: { kind: 'direct' }, ...ranges };
  }
  return {
    supported: false,
    reason: 'this process is in a user namespace that has one id',
    remedy: 'start that namespace with a range of ids',
  };
}

/** Lines of subuid(5): name or uid, first id, count. Lines that are not of this form are passed over, as shadow does. */
function rangesOf(text: string | null, user: IdOwner, own: number): readonly SubordinateRange[] {
  const ranges: SubordinateRange[] = [];
  for (const line of (text ?? '').split('\n')) {
    const [, owner, start, size] = /^([^:#]+):(\d{1,10}):(\d{1,10})$/.exec(line.trim()) ?? [];
    if (owner === undefined || (owner !== user.name && owner !== String(user.uid))) continue;
    const range = { start: Number(start), size: Number(size) };
    if (isUsable(range, own) && !ranges.some((other) => overlap(range, other))) ranges.push(range);
  }
  return ranges.slice(0, MOST_RANGES);
}

/** Ids that /etc/subuid and /etc/subgid grant to anybody. */
export function grantedToAnyone(files: HostFiles): readonly SubordinateRange[] {
  return ['/etc/subuid', '/etc/subgid'].flatMap((path) =>
    [...(files.read(path) ?? '').matchAll(/^[^:#\n]+:(\d{1,10}):(\d{1,10})\s*$/gm)].map(([, start, size]) => ({
      start: Number(start),
      size: Number(size),
    })),
  );
}

/** Whether this process's own user namespace has all of the ids. */
export function hasIds(range: SubordinateRange, files: HostFiles): boolean {
  return isMapped([range], files.read('/proc/self/uid_map')) && isMapped([range], files.read('/proc/self/gid_map'));
}

/** An id may be mapped once, and the user's own is root inside already. */
function isUsable(range: SubordinateRange, own: number): boolean {
  return (
    range.size > 0 &&
    range.start > 0 &&
    range.start + range.size <= 2 ** 32 - 1 &&
    !overlap(range, { start: own, size: 1 })
  );
}

function overlap(one: SubordinateRange, other: SubordinateRange): boolean {
  return one.start < other.start + other.size && other.start < one.start + one.size;
}

function enough(ranges: readonly SubordinateRange[]): boolean {
  return count(ranges) >= USABLE;
}

function count(ranges: readonly SubordinateRange[]): number {
  return ranges.reduce((sum, { size }) => sum + size, 0);
}

function isMapped(ranges: readonly SubordinateRange[], map: string | null): boolean {
  const lines = insideOf(map);
  return ranges.every((range) =>
    lines.some(({ start, size }) => range.start >= start && range.start + range.size <= start + size),
  );
}

/** The ids that there are in a user namespace, by its own map (user_namespaces(7)). */
function insideOf(map: string | null): readonly SubordinateRange[] {
  return [...(map ?? '').matchAll(/^\s*(\d+)\s+\d+\s+(\d+)\s*$/gm)].map(([, start, size]) => ({
    start: Number(start),
    size: Number(size),
  }));
}

function describe(ranges: readonly SubordinateRange[]): string {
  return ranges.map(({ start, size }) => `${start}–${start + size - 1}`).join(', ');
}
