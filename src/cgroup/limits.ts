import { HakoError } from '../base/errors.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import type { DeviceThrottle, Resources } from './resources.ts';

/** One write to an interface file of the container's group. */
export interface LimitWrite {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
}

export type Limits = readonly LimitWrite[];

const DEFAULT_PERIOD = 100_000;

/**
 * The writes that set resource limits, in an order that the kernel accepts for a new group.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` for a limit that this host cannot set, with the reason.
 */
export function limitWrites(host: CgroupHost, resources: Resources): Limits {
  return [
    ...memory(host, resources),
    ...cpu(host, resources),
    ...cpuset(host, resources),
    ...pids(host, resources),
    ...io(host, resources),
  ];
}

/**
 * The writes that turn the limits of one set of options into those of another: what is in the second, and the kernel's
 * own defaults for what is in the first only.
 */
export function limitChanges(host: CgroupHost, before: Resources, after: Resources): Limits {
  const wanted = limitWrites(host, after);
  const kept = new Set(wanted.map(limitKey));
  return [
    ...limitWrites(host, before)
      .filter((write) => !kept.has(limitKey(write)))
      .map(unlimited),
    ...wanted,
  ];
}

/** What a write is about: files of per-device lines have one limit for each device. */
export function limitKey({ file, value }: LimitWrite): string {
  return isPerDevice(file) ? `${file} ${value.split(' ', 1)[0]}` : file;
}

/** Files that are read as a list of lines and written as one of them. */
export function isPerDevice(file: string): boolean {
  return file === 'io.max' || file.startsWith('blkio.throttle.');
}

/** Stands for what the group above has. */
export const inherited = '\n';

/** What the kernel gives to a group of which nothing was said (cgroup-v2.rst, and the files of cgroup-v1/). */
const defaults: Readonly<Record<string, string>> = {
  'memory.max': 'max',
  'memory.swap.max': 'max',
  'memory.low': '0',
  'memory.limit_in_bytes': '-1',
  'memory.memsw.limit_in_bytes': '-1',
  'memory.soft_limit_in_bytes': '-1',
  'cpu.max': `max ${DEFAULT_PERIOD}`,
  'cpu.weight': '100',
  'cpu.cfs_quota_us': '-1',
  'cpu.cfs_period_us': String(DEFAULT_PERIOD),
  'cpu.shares': '1024',
  'cpuset.cpus': inherited,
  'cpuset.mems': inherited,
  'pids.max': 'max',
  'io.weight': '100',
  'io.bfq.weight': '100',
  'blkio.weight': '500',
  'blkio.bfq.weight': '100',
};

/** The write that takes a limit away. */
export function unlimited({ controller, file, value }: LimitWrite): LimitWrite {
  if (!isPerDevice(file)) return { controller, file, value: defaults[file] ?? 'max' };
  const [device = ''] = value.split(' ', 1);
  const none = file === 'io.max' ? 'rbps=max wbps=max riops=max wiops=max' : '0';
  return { controller, file, value: `${device} ${none}` };
}

function memory(host: CgroupHost, resources: Resources): Limits {
  const { memory: limit, memorySwap, memoryReservation } = resources;
  if (limit === undefined && memoryReservation === undefined) return [];
  const unified = isUnified(host, 'memory', 'memory');
  const writes: LimitWrite[] = [];
  const write = (file: string, value: string): unknown => writes.push({ controller: 'memory', file, value });
  if (limit !== undefined) {
    write(unified ? 'memory.max' : 'memory.limit_in_bytes', String(limit));
    const swapFile = unified ? 'memory.swap.max' : 'memory.memsw.limit_in_bytes';
    if (host.files.includes(swapFile)) {
      const both = memorySwap ?? limit * 2;
      // v1 counts memory and swap together, v2 swap alone.
      if (both !== -1) write(swapFile, String(unified ? both - limit : both));
      else if (unified) write(swapFile, 'max');
    } else if (memorySwap !== undefined) {
      throw new HakoError(
        'HOST_UNSUPPORTED',
        `resources.memorySwap cannot be set: this kernel does not count swap by group (${swapFile} is not there). Boot it with swapaccount=1, or leave the option out.`,
      );
    }
  }
  if (memoryReservation !== undefined)
    write(unified ? 'memory.low' : 'memory.soft_limit_in_bytes', String(memoryReservation));
  return writes;
}

function cpu(host: CgroupHost, resources: Resources): Limits {
  const { cpus, cpuQuota, cpuPeriod, cpuShares } = resources;
  const writes: LimitWrite[] = [];
  if (cpus !== undefined || cpuQuota !== undefined || cpuPeriod !== undefined) {
    const unified = isUnified(host, 'cpu', cpus === undefined ? 'cpuQuota' : 'cpus');
    requireFile(host, unified ? 'cpu.max' : 'cpu.cfs_quota_us', 'cpus', 'CONFIG_CFS_BANDWIDTH');
    const period = cpuPeriod ?? DEFAULT_PERIOD;
    const quota = cpus === undefined ? cpuQuota : Math.round(cpus * period);
    if (unified) writes.push({ controller: 'cpu', file: 'cpu.max', value: `${quota ?? 'max'} ${period}` });
    else {
      writes.push({ controller: 'cpu', file: 'cpu.cfs_period_us', value: String(period) });
      if (quota !== undefined) writes.push({ controller: 'cpu', file: 'cpu.cfs_quota_us', value: String(quota) });
    }
  }
  if (cpuShares !== undefined) {
    const unified = isUnified(host, 'cpu', 'cpuShares');
    writes.push({
      controller: 'cpu',
      file: unified ? 'cpu.weight' : 'cpu.shares',
      value: String(unified ? weightOfShares(cpuShares) : cpuShares),
    });
  }
  return writes;
}

