import { readdirSync, readFileSync, statSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import type { RunningState } from 'libhako';
import type { Sample } from './sample.ts';

/** Reads what this process, and a container that runs all the while, take up. */
export class Meter {
  readonly #root: string;
  readonly #container: RunningState;

  constructor(root: string, container: RunningState) {
    this.#root = root;
    this.#container = container;
  }

  read(done: number): Sample {
    global.gc?.();
    const { supervisorPid, cgroups } = this.#container;
    const resident = kibibytes('self', 'VmRSS', 'status');
    return {
      done,
      'memory of node (KiB)': resident,
      'memory of node outside its heap (KiB)': resident - Math.round(getHeapStatistics().total_physical_size / 1024),
      'heap of node (KiB)': Math.round(process.memoryUsage().heapUsed / 1024),
      'descriptors of node': entries('/proc/self/fd'),
      'threads of node': entries('/proc/self/task'),
      'children of node': childrenOf(process.pid),
      'memory of the supervisor (KiB)': kibibytes(supervisorPid, 'Pss', 'smaps_rollup'),
      'descriptors of the supervisor': entries(`/proc/${supervisorPid}/fd`),
      mounts: readFileSync('/proc/self/mountinfo', 'latin1').split('\n').length - 1,
      // Where containers' groups are made: beside this one's.
      'control groups': cgroups.reduce((sum, directory) => sum + directories(parentOf(directory)), 0),
      containers: entries(`${this.#root}/containers`),
      'state store (KiB)': Math.round(
        ['hako.db', 'hako.db-wal'].reduce((sum, file) => sum + statSync(`${this.#root}/${file}`).size, 0) / 1024,
      ),
      'files in the root': readdirSync(this.#root, { recursive: true }).length,
    };
  }
}

function entries(directory: string): number {
  return readdirSync(directory).length;
}

function directories(directory: string): number {
  return readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory()).length;
}

function parentOf(directory: string): string {
  return directory.slice(0, directory.lastIndexOf('/'));
}

function kibibytes(pid: number | 'self', field: string, file: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'latin1'))?.[1]);
}

/** Those that nobody has reaped among them (proc_pid_stat(5): the fourth field is the parent). */
function childrenOf(pid: number): number {
  return readdirSync('/proc').filter((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      return Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]) === pid;
    } catch {
      return false;
    }
  }).length;
}
