/**
 * One of several processes that do everything at random to the same few containers of one root. Ends with 0 when each
 * failure was one that another process may be the reason of. argv: the entry of libhako, root, image, seed, rounds.
 */
import type * as Libhako from 'libhako';
import { Random } from '../support/random.ts';

const [entry = '', root = '', image = '', seed = '', rounds = '0'] = process.argv.slice(2);
const { Runtime } = (await import(entry)) as typeof Libhako;
const random = new Random(Number(seed));
const outcomes: Record<string, number> = {};
const strangers: string[] = [];

/** What may be found of a container that others start, end and remove meanwhile. */
const allowed = new Set([
  'HAKO_ERR_CONTAINER_NOT_FOUND',
  'HAKO_ERR_CONTAINER_NAME_IN_USE',
  'HAKO_ERR_CONTAINER_NOT_RUNNING',
  'HAKO_ERR_CONTAINER_ALREADY_STARTED',
  'HAKO_ERR_CONTAINER_RUNNING',
]);

await using runtime = await Runtime.open({ root });
runtime.on('warning', ({ message }) => strangers.push(`warning: ${message}`));
const { containers } = runtime;
const name = (): string => `shared-${random.below(4)}`;
const get = (): Promise<Libhako.Container> => containers.get(name());

async function expectOutput(container: Libhako.Container): Promise<void> {
  const { exitCode, stdout } = await container.exec(['sh', '-c', 'echo $((6*7))']);
  // Killed with its container, in the middle.
  if (exitCode === 0 && stdout.toString() !== '42\n') throw new Error(`exec gave ${JSON.stringify(String(stdout))}`);
}

const operations: readonly (readonly [string, () => Promise<unknown>])[] = [
  [
    'create',
    () => containers.create({ image, name: name(), command: ['sleep', '1000'], detached: random.chance(0.5) }),
  ],
  ['create', () => containers.create({ image, name: name(), command: ['sh', '-c', 'seq 100'] })],
  ['start', async () => (await get()).start()],
  ['start', async () => (await get()).start()],
  ['exec', async () => expectOutput(await get())],
  ['exec', async () => expectOutput(await get())],
  ['stop', async () => (await get()).stop({ timeout: 0 })],
  ['inspect', async () => (await get()).inspect()],
  ['list', () => containers.list()],
  [
    'logs',
    async () => {
      for await (const _ of (await get()).logs());
    },
  ],
  ['remove', async () => (await get()).remove({ force: random.chance(0.8) })],
  ['run', () => runtime.run({ image, command: ['true'] })],
];

async function caller(): Promise<void> {
  for (let round = 0; round < Number(rounds); round++) {
    const [operation, act] = random.pick(operations);
    try {
      await act();
      outcomes[operation] = (outcomes[operation] ?? 0) + 1;
    } catch (error) {
      const { code = '', message } = error as { code?: string; message: string };
      outcomes[code] = (outcomes[code] ?? 0) + 1;
      if (!allowed.has(code)) strangers.push(`${operation}: ${code} ${message}`);
    }
  }
}

await Promise.all([caller(), caller()]);
process.stdout.write(JSON.stringify({ outcomes, strangers }));