/**
 * cpu.shares as cpu.weight: 2 is 1, 1024 is 100 (both are the kernel's default), 262144 is 10000, with a curve of
 * second degree in the logarithm between them. It is what runc 1.3.2, crun 1.23 and later do (opencontainers/cgroups,
 * ConvertCPUSharesToCgroupV2Value).
 */
export function weightOfShares(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

function cpuset(host: CgroupHost, resources: Resources): Limits {
  const { cpusetCpus, cpusetMems } = resources;
  if (cpusetCpus === undefined && cpusetMems === undefined) return [];
  requireDirectory(host, 'cpuset', cpusetCpus === undefined ? 'cpusetMems' : 'cpusetCpus');
  return [
    ...(cpusetCpus === undefined ? [] : [{ controller: 'cpuset', file: 'cpuset.cpus', value: cpusetCpus }]),
    ...(cpusetMems === undefined ? [] : [{ controller: 'cpuset', file: 'cpuset.mems', value: cpusetMems }]),
  ];
}

function pids(host: CgroupHost, resources: Resources): Limits {
  if (resources.pids === undefined) return [];
  requireDirectory(host, 'pids', 'pids');
  return [{ controller: 'pids', file: 'pids.max', value: resources.pids === -1 ? 'max' : String(resources.pids) }];
}

function io(host: CgroupHost, resources: Resources): Limits {
  const { blkioWeight, throttles } = resources;
  if (blkioWeight === undefined && throttles === undefined) return [];
  const controller = host.controllers['blkio'] === undefined ? 'io' : 'blkio';
  requireDirectory(host, controller, blkioWeight === undefined ? 'blkioDevice…' : 'blkioWeight');
  const writes: LimitWrite[] = [];
  if (blkioWeight !== undefined) writes.push({ controller, ...weight(host, controller === 'io', blkioWeight) });
  for (const throttle of throttles ?? []) {
    for (const { file, value } of controller === 'io' ? ioMax(throttle) : legacyThrottle(throttle))
      writes.push({ controller, file, value });
  }
  return writes;
}

function weight(host: CgroupHost, unified: boolean, value: number): { file: string; value: string } {
  const files = unified ? ['io.bfq.weight', 'io.weight'] : ['blkio.weight', 'blkio.bfq.weight'];
  const file = files.find((name) => host.files.includes(name));
  if (file === undefined) {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `resources.blkioWeight cannot be set: this kernel has no I/O scheduler with weights (none of ${files.join(', ')}). Load bfq, or leave the option out.`,
    );
  }
  // io.weight goes from 1 to 10000 where the option goes from 10 to 1000 (runc: ConvertBlkIOToIOWeightValue).
  return { file, value: String(file === 'io.weight' ? 1 + Math.floor(((value - 10) * 9999) / 990) : value) };
}

function ioMax({
  major,
  minor,
  readBps,
  writeBps,
  readIOps,
  writeIOps,
}: DeviceThrottle): readonly { file: string; value: string }[] {
  const fields = Object.entries({ rbps: readBps, wbps: writeBps, riops: readIOps, wiops: writeIOps }).flatMap(
    ([key, rate]) => (rate === undefined ? [] : [`${key}=${rate}`]),
  );
  return [{ file: 'io.max', value: `${major}:${minor} ${fields.join(' ')}` }];
}

function legacyThrottle({
  major,
  minor,
  readBps,
  writeBps,
  readIOps,
  writeIOps,
}: DeviceThrottle): readonly { file: string; value: string }[] {
  return Object.entries({ read_bps: readBps, write_bps: writeBps, read_iops: readIOps, write_iops: writeIOps }).flatMap(
    ([key, rate]) =>
      rate === undefined ? [] : [{ file: `blkio.throttle.${key}_device`, value: `${major}:${minor} ${rate}` }],
  );
}

function isUnified(host: CgroupHost, controller: string, option: string): boolean {
  return requireDirectory(host, controller, option) === host.unifiedParent;
}

function requireDirectory(host: CgroupHost, controller: string, option: string): string {
  const directory = host.controllers[controller];
  if (directory === undefined) {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `resources.${option} needs the ${controller} controller of control groups, which hako cannot use here: ${host.missing[controller] ?? 'this kernel has none'}.`,
    );
  }
  return directory;
}

function requireFile(host: CgroupHost, file: string, option: string, config: string): void {
  if (!host.files.includes(file)) {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `resources.${option} cannot be set: this kernel's control groups have no ${file} (it was built without ${config}).`,
    );
  }
}
