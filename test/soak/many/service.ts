/**
 * A service that starts many containers at once and removes them again, and tells what that took.
 * argv: the entry of libhako, root, image, how many.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type * as Libhako from 'libhako';

const [entry = '', root = '', image = '', count = '0'] = process.argv.slice(2);
const { Runtime } = (await import(entry)) as typeof Libhako;

/** Watches how long a timer waits over its time, which is what any other callback of the service would wait. */
function watchLag(): { worst(): number } {
  const every = 5;
  let [worst, last] = [0, performance.now()];
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last - every);
    last = now;
  }, every);
  timer.unref();
  return {
    worst: () => {
      const seen = worst;
      worst = 0;
      return Math.round(seen * 10) / 10;
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
const lag = watchLag();
await delay(50);
lag.worst();
global.gc?.();
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
const lagOfStart = lag.worst();
global.gc?.();
const node = process.memoryUsage().rss - before;
let processes = 0;
for (const { state } of await runtime.containers.list())
  if (state.status === 'running') processes += pss(state.supervisorPid) + pss(state.pid);
const running = (await runtime.containers.list()).filter(({ state }) => state.status === 'running').length;
lag.worst();
const removing = performance.now();
await Promise.all(containers.map((container) => container.remove({ force: true })));
const removed = performance.now();
console.log(
  JSON.stringify({
    running,
    startMilliseconds: Math.round(started - begun),
    removeMilliseconds: Math.round(removed - removing),
    lagOfStart,
    lagOfRemove: lag.worst(),
    kibibytesEach: Math.round((processes + node / 1024) / containers.length),
    ids: containers.map(({ id }) => id),
  }),
);
