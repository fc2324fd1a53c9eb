import { statFields } from '../../base/proc-stat.ts';
import type { HostFiles } from '../../host/files.ts';

/** A process of a container, as the host sees it. @public */
export interface ContainerProcess {
  /** On the host. */
  readonly pid: number;
  /** In the container's own pid namespace, or in the innermost that it is in. */
  readonly containerPid: number;
  /** On the host. */
  readonly parentPid: number;
  /** On the host. */
  readonly processGroup: number;
  /** On the host. */
  readonly session: number;
  /** On the host. */
  readonly uid: number;
  /** The host's name for `uid`, else the number. */
  readonly user: string;
  /** Its file's name, at most 15 bytes (proc_pid_comm(5)). */
  readonly name: string;
  /** Its arguments; `[name]` when it shows none. */
  readonly command: string;
  /** `R`, `S`, `D`, `T`, `Z` … (proc_pid_stat(5)). */
  readonly state: string;
  /** `pts/0`; `?`: none. */
  readonly terminal: string;
  readonly startedAt: Date;
  /** Seconds of processor time. */
  readonly cpuTime: number;
  /** Of one processor, over the process's life. */
  readonly cpuPercent: number;
  /** Of the machine's memory. */
  readonly memoryPercent: number;
  /** Bytes that it has in memory, and bytes of its address space. */
  readonly residentMemory: number;
  /** Bytes of address space. */
  readonly virtualMemory: number;
  /** How many it has. */
  readonly threads: number;
  /** From -20 to 19; see setpriority(2). */
  readonly nice: number;
}

/** What is the same for all processes of a machine. */
export interface Machine {
  /** Seconds since the epoch. */
  readonly bootTime: number;
  /** Seconds since then. */
  readonly uptime: number;
  /** Bytes. */
  readonly memory: number;
  readonly users: ReadonlyMap<number, string>;
}

/** USER_HZ and the page size, which no architecture that hako runs on has otherwise. */
const ticks = 100;
const pageSize = 4096;

export function readMachine(files: HostFiles): Machine {
  const users = (files.read('/etc/passwd') ?? '').split('\n').map((line) => line.split(':'));
  return {
    bootTime: Number(/^btime (\d+)$/m.exec(files.read('/proc/stat') ?? '')?.[1] ?? 0),
    uptime: Number.parseFloat(files.read('/proc/uptime') ?? '0'),
    memory: Number(/^MemTotal: +(\d+) kB$/m.exec(files.read('/proc/meminfo') ?? '')?.[1] ?? 0) * 1024,
    // The first of several names is the one that others are told.
    users: new Map(users.reverse().map(([name = '', , uid]) => [Number(uid), name])),
  };
}

/** Null when there is no such process any more. */
export function readProcess(files: HostFiles, pid: number, machine: Machine): ContainerProcess | null {
  const stat = files.read(`/proc/${pid}/stat`);
  const status = files.read(`/proc/${pid}/status`);
  if (stat === null || status === null) return null;
  const field = statFields(stat);
  const number = (of: number): number => Number(field(of));
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? 0);
  const argv = (files.read(`/proc/${pid}/cmdline`) ?? '').replace(/\0+$/, '').replaceAll('\0', ' ');
  const age = machine.uptime - number(22) / ticks;
  const cpuTime = (number(14) + number(15)) / ticks;
  const residentMemory = number(24) * pageSize;
  return {
    pid,
    containerPid: Number(/^NSpid:.*\s(\d+)$/m.exec(status)?.[1] ?? pid),
    parentPid: number(4),
    processGroup: number(5),
    session: number(6),
    uid,
    user: machine.users.get(uid) ?? String(uid),
    name,
    command: argv === '' ? `[${name}]` : argv,
    state: field(3) ?? '?',
    terminal: terminalName(number(7)),
    startedAt: new Date((machine.bootTime + number(22) / ticks) * 1000),
    cpuTime,
    cpuPercent: age > 0 ? (cpuTime / age) * 100 : 0,
    memoryPercent: machine.memory > 0 ? (residentMemory / machine.memory) * 100 : 0,
    residentMemory,
    virtualMemory: number(23),
    threads: number(20),
    nice: number(19),
  };
}

/** tty_nr of proc_pid_stat(5); the majors are those of the kernel's devices.txt. */
function terminalName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  return major === 4 ? `tty${minor}` : '?';
}
