import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Proportional set size in KiB: what a process adds to the machine's memory, shared pages divided by their sharers. */
export function pss(pid: number): number {
  const found = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  return Number(found?.[1]);
}

/** The processes that run a program of that name, from a file or a memfd. */
export function processesOf(name: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/exe`).includes(name);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
