import type { IdMapping, IdMappings } from '../contracts/isolation.ts';
import type { IdMapRequest } from './protocol.ts';

/** Id mappings as the lines of user_namespaces(7) that the supervisor and the worker are given; null: no user namespace. */
export function idMapRequest(idMappings: IdMappings | null): IdMapRequest {
  if (idMappings === null) return { method: 'none' };
  const maps = { uidMap: lines(idMappings.uid), gidMap: lines(idMappings.gid) };
  const { method } = idMappings;
  return method.kind === 'direct'
    ? { method: 'direct', ...maps, denySetgroups: method.denySetgroups }
    : { method: 'helpers', ...maps, denySetgroups: false, newuidmap: method.newuidmap, newgidmap: method.newgidmap };
}

function lines(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerId, hostId, size }) => `${containerId} ${hostId} ${size}\n`).join('');
}
