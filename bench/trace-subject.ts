// What bench/trace.ts traces: some runs to warm up, then one between two marks.
import { existsSync } from 'node:fs';
import { Runtime } from 'libhako';

const [rootfs = '', root = ''] = process.argv.slice(2);
await using runtime = await Runtime.open({ root });
const image = await runtime.images.import(rootfs);
const run = () => runtime.run({ image, command: ['true'], namespaces: { network: 'host' } });
for (let warmup = 0; warmup < 5; warmup++) await run();
existsSync('/hako-trace-begin');
await run();
existsSync('/hako-trace-end');
