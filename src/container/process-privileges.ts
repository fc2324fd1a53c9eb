import { readFileSync } from 'node:fs';
import { capabilityNames } from '../base/capabilities.ts';
import type { CapabilitySets, IdMapping } from '../contracts/isolation.ts';

/** What a process may do, as proc_pid_status(5) and its neighbours tell it: not what it was to be allowed. @public */
export interface ProcessPrivileges {
  readonly capabilities: CapabilitySets;
  readonly noNewPrivileges: boolean;
  readonly seccomp: 'none' | 'strict' | 'filter';
  /** How many filters are in force, one on top of the other. */
  readonly seccompFilters: number;
  /** The AppArmor profile with its mode, as `docker-default (enforce)`; null without AppArmor. */
  readonly apparmor: string | null;
  /** As seen from this process; of a container without a user namespace of its own the same as this process's. */
  readonly uidMap: readonly IdMapping[];
  readonly gidMap: readonly IdMapping[];
}

const seccompModes = ['none', 'strict', 'filter'] as const;

/** null: the process is gone. */
export function processPrivileges(pid: number, procfs = '/proc'): ProcessPrivileges | null {
  const read = (file: string): string | null => {
    try {
      return readFileSync(`${procfs}/${pid}/${file}`, 'utf8');
    } catch {
      return null;
    }
  };
  const status = read('status');
  const [uidMap, gidMap] = [read('uid_map'), read('gid_map')];
  if (status === null || uidMap === null || gidMap === null) return null;
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '0';
  const set = (name: string): readonly string[] => capabilityNames(BigInt(`0x${field(name)}`));
  return {
    capabilities: {
      bounding: set('CapBnd'),
      effective: set('CapEff'),
      permitted: set('CapPrm'),
      inheritable: set('CapInh'),
      ambient: set('CapAmb'),
    },
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: seccompModes[Number(field('Seccomp'))] ?? 'filter',
    seccompFilters: Number(field('Seccomp_filters')),
    apparmor: read('attr/apparmor/current')?.trim() ?? null,
    uidMap: idMap(uidMap),
    gidMap: idMap(gidMap),
  };
}

function idMap(text: string): readonly IdMapping[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([containerId, hostId, size]) =>
      containerId === undefined || hostId === undefined || size === undefined ? [] : [{ containerId, hostId, size }],
    );
}
