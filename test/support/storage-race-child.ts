/** One of several processes that make, commit and remove the same few snapshots at once. Ends with 0 if each failure was one that the contract has. */
import { overlay2 } from 'libhako/plugins/storage/overlay2';
import { vfs } from 'libhako/plugins/storage/vfs';
import { contextOn } from '../../src/plugins/conformance/context.ts';

const [directory = '', driverId = '', seed = '1', rounds = '100'] = process.argv.slice(2);
const context = contextOn(directory);
const native = { ...context.native, syncFilesystem: async () => undefined };
const driver =
  driverId === 'vfs' ? await vfs.create({ ...context, native }, {}) : await overlay2.create({ ...context, native }, {});
const allowed = new Set(['HAKO_ERR_SNAPSHOT_EXISTS', 'HAKO_ERR_SNAPSHOT_NOT_FOUND', 'HAKO_ERR_SNAPSHOT_HAS_CHILDREN']);
const outcomes: Record<string, number> = {};

let state = Number(seed);
const pick = (below: number): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return (state >>> 8) % below;
};
const key = (): never => `k${pick(4)}` as never;
const name = (): never => `N${pick(4)}` as never;
const operations = [
  () => driver.prepare(key(), pick(3) === 0 ? null : name()),
  () => driver.commit(name(), key()),
  () => driver.remove(key()),
  () => driver.remove(name()),
  () => driver.view(key(), name()),
  () => driver.mounts(key()),
];

for (let round = 0; round < Number(rounds); round++) {
  try {
    await operations[pick(operations.length)]?.();
    outcomes['done'] = (outcomes['done'] ?? 0) + 1;
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    if (!allowed.has(code)) throw error;
    outcomes[code] = (outcomes[code] ?? 0) + 1;
  }
}
await driver[Symbol.asyncDispose]();
if (context.warnings.length > 0) throw new Error(context.warnings.join('\n'));
process.stdout.write(JSON.stringify(outcomes));
