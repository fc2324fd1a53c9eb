/**
 * A service that does one thing over and over, and tells now and then what it takes up, one line of JSON each.
 * argv: the entry of libhako, root, image, `exec` or `run`, how often, how many samples.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type * as Libhako from 'libhako';
import type { Sample } from './sample.ts';

const [entry = '', root = '', image = '', what = '', count = '0', samples = '1'] = process.argv.slice(2);
const { Runtime } = (await import(entry)) as typeof Libhako;
const atOnce = 4;

// A parent of its own: whoever else works on this machine has groups as well.
await using runtime = await Runtime.open({ root, cgroupParent: `/hako-flat-${process.pid}` });
const container = await runtime.containers.create({ image, command: ['sleep', '1000000'], ephemeral: true });
await container.start();
const { state } = await container.inspect();
if (state.status !== 'running') throw new Error(state.status);
const { supervisorPid, cgroups } = state;
// Where containers' groups are made: beside this one's.
const parents = cgroups.map((directory) => directory.slice(0, directory.lastIndexOf('/')));

const entries = (directory: string): number => readdirSync(directory).length;
const directories = (directory: string): number =>
  readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory()).length;
const kibibytes = (pid: number | 'self', field: string, file: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'latin1'))?.[1]);

function sample(done: number): Sample {
  global.gc?.();
  return {
    done,
    'memory of node (KiB)': kibibytes('self', 'VmRSS', 'status'),
    'heap of node (KiB)': Math.round(process.memoryUsage().heapUsed / 1024),
    'descriptors of node': entries('/proc/self/fd'),
    'threads of node': entries('/proc/self/task'),
    'memory of the supervisor (KiB)': kibibytes(supervisorPid, 'Pss', 'smaps_rollup'),
    'descriptors of the supervisor': entries(`/proc/${supervisorPid}/fd`),
    mounts: readFileSync('/proc/self/mountinfo', 'latin1').split('\n').length - 1,
    'control groups': parents.reduce((sum, parent) => sum + directories(parent), 0),
    containers: entries(`${root}/containers`),
  };
}

async function once(): Promise<void> {
  const { exitCode, stdout } =
    what === 'exec' ? await container.exec(['echo', 'x']) : await runtime.run({ image, command: ['echo', 'x'] });
  if (exitCode !== 0 || stdout.toString() !== 'x\n') throw new Error(`${what} gave ${exitCode}, ${stdout}`);
}

const rounds = Number(samples);
const each = Math.ceil(Number(count) / rounds / atOnce);
for (let round = 0; round <= rounds; round++) {
  console.log(JSON.stringify(sample(round * each * atOnce)));
  if (round === rounds) break;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let i = 0; i < each; i++) await once();
    }),
  );
}
