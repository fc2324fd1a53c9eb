import { HakoError } from '../../base/errors.ts';
import type { ContainerSettings, ResourceChanges, ResourceOptions } from '../../index.ts';
import type { OptionTable, Values } from '../options.ts';
import { defined } from '../values.ts';

/** What can also be changed while a container runs. As in Docker, 0 is "no limit". */
export const resourceOptions = {
  memory: { type: 'text', short: 'm', value: 'BYTES', help: 'Most memory, such as 512m' },
  'memory-swap': { type: 'text', value: 'BYTES', help: 'Most memory and swap together; -1: any swap' },
  'memory-reservation': { type: 'text', value: 'BYTES', help: 'What it keeps when the machine runs short' },
  cpus: { type: 'number', value: 'CPUS', help: 'CPUs, such as 0.5' },
  'cpu-shares': { type: 'number', short: 'c', value: 'WEIGHT', help: 'Weight against others; each has 1024' },
  'cpu-period': { type: 'number', value: 'MICROSECONDS', help: 'Period of --cpu-quota' },
  'cpu-quota': { type: 'number', value: 'MICROSECONDS', help: 'CPU time in each period' },
  'cpuset-cpus': { type: 'text', value: 'LIST', help: 'CPUs it may run on, such as 0-3,8' },
  'cpuset-mems': { type: 'text', value: 'LIST', help: 'Memory nodes it may use' },
  'pids-limit': { type: 'number', value: 'COUNT', help: 'Most processes and threads; -1: any' },
  'blkio-weight': { type: 'number', value: 'WEIGHT', help: 'Weight of its I/O, 10 to 1000' },
  'device-read-bps': { type: 'list', value: 'DEVICE:RATE', help: 'Bytes a second read from a block device' },
  'device-write-bps': { type: 'list', value: 'DEVICE:RATE', help: 'Bytes a second written to a block device' },
  'device-read-iops': { type: 'list', value: 'DEVICE:RATE', help: 'Reads a second from a block device' },
  'device-write-iops': { type: 'list', value: 'DEVICE:RATE', help: 'Writes a second to a block device' },
} as const satisfies OptionTable;

/** Null: no limit. */
export function resourceChanges(values: Values<typeof resourceOptions>): ResourceChanges {
  return defined<ResourceChanges>({
    memory: unlessZero(values.memory),
    memorySwap: values['memory-swap'] === '-1' ? -1 : unlessZero(values['memory-swap']),
    memoryReservation: unlessZero(values['memory-reservation']),
    cpus: unlessZero(values.cpus),
    cpuShares: unlessZero(values['cpu-shares']),
    cpuPeriod: unlessZero(values['cpu-period']),
    cpuQuota: values['cpu-quota'] === -1 ? null : unlessZero(values['cpu-quota']),
    cpusetCpus: values['cpuset-cpus'],
    cpusetMems: values['cpuset-mems'],
    pids: unlessZero(values['pids-limit']),
    blkioWeight: unlessZero(values['blkio-weight']),
    blkioDeviceReadBps: throttles('device-read-bps', values['device-read-bps']),
    blkioDeviceWriteBps: throttles('device-write-bps', values['device-write-bps']),
    blkioDeviceReadIOps: throttles('device-read-iops', values['device-read-iops']),
    blkioDeviceWriteIOps: throttles('device-write-iops', values['device-write-iops']),
  });
}

/** The same for a container that is still to be made. */
export function resourceSettings(values: Values<typeof resourceOptions>): ContainerSettings {
  const given = Object.entries(resourceChanges(values)).filter(([, value]) => value !== null);
  return given.length === 0 ? {} : { resources: Object.fromEntries(given) as ResourceOptions };
}

function unlessZero<T extends string | number>(value: T | undefined): T | null | undefined {
  return value !== undefined && Number(value) === 0 && value !== '' ? null : value;
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
function throttles(option: string, words: readonly string[]) {
  if (words.length === 0) return undefined;
  return words.map((word) => {
    const [, path, rate] = /^(\/[^:]*):(.+)$/.exec(word) ?? [];
    if (path === undefined || rate === undefined)
      throw new HakoError('INVALID_OPTION', `--${option}: '${word}' is no rate: write /dev/name:RATE.`);
    return { path, rate };
  });
}
