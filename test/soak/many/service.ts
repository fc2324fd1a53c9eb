/**
 * A service that starts many containers at once and removes them again, and tells what that took.
 * argv: the entry of libhako, root, image, how many.
 */
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type * as Libhako from 'libhako';

const [entry = '', root = '', image = '', count = '0'] = process.argv.slice(2);
const { Runtime } = (await import(entry)) as typeof Libhako;

/** At worst, in milliseconds. */
interface Lag {
  /** That a callback of the service had to wait, for whatever reason: how late a timer came. */
  readonly waited: number;
  /** The same as node:perf_hooks has it. */
  readonly delay: number;
  /** Of the main thread's own time, between two callbacks: what is left when the machine's other work is not counted. */
  readonly busy: number;
}

function watchLag(): { worst(): Promise<Lag> } {
  const every = 5;
  const delays = monitorEventLoopDelay({ resolution: every });
  delays.enable();
  const cpu = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let [waited, busy, last, lastCpu] = [0, 0, performance.now(), cpu()];
  const timer = setInterval(() => {
    const [now, nowCpu] = [performance.now(), cpu()];
    waited = Math.max(waited, now - last - every);
    busy = Math.max(busy, nowCpu - lastCpu);
    [last, lastCpu] = [now, nowCpu];
  }, every);
  timer.unref();
  return {
    worst: async () => {
      // What was done just now, the timers have yet to see.
      await delay(4 * every);
      const seen = {
        waited: Math.round(waited),
        delay: Math.round(delays.max / 1e6 - every),
        busy: Math.round(busy),
      };
      [waited, busy] = [0, 0];
      delays.reset();
      return seen;
    },
  };
}

/** KiB that are a process's own, with its share of what it shares (proc_pid_smaps(5)). */
function pss(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]);
}

await using runtime = await Runtime.open({ root });
// So that what is loaded once is not counted as a thousandth of each.
for (let i = 0; i < 20; i++) await runtime.run({ image, command: ['true'] });
global.gc?.();
const lag = watchLag();
await lag.worst();
const before = process.memoryUsage().rss;
const begun = performance.now();
const containers = await Promise.all(
  Array.from({ length: Number(count) }, async () => {
    const container = await runtime.containers.create({ image, command: ['sleep', '10000'] });
    await container.start();
    return container;
  }),
);
const started = performance.now();
const lagOfStart = await lag.worst();
global.gc?.();
const node = process.memoryUsage().rss - before;
let processes = 0;
for (const { state } of await runtime.containers.list())
  if (state.status === 'running') processes += pss(state.supervisorPid) + pss(state.pid);
const running = (await runtime.containers.list()).filter(({ state }) => state.status === 'running').length;
await lag.worst();
const removing = performance.now();
await Promise.all(containers.map((container) => container.remove({ force: true })));
const removed = performance.now();
console.log(
  JSON.stringify({
    running,
    startMilliseconds: Math.round(started - begun),
    removeMilliseconds: Math.round(removed - removing),
    lagOfStart,
    lagOfRemove: await lag.worst(),
    kibibytesEach: Math.round((processes + node / 1024) / containers.length),
    ids: containers.map(({ id }) => id),
  }),
);
