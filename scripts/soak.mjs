// The long forms of the soaks, and of the tests that make system calls fail. `npm run soak` takes an hour or two;
// `npm run soak -- --only crash,race --seed 7` some of them, again; HAKO_SOAK_KILLS=100 and the like make one shorter.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = {
  many: ['test/soak/many.test.ts'],
  records: ['test/soak/records.test.ts'],
  options: ['test/soak/options.test.ts', 'test/soak/calls.test.ts'],
  race: ['test/soak/race.test.ts'],
  crash: ['test/soak/crash.test.ts'],
  copies: ['test/soak/copies.test.ts'],
  faults: ['test/soak/faults.test.ts', 'test/native/container-faults.test.ts', 'test/native/supervisor-faults.test.ts'],
  flat: ['test/soak/flat.test.ts'],
};
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(files).join(',') },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
  },
});

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  return status === 0;
}

const names = values.only.split(',');
for (const name of names)
  if (files[name] === undefined) throw new Error(`--only ${name}: there are ${Object.keys(files).join(', ')}`);
if (!run('npm', ['run', 'build'])) process.exit(1);
console.log(`seed ${values.seed}`);
const env = {
  HAKO_SOAK: '1',
  HAKO_EXHAUSTIVE: '1',
  HAKO_SOAK_SEED: values.seed,
  HAKO_SOAK_GRAPH: `${root}docs/soak.svg`,
};
// One after the other: they measure.
const failed = names.filter(
  (name) =>
    !run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--no-file-parallelism', ...files[name]], env),
);
console.log(failed.length === 0 ? 'all sound' : `failed: ${failed.join(', ')}; again with --seed ${values.seed}`);
process.exitCode = failed.length === 0 ? 0 : 1;
