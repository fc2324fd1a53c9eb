import { type CgroupFiles, kernelCgroupFiles } from './files.ts';
import type { CgroupGroup } from './plan.ts';

/**
 * What a container uses. A figure that this host does not keep is null, never 0.
 *
 * @public
 */
export interface ResourceUsage {
  readonly memory: {
    /** Bytes, without page cache that can be dropped at once (inactive_file), as `docker stats` counts. */
    readonly usage: number | null;
    /** Bytes; null: no limit, or not known. */
    readonly limit: number | null;
    /** Bytes of page cache. */
    readonly cache: number | null;
    /** Bytes of swap. */
    readonly swap: number | null;
    /** Processes killed because memory ran out. */
    readonly oomKills: number | null;
  };
  readonly cpu: {
    /** Nanoseconds of CPU time. */
    readonly usage: bigint | null;
    readonly user: bigint | null;
    readonly system: bigint | null;
    /** Periods in which the quota ran out. */
    readonly throttledPeriods: number | null;
    /** Nanoseconds spent waiting for the quota. */
    readonly throttled: bigint | null;
  };
  readonly pids: { readonly current: number | null; readonly limit: number | null };
  /** Bytes and operations of all block devices together. */
  readonly io: {
    readonly readBytes: bigint | null;
    readonly writtenBytes: bigint | null;
    readonly reads: bigint | null;
    readonly writes: bigint | null;
  };
}

const NS_PER_US = 1000n;
const USER_HZ_NS = 10_000_000n;

/** Reads the usage of a container's groups. Groups that are gone give null figures. */
export async function readUsage(
  groups: readonly CgroupGroup[],
  files: CgroupFiles = kernelCgroupFiles,
): Promise<ResourceUsage> {
  const unified = groups.find(({ version }) => version === 2)?.directory;
  const of = (controller: string): string | undefined =>
    groups.find(({ version, controllers }) => version === 1 && controllers.includes(controller))?.directory;
  const [memory, cpu, pids, io] = await Promise.all([
    legacyOr(
      of('memory'),
      (directory) => legacyMemory(directory, files),
      () => unifiedMemory(unified, files),
    ),
    legacyOr(
      of('cpuacct'),
      (directory) => legacyCpu(directory, of('cpu'), files),
      () => unifiedCpu(unified, files),
    ),
    readPids(of('pids') ?? unified, files),
    legacyOr(
      of('blkio'),
      (directory) => legacyIo(directory, files),
      () => unifiedIo(unified, files),
    ),
  ]);
  return { memory, cpu, pids, io };
}

function legacyOr<T>(
  directory: string | undefined,
  legacy: (directory: string) => Promise<T>,
  unified: () => Promise<T>,
): Promise<T> {
  return directory === undefined ? unified() : legacy(directory);
}

async function unifiedMemory(directory: string | undefined, files: CgroupFiles): Promise<ResourceUsage['memory']> {
  const [current, max, swap, stat, events] = await readAll(
    directory,
    ['memory.current', 'memory.max', 'memory.swap.current', 'memory.stat', 'memory.events'],
    files,
  );
  const fields = keyed(stat);
  return {
    usage: without(integer(current), fields.get('inactive_file')),
    limit: integer(max),
    cache: number(fields.get('file')),
    swap: integer(swap),
    oomKills: number(keyed(events).get('oom_kill')),
  };
}

async function legacyMemory(directory: string, files: CgroupFiles): Promise<ResourceUsage['memory']> {
  const [current, max, stat, control] = await readAll(
    directory,
    ['memory.usage_in_bytes', 'memory.limit_in_bytes', 'memory.stat', 'memory.oom_control'],
    files,
  );
  const fields = keyed(stat);
  const limit = integer(max);
  return {
    usage: without(integer(current), fields.get('total_inactive_file')),
    // "No limit" is LONG_MAX rounded down to a page.
    limit: limit !== null && limit < 2 ** 62 ? limit : null,
    cache: number(fields.get('total_cache')),
    swap: number(fields.get('total_swap')),
    oomKills: number(keyed(control).get('oom_kill')),
  };
}

