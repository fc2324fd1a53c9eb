import type { CpuUsage } from '../cgroup/index.ts';
import type { ContainerStats, StatsReading } from './stats.ts';

/** CPU times in {@link DockerContainerStats}, in nanoseconds. @public */
export interface DockerCpuStats {
  readonly cpu_usage: {
    readonly total_usage: number;
    readonly usage_in_kernelmode: number;
    readonly usage_in_usermode: number;
  };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
  readonly throttling_data: {
    readonly periods: number;
    readonly throttled_periods: number;
    readonly throttled_time: number;
  };
}

/** A figure of a block device in {@link DockerContainerStats}. @public */
export interface DockerBlkioEntry {
  readonly major: number;
  readonly minor: number;
  readonly op: 'read' | 'write';
  readonly value: number;
}

/** The Docker Engine API's answer to `GET /containers/{id}/stats`. @public */
export interface DockerContainerStats {
  readonly id: string;
  /** With a slash before it, as Docker has it. */
  readonly name: string;
  readonly os_type: 'linux';
  readonly read: string;
  readonly preread: string;
  readonly cpu_stats: DockerCpuStats;
  readonly precpu_stats: DockerCpuStats;
  readonly memory_stats: {
    readonly usage?: number;
    readonly max_usage?: number;
    readonly stats?: Readonly<Record<string, number>>;
    readonly failcnt?: number;
    readonly limit?: number;
  };
  readonly pids_stats: { readonly current?: number; readonly limit?: number };
  readonly blkio_stats: {
    readonly io_service_bytes_recursive: readonly DockerBlkioEntry[] | null;
    readonly io_serviced_recursive: readonly DockerBlkioEntry[] | null;
  };
}

/** Docker's way to say that there was no reading before. */
const never = '0001-01-01T00:00:00Z';

/**
 * Statistics in the fields of the Docker Engine API, so that what was written for Docker's (the percentage of its CPU
 * above all) can be used as it is. A figure that this host does not keep is left out, or 0 where Docker always has one.
 *
 * @public
 */
export function toDockerStats(stats: ContainerStats): DockerContainerStats {
  const { memory, pids, io, previous, host } = stats;
  return {
    id: stats.id,
    name: `/${stats.name}`,
    os_type: 'linux',
    read: stats.time.toISOString(),
    preread: previous?.time.toISOString() ?? never,
    cpu_stats: cpuStats(stats),
    precpu_stats: previous === null ? cpuFields(null) : cpuStats(previous),
    memory_stats: {
      ...known('usage', memory.total),
      ...known('max_usage', memory.peak),
      ...(memory.total === null ? {} : { stats: memory.details }),
      ...known('failcnt', memory.limitHits),
      // Docker names the machine's memory where there is no limit.
      ...(memory.total === null ? {} : { limit: Math.min(memory.limit ?? host.memory, host.memory) }),
    },
    pids_stats: { ...known('current', pids.current), ...known('limit', pids.limit) },
    blkio_stats: {
      io_service_bytes_recursive: entries(io, 'readBytes', 'writtenBytes'),
      io_serviced_recursive: entries(io, 'reads', 'writes'),
    },
  };
}

function cpuStats({ cpu, host }: StatsReading): DockerCpuStats {
  return { ...cpuFields(cpu), system_cpu_usage: host.cpuTime, online_cpus: host.onlineCpus };
}

function cpuFields(cpu: CpuUsage | null): DockerCpuStats {
  return {
    cpu_usage: {
      total_usage: cpu?.usage ?? 0,
      usage_in_kernelmode: cpu?.system ?? 0,
      usage_in_usermode: cpu?.user ?? 0,
    },
    throttling_data: {
      periods: cpu?.periods ?? 0,
      throttled_periods: cpu?.throttledPeriods ?? 0,
      throttled_time: cpu?.throttled ?? 0,
    },
  };
}

function entries(
  { readBytes, devices }: StatsReading['io'],
  read: 'readBytes' | 'reads',
  written: 'writtenBytes' | 'writes',
): readonly DockerBlkioEntry[] | null {
  if (readBytes === null) return null;
  return devices.flatMap((device) => [
    { major: device.major, minor: device.minor, op: 'read' as const, value: device[read] },
    { major: device.major, minor: device.minor, op: 'write' as const, value: device[written] },
  ]);
}

function known<Name extends string>(name: Name, value: number | null): { readonly [Each in Name]?: number } {
  return value === null ? {} : ({ [name]: value } as { readonly [Each in Name]: number });
}
