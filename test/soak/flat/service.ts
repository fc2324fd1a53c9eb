/**
 * A service that does one thing over and over, and tells now and then what it takes up, one line of JSON each.
 * argv: the entry of libhako, root, image, what to do (see rounds.ts), how often, how many samples.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type * as Libhako from 'libhako';
import { Meter } from './meter.ts';
import { type Kind, rounds } from './rounds.ts';

const [entry = '', root = '', image = '', kind = '', count = '0', samples = '1'] = process.argv.slice(2);
const { Runtime } = (await import(entry)) as typeof Libhako;
const atOnce = 4;
/** A supervisor is there for some milliseconds after it has told of the end, in milliseconds. */
const rest = 250;

// A parent of its own: whoever else works on this machine has groups as well.
const open = () => Runtime.open({ root, cgroupParent: `/hako-flat-${process.pid}` });
await using runtime = await open();
const container = await runtime.containers.create({ image, command: ['sleep', '1000000'], ephemeral: true });
await container.start();
const { state } = await container.inspect();
if (state.status !== 'running') throw new Error(state.status);
const meter = new Meter(root, state);
// What is made once, and when it is needed, such as the thread for checkpoints.
for (let run = 0; run < 64; run++) await runtime.run({ image, command: ['true'] });

const each = Math.ceil(Number(count) / Number(samples) / atOnce);
let round = 0;
for (let taken = 0; ; taken++) {
  await delay(rest);
  console.log(JSON.stringify(meter.read(round)));
  if (taken === Number(samples)) break;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let i = 0; i < each; i++) await rounds[kind as Kind]({ runtime, image, container, open }, round++);
    }),
  );
}
