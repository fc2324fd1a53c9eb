/**
 * A service that is going to be killed: it does what services do, at random, and says on stdout what it is about to do
 * and what it has done. argv: the entry of libhako, root, directory of the host to share, seed, known containers (JSON).
 */
import { writeSync } from 'node:fs';
import type * as Libhako from 'libhako';
import { Random } from '../support/random.ts';
import { countingProgram } from './program.ts';
import type { Made, Operation, Report } from './report.ts';

const [entry = '', root = '', side = '', seed = '', image = '', rootfs = '', known = '{}'] = process.argv.slice(2);
const { Runtime } = (await import(entry)) as typeof Libhako;
const containers = new Map(Object.entries(JSON.parse(known) as Record<string, Made>));

// Not through a stream: what was written is out, even if this process is killed at the next instruction.
const say = (report: Report): void => void writeSync(1, `${JSON.stringify(report)}\n`);

async function told(operation: Operation, name: string, work: () => Promise<unknown>, made?: Made): Promise<void> {
  const about = { operation, name, ...(made === undefined ? {} : { made }) };
  say({ ...about, phase: 'begun' });
  try {
    await work();
    say({ ...about, phase: 'done' });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    say({ ...about, phase: 'failed', error: `${code}: ${message}` });
  }
}

let runtime: Libhako.Runtime | undefined;
await told('open', '', async () => {
  runtime = await Runtime.open({ root });
});
const { containers: all, images } = runtime as Libhako.Runtime;
const open = runtime as Libhako.Runtime;

/** The mode in which each container has ids of its own. */
const ownIds = { driver: 'normal', options: { userns: 'auto' } };

/** One caller of several; no two work on one container, so that what each is told is true afterwards. */
async function work(caller: number): Promise<void> {
  const random = new Random(Number(seed) * 31 + caller);
  let made = 0;
  const own = () => [...containers.keys()].filter((name) => name.startsWith(`c${caller}-`));
  const rotating = {
    driver: 'json-file',
    options: { 'max-size': '2k', 'max-file': '1000', compress: random.chance(0.5) ? 'true' : 'false' },
  };

  const create = async (): Promise<void> => {
    // Never that of one before: what it has written is known by its name.
    const name = `c${caller}-${seed}-${made++}`;
    const about: Made = {
      detached: random.chance(0.5),
      endless: random.chance(0.3),
      lines: 1 + random.below(300),
      kept: random.chance(0.3),
    };
    containers.set(name, about);
    await told(
      'create',
      name,
      () =>
        all.create({
          image,
          name,
          command: countingProgram(name, about.lines, about.endless),
          detached: about.detached,
          mounts: [{ type: 'bind', source: side, target: '/side' }],
          ...(random.chance(0.5) ? { log: rotating } : {}),
          ...(random.chance(0.3) ? { mode: ownIds } : {}),
          ...(about.kept ? { restart: 'on-failure:3', healthcheck: { test: ['CMD', 'true'], interval: 0.05 } } : {}),
        }),
      about,
    );
  };
  const pool = async (): Promise<void> => {
    await using ready = await all.pool({
      image,
      size: 1 + random.below(2),
      ...(random.chance(0.3) ? { mode: ownIds } : {}),
    });
    await ready.run(['sh', '-c', 'echo x']);
    if (random.chance(0.5)) await ready.run(['true']);
  };
  const on = (operation: Operation, act: (container: Libhako.Container) => Promise<unknown>) => async () => {
    if (own().length === 0) return create();
    const name = random.pick(own());
    await told(operation, name, async () => act(await all.get(name)));
    if (operation === 'remove') containers.delete(name);
  };
  const operations: readonly (() => Promise<void>)[] = [
    create,
    create,
    on('start', (container) => container.start()),
    on('start', (container) => container.start()),
    on('start', (container) => container.start({ attach: {} })),
    on('exec', (container) => container.exec(['sh', '-c', 'echo x'])),
    on('logs', async (container) => {
      for await (const _ of container.logs());
    }),
    on('update', (container) => container.update({ resources: { memory: `${32 + random.below(64)}m` } })),
    on('pause', async (container) => {
      await container.pause();
      await container.unpause();
    }),
    on('copy', (container) => container.copyIn({ files: { copied: Buffer.alloc(100_000, 'x') } }, '/')),
    on('copy', async (container) => {
      for await (const _ of (await container.copyOut('/bin')).stream);
    }),
    on('commit', (container) => container.commit({ reference: `committed:${caller}` })),
    on('stop', (container) => container.stop({ timeout: 0 })),
    on('remove', (container) => container.remove({ force: true })),
    () =>
      told('run', `run-${caller}-${random.below(1_000_000)}`, () =>
        open.run({ image, command: ['sh', '-c', 'echo x'] }),
      ),
    () => told('pool', '', pool),
    () => told('import', '', () => images.import(rootfs, { reference: `other:${caller}` })),
    () => told('untag', '', () => images.remove(`${random.pick(['other', 'committed'])}:${caller}`)),
  ];
  for (;;) await random.pick(operations)();
}

await Promise.all([0, 1, 2].map(work));
