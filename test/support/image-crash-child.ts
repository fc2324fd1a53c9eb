/** Imports an image and kills itself before its k-th change to the disk; says how many there were if it comes to the end. */
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const [root = '', layout = '', killAt = ''] = process.argv.slice(2);
let armed = false;
let changes = 0;
const count = (): void => {
  if (armed && ++changes === Number(killAt)) process.kill(process.pid, 'SIGKILL');
};

for (const [module, names] of [
  [fs, ['mkdirSync', 'writeFileSync', 'renameSync', 'linkSync', 'unlinkSync', 'rmdirSync', 'fsyncSync']],
  [promises, ['rename', 'unlink', 'open', 'mkdir']],
] as const) {
  for (const name of names) {
    const original = (module as unknown as Record<string, (...args: unknown[]) => unknown>)[name];
    (module as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => {
      count();
      return original?.apply(module, args);
    };
  }
}
syncBuiltinESMExports();

const { openImageRuntime } = await import('./image-runtime.ts');
const runtime = await openImageRuntime({ root });
armed = true;
await runtime.images.import({ kind: 'oci-layout', path: layout }, { kind: 'same' }, { reference: 'app' });
armed = false;
process.stdout.write(`${changes}\n`);
await runtime[Symbol.asyncDispose]();
