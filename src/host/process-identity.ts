import { readFileSync, readlinkSync } from 'node:fs';
import { z } from 'zod';
import { isForWant } from '../base/errno.ts';
import { HakoError } from '../base/errors.ts';
import { statFields } from '../base/proc-stat.ts';

/** A process, told from any other that had or will have its pid. */
export const processSchema = z.object({
  pid: z.number().int().positive(),
  /** proc_pid_stat(5) field 22. */
  startTicks: z.string().regex(/^\d+$/),
  /** /proc/sys/kernel/random/boot_id. */
  bootId: z.string(),
  /** The inode of the namespace that counts the pid (pid_namespaces(7)); absent: that of whoever reads this. */
  pidNamespace: z.string().regex(/^\d+$/).exactOptional(),
});

export type ProcessIdentity = z.infer<typeof processSchema>;

let bootId: string | undefined;
let namespace: string | undefined;

/** This boot's id (random(4)): a pid of another boot names nobody. */
export function currentBootId(): string {
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return bootId;
}

/** The inode of the pid namespace that this process is in. */
export function ownPidNamespace(): string {
  namespace ??= /\[(\d+)\]$/.exec(readlinkSync('/proc/self/ns/pid'))?.[1] ?? '0';
  return namespace;
}

interface ProcessStat {
  readonly isZombie: boolean;
  readonly parent: number;
  /** In clock ticks since boot. */
  readonly startTicks: string;
}

/** null: there is no process with that pid. */
function statOf(pid: number): ProcessStat | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    // What belongs to processes that live would be taken for left behind.
    if (isForWant(error)) throw error;
    return null;
  }
  const field = statFields(stat);
  const [state, parent, startTicks] = [field(3), field(4), field(22)];
  if (startTicks === undefined) return null;
  return { isZombie: state === 'Z' || state === 'X', parent: Number(parent), startTicks };
}

function runs(pid: number, startTicks: string): boolean {
  const stat = statOf(pid);
  return stat !== null && !stat.isZombie && stat.startTicks === startTicks;
}

/** Those of another pid namespace count as dead: a runtime refuses a root that such a one has open. */
export function isAlive(process: ProcessIdentity): boolean {
  return (
    process.bootId === currentBootId() &&
    (process.pidNamespace ?? ownPidNamespace()) === ownPidNamespace() &&
    runs(process.pid, process.startTicks)
  );
}

/** Whether a process is a child of that very one, which lives. */
export function isChildOf(pid: number, parent: ProcessIdentity): boolean {
  return statOf(pid)?.parent === parent.pid && isAlive(parent);
}

let self: ProcessIdentity | undefined;

/** This very process. */
export function ownIdentity(): ProcessIdentity {
  self ??= identify(process.pid);
  return self;
}

/** Whether it is this very process. */
export function isOwn(process: ProcessIdentity | null | undefined): boolean {
  return process !== null && process !== undefined && isSameProcess(process, ownIdentity());
}

export function isSameProcess(one: ProcessIdentity, other: ProcessIdentity): boolean {
  return one.pid === other.pid && one.startTicks === other.startTicks && one.bootId === other.bootId;
}

/** @throws HakoError `HAKO_ERR_SUPERVISOR_LOST` when there is no such process. */
function identify(pid: number): ProcessIdentity {
  return identityOf({ pid, startTicks: statOf(pid)?.startTicks ?? '' });
}

/**
 * A process that was just made.
 *
 * @throws HakoError `HAKO_ERR_SUPERVISOR_LOST` when /proc did not tell of it.
 */
export function identityOf({ pid, startTicks }: Pick<ProcessIdentity, 'pid' | 'startTicks'>): ProcessIdentity {
  if (startTicks === '') throw new HakoError('SUPERVISOR_LOST', `Process ${pid} is gone, or /proc is not mounted.`);
  return { pid, startTicks, bootId: currentBootId(), pidNamespace: ownPidNamespace() };
}

/** The beginning of names of files that are worth nothing once this process has ended. */
export function makerPrefix(): string {
  const { pid, startTicks: ticks } = ownIdentity();
  return `${pid}.${ticks}.`;
}

/**
 * Whether the process lives that a name which begins with {@link makerPrefix} tells of. One of another boot is mostly
 * known for dead at once, and else when the process ends that has its place now.
 */
export function isMakerAlive(name: string): boolean {
  const [, pid, ticks] = /^(\d+)\.(\d+)\./.exec(name) ?? [];
  return pid !== undefined && ticks !== undefined && runs(Number(pid), ticks);
}
