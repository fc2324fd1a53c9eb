import { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import { parseSize } from '../base/size.ts';

/** A size option: bytes, or `'256m'`. */
export const sizeOption = z.union([z.number(), z.string()]).transform((value, context) => {
  try {
    return parseSize(value, 'size');
  } catch (error) {
    context.issues.push({
      code: 'custom',
      input: value,
      message: error instanceof HakoError ? error.message.replace(/^size: /, '') : String(error),
    });
    return z.NEVER;
  }
});

const unlimited = z.literal(-1);
/** CPU and node lists as cpuset(7) has them; the largest CONFIG_NR_CPUS is 8192, so longer numbers are mistakes (CVE-2018-20699). */
const cpuList = z
  .string()
  .regex(/^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$/, "write a list such as '0-3,8'")
  .refine(
    (list) => list.split(',').every((part) => isAscending(part.split('-').map(Number))),
    "a range goes upwards and stays under 8192, such as '0-3'",
  );
const throttle = z.strictObject({
  /** A block device of the host. */
  path: z.string().startsWith('/'),
  /** Bytes or operations a second. */
  rate: sizeOption.refine((rate) => rate > 0, 'a rate is at least 1'),
});

/** Known, so that whoever comes from Docker is told. v2 has nothing of the kind (cgroup-v2.rst, "Controllers", cpu). */
const noRealtime = z.never({
  error:
    'real-time CPU time cannot be given out by control groups: v2 has no such limit, and few kernels do on v1 (CONFIG_RT_GROUP_SCHED). Leave it out; ulimits.rtprio and the capability SYS_NICE let a program ask for a real-time priority',
});

/**
 * What a container may use of the machine, in Docker's words.
 *
 * @public
 */
export const resourceOptions = z.strictObject({
  /** Bytes of memory. */
  memory: sizeOption
    .refine((bytes) => bytes >= 6 * 2 ** 20, 'at least 6m: less would not even start a program')
    .optional(),
  /** Memory and swap together; -1: swap without limit. Default: twice `memory`. */
  memorySwap: z.union([unlimited, sizeOption]).optional(),
  /** What the container keeps when the machine runs short. */
  memoryReservation: sizeOption.optional(),
  /** CPUs as a number, such as 0.5; a quota of CFS. */
  cpus: z.number().min(0.01).max(8192).optional(),
  /** Microseconds of CPU in each period; instead of `cpus`. */
  cpuQuota: z
    .int()
    .min(1000)
    .max(2 ** 43)
    .optional(),
  /** Microseconds, 1,000 to 1,000,000. */
  cpuPeriod: z.int().min(1000).max(1_000_000).optional(),
  /** Weight against other containers, 2 to 262144; 1024 is what each has by default. */
  cpuShares: z.int().min(2).max(262_144).optional(),
  /** Refused, as it is on any v2 host. */
  cpuRealtimeRuntime: noRealtime.optional(),
  /** Refused. */
  cpuRealtimePeriod: noRealtime.optional(),
  cpusetCpus: cpuList.optional(),
  cpusetMems: cpuList.optional(),
  /** Processes and threads; -1: without limit. */
  pids: z.union([unlimited, z.int().min(1).max(4_194_304)]).optional(),
  /** 10 to 1000. */
  blkioWeight: z.int().min(10).max(1000).optional(),
  blkioDeviceReadBps: z.array(throttle).max(256).optional(),
  blkioDeviceWriteBps: z.array(throttle).max(256).optional(),
  blkioDeviceReadIOps: z.array(throttle).max(256).optional(),
  blkioDeviceWriteIOps: z.array(throttle).max(256).optional(),
});

/** Limits on what a container may use of the machine; docs/resources.md has the table. @public */
export type ResourceOptions = z.input<typeof resourceOptions>;

/** Resource options that were checked: sizes are bytes, and the fields agree with each other. */
export type Resources = Omit<
  z.output<typeof resourceOptions>,
  'blkioDeviceReadBps' | 'blkioDeviceWriteBps' | 'blkioDeviceReadIOps' | 'blkioDeviceWriteIOps'
> & {
  readonly throttles?: readonly DeviceThrottle[];
};

/** The limits of one block device; bytes and operations a second. */
export interface DeviceThrottle {
  readonly major: number;
  readonly minor: number;
  readonly readBps?: number;
  readonly writeBps?: number;
  readonly readIOps?: number;
  readonly writeIOps?: number;
}

/**
 * Checks what the schema cannot: fields against each other.
 *
 * @param deviceNumbers - finds the number of a block device of the host, or throws.
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for fields that contradict each other.
 */
export async function resolveResources(
  options: z.output<typeof resourceOptions>,
  deviceNumbers: (path: string) => Promise<{ major: number; minor: number }>,
): Promise<Resources> {
  const { blkioDeviceReadBps, blkioDeviceWriteBps, blkioDeviceReadIOps, blkioDeviceWriteIOps, ...rest } = options;
  if (rest.cpus !== undefined && (rest.cpuQuota !== undefined || rest.cpuPeriod !== undefined)) {
    throw new HakoError(
      'INVALID_OPTION',
      'resources: cpus and cpuQuota or cpuPeriod say the same thing twice; give one of them.',
    );
  }
  if (rest.memorySwap !== undefined && rest.memory === undefined) {
    throw new HakoError(
      'INVALID_OPTION',
      'resources: memorySwap counts memory and swap together, so it needs memory; set both.',
    );
  }
  if (
    rest.memorySwap !== undefined &&
    rest.memorySwap !== -1 &&
    rest.memory !== undefined &&
    rest.memorySwap < rest.memory
  ) {
    throw new HakoError(
      'INVALID_OPTION',
      'resources: memorySwap counts memory and swap together, so it cannot be less than memory; raise it, or leave it out.',
    );
  }
  if (rest.memoryReservation !== undefined && rest.memory !== undefined && rest.memoryReservation > rest.memory) {
    throw new HakoError('INVALID_OPTION', 'resources: memoryReservation cannot be more than memory; lower it.');
  }
  const throttles = new Map<string, DeviceThrottle>();
  const groups = [
    ['readBps', blkioDeviceReadBps],
    ['writeBps', blkioDeviceWriteBps],
    ['readIOps', blkioDeviceReadIOps],
    ['writeIOps', blkioDeviceWriteIOps],
  ] as const;
  for (const [field, entries] of groups) {
    for (const { path, rate } of entries ?? []) {
      const { major, minor } = await deviceNumbers(path);
      throttles.set(`${major}:${minor}`, { ...throttles.get(`${major}:${minor}`), major, minor, [field]: rate });
    }
  }
  return throttles.size === 0 ? rest : { ...rest, throttles: [...throttles.values()] };
}

function isAscending(range: readonly number[]): boolean {
  const [first, last = first] = range;
  return first !== undefined && last !== undefined && first <= last && last < 8192;
}
