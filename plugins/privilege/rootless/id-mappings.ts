import type { FileOwnership, HostInfo, IdMapping, SubordinateRange } from 'libhako/plugin';

/**
 * How ids of a rootless container map to the host's. Root inside is this user; the others are the ranges that
 * /etc/subuid and /etc/subgid grant. Without such ranges only root is mapped, and files of other owners are this
 * user's as well.
 *
 * For root itself, root inside is *not* root outside: all ids come from a range.
 */
export function planOwnership(host: HostInfo): FileOwnership {
  const { idRanges } = host;
  if (!idRanges.supported) {
    return {
      kind: 'single',
      idMappings: {
        uid: [{ containerId: 0, hostId: host.uid, size: 1 }],
        gid: [{ containerId: 0, hostId: host.gid, size: 1 }],
        // A process that could leave a group could get past a file that the group is locked out of (user_namespaces(7)).
        method: { kind: 'direct', denySetgroups: true },
      },
    };
  }
  const own = host.uid !== 0;
  return {
    kind: 'mapped',
    idMappings: {
      uid: consecutive(own ? [{ start: host.uid, size: 1 }, ...idRanges.uid] : idRanges.uid),
      gid: consecutive(own ? [{ start: host.gid, size: 1 }, ...idRanges.gid] : idRanges.gid),
      method: idRanges.method.kind === 'helpers' ? idRanges.method : { kind: 'direct', denySetgroups: false },
    },
  };
}

function consecutive(ranges: readonly SubordinateRange[]): readonly IdMapping[] {
  let containerId = 0;
  return ranges.map(({ start, size }) => {
    const mapping = { containerId, hostId: start, size };
    containerId += size;
    return mapping;
  });
}
