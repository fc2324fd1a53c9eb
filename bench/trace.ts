// usage: npm run bench:trace
// Where the time of one `runtime.run()` goes: its milestones and its dearest system calls, by strace(1), whose own cost
// makes all of it slower than it is: read the proportions.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Workbench } from './workbench.ts';

interface Call {
  readonly pid: string;
  /** Seconds since the epoch at which it began. */
  readonly at: number;
  readonly name: string;
  readonly text: string;
  /** Seconds that it took; of one that was interrupted by another thread's line, of both parts. */
  readonly took: number;
}

const milestones: readonly (readonly [label: string, matches: (call: Call) => boolean])[] = [
  ['run() is called', (call) => call.text.includes('hako-trace-begin')],
  ['the supervisor is executed', (call) => call.name === 'execveat' && call.text.includes('hako-supervisor')],
  ["the supervisor reads Node's request", (call) => call.name === 'read' && call.text.startsWith('read(3,')],
  ['control groups are made', (call) => /^mkdir\("\/sys\/fs\/cgroup/.test(call.text)],
  ['the first process is cloned', (call) => call.name === 'clone3' && call.text.includes('CLONE_NEWNS')],
  [
    'the root is mounted',
    (call) => call.name === 'fsopen' || (call.name === 'open_tree' && call.text.includes('CLONE')),
  ],
  ['the root is changed', (call) => call.name === 'pivot_root'],
  ['the program is executed', (call) => call.name === 'execve' && !call.text.includes('strace')],
  ['it ends', (call) => call.name === 'exit_group'],
  ['the exit is recorded', (call) => call.name === 'renameat' && call.text.includes('exit.json')],
  ['run() has its answer', (call) => call.text.includes('hako-trace-end')],
];

const line = /^(\d+)\s+(\d+\.\d+) (.*)$/;

function parse(trace: string): Call[] {
  const unfinished = new Map<string, { at: number; text: string }>();
  const calls: Call[] = [];
  for (const row of trace.split('\n')) {
    const [, pid = '', time = '0', text = ''] = line.exec(row) ?? [];
    const at = Number(time);
    const took = Number(/<([\d.]+)>$/.exec(text)?.[1] ?? 0);
    if (text.endsWith('<unfinished ...>')) {
      unfinished.set(pid, { at, text });
      continue;
    }
    const begun = text.startsWith('<... ') ? unfinished.get(pid) : undefined;
    const whole = begun?.text ?? text;
    const name = /^(\w+)\(/.exec(whole)?.[1];
    if (name !== undefined) calls.push({ pid, at: begun?.at ?? at, name, text: whole, took });
  }
  return calls.sort((a, b) => a.at - b.at);
}

function between(calls: readonly Call[]): readonly Call[] {
  const begin = calls.findLastIndex((call) => call.text.includes('hako-trace-begin'));
  const end = calls.findLastIndex((call) => call.text.includes('hako-trace-end'));
  if (begin === -1 || end < begin) throw new Error('the trace has no marks: did the program fail?');
  return calls.slice(begin, end + 1);
}

const waiting = new Set([
  'epoll_pwait',
  'epoll_wait',
  'futex',
  'wait4',
  'waitid',
  'poll',
  'ppoll',
  'io_uring_enter',
  'restart_syscall',
]);

function report(calls: readonly Call[]): string {
  const start = calls[0]?.at ?? 0;
  const ms = (seconds: number): string => (seconds * 1000).toFixed(2).padStart(8);
  let previous = start;
  const steps = milestones.flatMap(([label, matches]) => {
    const call = calls.find((each) => each.at >= previous && matches(each));
    if (call === undefined) return [];
    const row = `${ms(call.at - start)} ms  +${ms(call.at - previous)}  ${label}`;
    previous = call.at;
    return [row];
  });
  const byName = Map.groupBy(
    calls.filter(({ name }) => !waiting.has(name)),
    ({ name }) => name,
  );
  const dearest = [...byName]
    .map(([name, group]) => ({ name, count: group.length, took: group.reduce((sum, { took }) => sum + took, 0) }))
    .sort((a, b) => b.took - a.took)
    .slice(0, 15)
    .map(({ name, count, took }) => `${ms(took)} ms  ${String(count).padStart(5)} ×  ${name}`);
  return [`${calls.length} system calls`, '', ...steps, '', 'the dearest, waiting left out:', ...dearest].join('\n');
}

using bench = new Workbench([]);
const subject = fileURLToPath(new URL('trace-subject.ts', import.meta.url));
const trace = join(bench.directory, 'trace');
const options = ['-f', '-ttt', '-T', '-s', '120', '-o', trace];
execFileSync('strace', [...options, process.execPath, subject, bench.rootfs, join(bench.directory, 'root')], {
  stdio: 'inherit',
});
console.log(report(between(parse(readFileSync(trace, 'utf8')))));
