/** Does one operation of a storage driver and kills itself before its k-th change to the disk; says how many there were if it comes to the end. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [directory = '', driverId = '', operation = '', killAt = ''] = process.argv.slice(2);
const changing = [
  'mkdirSync',
  'writeFileSync',
  'renameSync',
  'linkSync',
  'unlinkSync',
  'rmdirSync',
  'chmodSync',
  'chownSync',
  'symlinkSync',
  'openSync',
  'fsyncSync',
] as const;
let armed = false;
let changes = 0;

for (const name of changing) {
  const original = fs[name] as (...args: unknown[]) => unknown;
  (fs as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => {
    if (armed && ++changes === Number(killAt)) process.kill(process.pid, 'SIGKILL');
    return original(...args);
  };
}
syncBuiltinESMExports();

const { overlay2 } = await import('libhako/plugins/storage/overlay2');
const { vfs } = await import('libhako/plugins/storage/vfs');
const { contextOn } = await import('../../src/plugins/conformance/context.ts');
const context = contextOn(directory);
const driver = driverId === 'vfs' ? await vfs.create(context, {}) : await overlay2.create(context, {});
const [key, name] = ['subject' as never, 'SUBJECT' as never];

armed = true;
if (operation === 'prepare') await driver.prepare(key, 'A' as never);
else if (operation === 'view') await driver.view(key, 'A' as never);
else if (operation === 'commit') await driver.commit(name, key);
else if (operation === 'remove') await driver.remove(key);
else await driver.remove(name);
armed = false;
process.stdout.write(`${changes}\n`);
await driver[Symbol.asyncDispose]();
