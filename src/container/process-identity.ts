import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import type { processSchema } from './record.ts';

export type ProcessIdentity = z.infer<typeof processSchema>;

let bootId: string | undefined;

/** This boot's id (random(4)): a pid of another boot names nobody. */
export function currentBootId(): string {
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return bootId;
}

/** The start time of a process in clock ticks, or null when there is none with that pid, or only its zombie. */
function startTicks(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  // The command's name, in parentheses, may hold spaces and parentheses: count from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, ticks] = [fields[0], fields[19]];
  return state === 'Z' || state === 'X' || ticks === undefined ? null : ticks;
}

export function isAlive(process: ProcessIdentity): boolean {
  return process.bootId === currentBootId() && startTicks(process.pid) === process.startTicks;
}

let self: ProcessIdentity | undefined;

/** This very process. */
export function ownIdentity(): ProcessIdentity {
  self ??= identify(process.pid);
  return self;
}

/** @throws HakoError `HAKO_ERR_SUPERVISOR_LOST` when there is no such process. */
export function identify(pid: number): ProcessIdentity {
  const ticks = startTicks(pid);
  if (ticks === null) throw new HakoError('SUPERVISOR_LOST', `Process ${pid} is gone, or /proc is not mounted.`);
  return { pid, startTicks: ticks, bootId: currentBootId() };
}
