import { totalmem } from 'node:os';
import type { CgroupReader } from '../cgroup/index.ts';

/** The machine's share in a container's figures. @public */
export interface HostFigures {
  /** Nanoseconds of CPU time, busy or idle, of all CPUs together: Docker's `system_cpu_usage`. */
  readonly cpuTime: number;
  /** How many CPUs run. */
  readonly onlineCpus: number;
  /** Bytes. */
  readonly memory: number;
}

/** USER_HZ is 100 on all that hako runs on. */
const nsPerTick = 10_000_000;
/** user, nice, system, idle, iowait, irq, softirq (proc_stat(5)): those that Docker adds up. */
const countedFields = 7;

export async function readHostFigures(files: CgroupReader): Promise<HostFigures> {
  const stat = (await files.read('/proc/stat')) ?? '';
  const [, fields = ''] = /^cpu +(.*)$/m.exec(stat) ?? [];
  const ticks = fields
    .split(' ')
    .slice(0, countedFields)
    .reduce((sum, field) => sum + Number(field), 0);
  return { cpuTime: ticks * nsPerTick, onlineCpus: stat.match(/^cpu\d+ /gm)?.length ?? 1, memory: totalmem() };
}
