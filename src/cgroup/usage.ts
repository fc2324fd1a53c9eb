import { integer, keyed, numbers, readAll, scaled } from './figures.ts';
import { type CgroupReader, kernelCgroupFiles } from './files.ts';
import { type IoUsage, readIo } from './io-usage.ts';
import type { CgroupGroup } from './plan.ts';

/** Memory that a container uses. @public */
export interface MemoryUsage {
  /** Bytes, without page cache that can be dropped at once (inactive_file), as `docker stats` shows them. */
  readonly usage: number | null;
  /** Bytes, with all page cache: what is held against the limit. */
  readonly total: number | null;
  /** Bytes: the most that `total` has been. */
  readonly peak: number | null;
  /** Bytes; null: no limit, or not known. */
  readonly limit: number | null;
  /** Bytes of page cache. */
  readonly cache: number | null;
  /** Bytes of swap. */
  readonly swap: number | null;
  /** Processes killed because memory ran out. */
  readonly oomKills: number | null;
  /** How often the limit was run into. */
  readonly limitHits: number | null;
  /** The kernel's own figures, by its names: memory.stat (cgroup-v2.rst, cgroup-v1/memory.rst). */
  readonly details: Readonly<Record<string, number>>;
}

/** CPU time that a container has used. @public */
export interface CpuUsage {
  /** Nanoseconds of CPU time. */
  readonly usage: number | null;
  /** Nanoseconds in the programs themselves. */
  readonly user: number | null;
  /** Nanoseconds in the kernel. */
  readonly system: number | null;
  /** Periods of the quota in which there was something to run. */
  readonly periods: number | null;
  /** Periods in which the quota ran out. */
  readonly throttledPeriods: number | null;
  /** Nanoseconds spent waiting for the quota. */
  readonly throttled: number | null;
}

/** Processes and threads of a container. @public */
export interface PidsUsage {
  /** Processes and threads; null: not known here. */
  readonly current: number | null;
  /** null: no limit, or not known. */
  readonly limit: number | null;
}

/**
 * What a container uses. A figure that this host does not keep is null, never 0.
 *
 * @public
 */
export interface ResourceUsage {
  readonly memory: MemoryUsage;
  readonly cpu: CpuUsage;
  readonly pids: PidsUsage;
  readonly io: IoUsage;
}

const NS_PER_US = 1000;
/** USER_HZ is 100 on all that hako runs on. */
const NS_PER_TICK = 10_000_000;

/** Reads the usage of a container's groups. Groups that are gone give null figures. */
export async function readUsage(
  groups: readonly CgroupGroup[],
  files: CgroupReader = kernelCgroupFiles,
): Promise<ResourceUsage> {
  const unified = groups.find(({ version }) => version === 2)?.directory;
  const of = (controller: string): string | undefined =>
    groups.find(({ version, controllers }) => version === 1 && controllers.includes(controller))?.directory;
  const [legacyMemory, cpuacct, blkio] = [of('memory'), of('cpuacct'), of('blkio')];
  const [memory, cpu, pids, io] = await Promise.all([
    legacyMemory === undefined ? unifiedMemoryUsage(unified, files) : legacyMemoryUsage(legacyMemory, files),
    cpuacct === undefined ? unifiedCpuUsage(unified, files) : legacyCpuUsage(cpuacct, of('cpu'), files),
    pidsUsage(of('pids') ?? unified, files),
    readIo(blkio, unified, files),
  ]);
  return { memory, cpu, pids, io };
}

async function unifiedMemoryUsage(directory: string | undefined, files: CgroupReader): Promise<MemoryUsage> {
  const [current, peak, max, swap, stat, events] = await readAll(
    directory,
    ['memory.current', 'memory.peak', 'memory.max', 'memory.swap.current', 'memory.stat', 'memory.events'],
    files,
  );
  const fields = keyed(stat);
  const counts = keyed(events);
  return {
    usage: without(integer(current), fields.get('inactive_file')),
    total: integer(current),
    peak: integer(peak),
    limit: integer(max),
    cache: integer(fields.get('file')),
    swap: integer(swap),
    oomKills: integer(counts.get('oom_kill')),
    limitHits: integer(counts.get('max')),
    details: numbers(fields),
  };
}

async function legacyMemoryUsage(directory: string, files: CgroupReader): Promise<MemoryUsage> {
  const [current, peak, max, stat, control, hits] = await readAll(
    directory,
    [
      'memory.usage_in_bytes',
      'memory.max_usage_in_bytes',
      'memory.limit_in_bytes',
      'memory.stat',
      'memory.oom_control',
      'memory.failcnt',
    ],
    files,
  );
  const fields = keyed(stat);
  const limit = integer(max);
  return {
    usage: without(integer(current), fields.get('total_inactive_file')),
    total: integer(current),
    peak: integer(peak),
    // "No limit" is LONG_MAX rounded down to a page.
    limit: limit !== null && limit < 2 ** 62 ? limit : null,
    cache: integer(fields.get('total_cache')),
    swap: integer(fields.get('total_swap')),
    oomKills: integer(keyed(control).get('oom_kill')),
    limitHits: integer(hits),
    details: numbers(fields),
  };
}

async function unifiedCpuUsage(directory: string | undefined, files: CgroupReader): Promise<CpuUsage> {
  const [stat] = await readAll(directory, ['cpu.stat'], files);
  const fields = keyed(stat);
  return {
    usage: scaled(fields.get('usage_usec'), NS_PER_US),
    user: scaled(fields.get('user_usec'), NS_PER_US),
    system: scaled(fields.get('system_usec'), NS_PER_US),
    periods: integer(fields.get('nr_periods')),
    throttledPeriods: integer(fields.get('nr_throttled')),
    throttled: scaled(fields.get('throttled_usec'), NS_PER_US),
  };
}

async function legacyCpuUsage(
  directory: string,
  cpuDirectory: string | undefined,
  files: CgroupReader,
): Promise<CpuUsage> {
  const [[usage, split], [throttling]] = await Promise.all([
    readAll(directory, ['cpuacct.usage', 'cpuacct.stat'], files),
    readAll(cpuDirectory, ['cpu.stat'], files),
  ]);
  const fields = keyed(split);
  const quota = keyed(throttling);
  return {
    usage: integer(usage),
    user: scaled(fields.get('user'), NS_PER_TICK),
    system: scaled(fields.get('system'), NS_PER_TICK),
    periods: integer(quota.get('nr_periods')),
    throttledPeriods: integer(quota.get('nr_throttled')),
    throttled: integer(quota.get('throttled_time')),
  };
}

async function pidsUsage(directory: string | undefined, files: CgroupReader): Promise<PidsUsage> {
  const [current, max] = await readAll(directory, ['pids.current', 'pids.max'], files);
  return { current: integer(current), limit: integer(max) };
}

function without(usage: number | null, inactive: string | undefined): number | null {
  if (usage === null) return null;
  const droppable = integer(inactive) ?? 0;
  return droppable < usage ? usage - droppable : 0;
}