async function unifiedCpu(directory: string | undefined, files: CgroupFiles): Promise<ResourceUsage['cpu']> {
  const [stat] = await readAll(directory, ['cpu.stat'], files);
  const fields = keyed(stat);
  return {
    usage: scaled(fields.get('usage_usec'), NS_PER_US),
    user: scaled(fields.get('user_usec'), NS_PER_US),
    system: scaled(fields.get('system_usec'), NS_PER_US),
    throttledPeriods: number(fields.get('nr_throttled')),
    throttled: scaled(fields.get('throttled_usec'), NS_PER_US),
  };
}

async function legacyCpu(
  directory: string,
  cpuDirectory: string | undefined,
  files: CgroupFiles,
): Promise<ResourceUsage['cpu']> {
  const [usage, split] = await readAll(directory, ['cpuacct.usage', 'cpuacct.stat'], files);
  const [throttling] = await readAll(cpuDirectory, ['cpu.stat'], files);
  const fields = keyed(split);
  return {
    usage: bigint(usage?.trim()),
    user: scaled(fields.get('user'), USER_HZ_NS),
    system: scaled(fields.get('system'), USER_HZ_NS),
    throttledPeriods: number(keyed(throttling).get('nr_throttled')),
    throttled: bigint(keyed(throttling).get('throttled_time')),
  };
}

async function readPids(directory: string | undefined, files: CgroupFiles): Promise<ResourceUsage['pids']> {
  const [current, max] = await readAll(directory, ['pids.current', 'pids.max'], files);
  return { current: integer(current), limit: integer(max) };
}

async function unifiedIo(directory: string | undefined, files: CgroupFiles): Promise<ResourceUsage['io']> {
  const [stat] = await readAll(directory, ['io.stat'], files);
  const sum = (key: string): bigint | null =>
    stat === null
      ? null
      : [...stat.matchAll(new RegExp(`\\b${key}=(\\d+)`, 'g'))].reduce(
          (total, [, value = '0']) => total + BigInt(value),
          0n,
        );
  return { readBytes: sum('rbytes'), writtenBytes: sum('wbytes'), reads: sum('rios'), writes: sum('wios') };
}

async function legacyIo(directory: string, files: CgroupFiles): Promise<ResourceUsage['io']> {
  const [bytes, operations] = await readAll(
    directory,
    ['blkio.throttle.io_service_bytes_recursive', 'blkio.throttle.io_serviced_recursive'],
    files,
  );
  const sum = (text: string | null, kind: string): bigint | null =>
    text === null
      ? null
      : [...text.matchAll(new RegExp(`^\\d+:\\d+ ${kind} (\\d+)$`, 'gm'))].reduce(
          (total, [, value = '0']) => total + BigInt(value),
          0n,
        );
  return {
    readBytes: sum(bytes, 'Read'),
    writtenBytes: sum(bytes, 'Write'),
    reads: sum(operations, 'Read'),
    writes: sum(operations, 'Write'),
  };
}

async function readAll<const Names extends readonly string[]>(
  directory: string | undefined,
  names: Names,
  files: CgroupFiles,
): Promise<{ [K in keyof Names]: string | null }> {
  const texts = await Promise.all(
    names.map((name) => (directory === undefined ? null : files.read(`${directory}/${name}`))),
  );
  return texts as { [K in keyof Names]: string | null };
}

function keyed(text: string | null): ReadonlyMap<string, string> {
  return new Map(
    (text ?? '').split('\n').flatMap((line) => {
      const space = line.indexOf(' ');
      return space < 0 ? [] : [[line.slice(0, space), line.slice(space + 1)] as const];
    }),
  );
}

function number(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

/** Also null for "max". */
function integer(text: string | null): number | null {
  return number(text?.trim());
}

function bigint(text: string | undefined): bigint | null {
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : null;
}

function scaled(text: string | undefined, factor: bigint): bigint | null {
  const value = bigint(text);
  return value === null ? null : value * factor;
}

function without(usage: number | null, inactive: string | undefined): number | null {
  if (usage === null) return null;
  const droppable = number(inactive) ?? 0;
  return droppable < usage ? usage - droppable : 0;
}
