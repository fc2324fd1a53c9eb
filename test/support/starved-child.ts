/** A runtime in a process that has no descriptor left while it looks at containers, and at other runtimes. */
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HakoError, Runtime } from 'libhako';

const [root = ''] = process.argv.slice(2);
const runtime = await Runtime.open({ root });
const warnings: string[] = [];
runtime.on('warning', ({ message }) => warnings.push(message));
const held: number[] = [];
try {
  for (;;) held.push(openSync('/dev/null', 'r'));
} catch {
  // That was the last one.
}
const seen = await runtime.containers.list().then(
  (all) => JSON.stringify(all),
  (error: HakoError) => error.errno,
);
await sleep(2500);
for (const fd of held) closeSync(fd);
await sleep(1500);
const states = (await runtime.containers.list()).map(({ name, state }) => [name, state.status]);
await runtime.close();
process.stdout.write(JSON.stringify({ seen, states, warnings }));
