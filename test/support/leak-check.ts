import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findTool } from './requires.ts';

/** What could be left behind, by kind: each a set of lines that name one thing. */
type Snapshot = Readonly<Record<string, ReadonlySet<string>>>;

const graceMs = 10_000;

/**
 * A vitest global setup: whatever the machine has more of after the tests than before them is a leak, and fails the
 * run. Only with HAKO_LEAK_CHECK=1 (`npm test` sets it), since another run on the same machine looks like a leak.
 */
export default function setup(): (() => Promise<void>) | undefined {
  if (process.env['HAKO_LEAK_CHECK'] !== '1') return undefined;
  const before = takeSnapshot();
  return async () => {
    const deadline = Date.now() + graceMs;
    let leaks = difference(before, takeSnapshot());
    // A container's end is cleaned up after its caller has the answer.
    while (leaks.length > 0 && Date.now() < deadline) {
      await delay(200);
      leaks = difference(before, takeSnapshot());
    }
    if (leaks.length > 0)
      throw new Error(`the tests left this behind:\n${leaks.map((leak) => `  ${leak}`).join('\n')}`);
  };
}

export function difference(before: Snapshot, after: Snapshot): string[] {
  return Object.entries(after).flatMap(([kind, things]) =>
    [...things].filter((thing) => before[kind]?.has(thing) !== true).map((thing) => `${kind}: ${thing}`),
  );
}

export function takeSnapshot(): Snapshot {
  return {
    mount: new Set(mounts()),
    process: new Set(processes()),
    cgroup: new Set(cgroups('/sys/fs/cgroup', 0)),
    'network interface': new Set(names('/sys/class/net')),
    'network namespace': new Set(names('/run/netns')),
    'nft table': new Set(nftTables()),
    file: new Set(
      names('/tmp')
        .filter((name) => name.startsWith('hako-'))
        .map((name) => `/tmp/${name}`),
    ),
  };
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function mounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ').slice(3, 5).join(' on '));
}

// Ours are known by what they run, and a container's by the pid namespace that they are in.
function processes(): string[] {
  const own = link('/proc/self/ns/pid');
  return names('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const executable = link(`/proc/${pid}/exe`) ?? '';
      const namespace = link(`/proc/${pid}/ns/pid`);
      const ours = /^(\/memfd:)?hako/.test(executable) || basename(executable).startsWith('hako-');
      const contained = namespace !== undefined && namespace !== own;
      return ours || contained ? [`${pid} ${executable} ${commandOf(pid)}`] : [];
    });
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

// The parent `hako` is every runtime's, and stays: only what is in it is some container's.
function cgroups(directory: string, depth: number): string[] {
  if (depth > 8) return [];
  let entries: { name: string; isDirectory(): boolean }[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      const ours = basename(directory) === 'hako' || (entry.name.includes('hako') && entry.name !== 'hako');
      return [...(ours ? [path] : []), ...cgroups(path, depth + 1)];
    });
}

function nftTables(): string[] {
  const nft = findTool('nft');
  if (nft === undefined || process.getuid?.() !== 0) return [];
  try {
    return execFileSync(nft, ['list', 'tables'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}
