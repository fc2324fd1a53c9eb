import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type * as Libhako from 'libhako';

/** What a service does over and over. */
export type Kind = 'exec' | 'run' | 'life';

interface Subject {
  readonly runtime: Libhako.Runtime;
  readonly image: string;
  /** It runs all the while. */
  readonly container: Libhako.Container;
  /** A runtime more, on the same root. */
  open(): Promise<Libhako.Runtime>;
}

/** One round of each kind; throws when something is not as it should be. */
export const rounds: Readonly<Record<Kind, (subject: Subject, round: number) => Promise<unknown>>> = {
  exec: async ({ container }) => expectX(await container.exec(['echo', 'x'])),
  // One that goes by itself, and one that somebody removes.
  run: (subject, round) => (round % 2 === 0 ? runOnce(subject) : createAndRemove(subject)),
  life: live,
};

function expectX({ exitCode, stdout }: Libhako.ProgramResult): void {
  if (exitCode !== 0 || stdout.toString() !== 'x\n') throw new Error(`it gave ${exitCode}, ${stdout}`);
}

async function runOnce({ runtime, image }: Subject): Promise<void> {
  expectX(await runtime.run({ image, command: ['echo', 'x'] }));
}

async function createAndRemove({ runtime, image }: Subject): Promise<void> {
  const container = await runtime.containers.create({ image, command: ['echo', 'x'] });
  await container.start();
  const { exitCode } = await container.wait();
  if (exitCode !== 0) throw new Error(`it ended with ${exitCode}`);
  await container.remove();
}

/** Everything that may be done to a container, and some of it given up half-way. */
async function live({ runtime, image, open }: Subject, round: number): Promise<void> {
  const { containers, images } = runtime;
  const name = `life-${round}`;
  const container = await containers.create({
    image,
    name,
    command: ['sh', '-c', 'echo x; exec sleep 1000'],
    labels: { round: String(round) },
    detached: round % 2 === 0,
    restart: 'on-failure',
    healthcheck: { test: ['CMD', 'true'], interval: 0.1 },
  });
  const listener = (): void => {};
  container.on('exit', listener);
  const attachment = await container.start({ attach: { stdout: true } });
  await attachment.close();
  await container.exec(['sh', '-c', 'echo x; echo y >&2'], { input: 'z' });
  const exec = await container.startExec(['sleep', '1000']);
  await exec.close();
  await container.execs();
  await (await container.attach({ stdin: true, stdout: true })).close();
  await firstOf(container.logs());
  await firstOf(container.logs({ follow: true }));
  await givenUp((signal) => container.wait({ signal }));
  await container.update({ resources: { memory: '64m' } });
  await container.pause();
  await container.unpause();
  await container.stats();
  await firstOf(container.watchStats({ interval: 50 }));
  await container.top();
  await container.copyIn({ files: { copied: 'x'.repeat(10_000) } }, '/');
  await drained((await container.copyOut('/copied')).stream);
  const cut = (await container.copyOut('/bin')).stream;
  cut.destroy();
  await container.diff();
  await container.inspect();
  await container.logCounts();
  await drained(container.export());
  await container.rename(`${name}-renamed`);
  const committed = await container.commit({ reference: `committed:${round}` });
  await images.remove(`committed:${round}`);
  await images.get(committed.id).catch(listener);
  await firstOf(runtime.events({ since: new Date(0) }));
  await containers.list({ filters: { label: `round=${round}` } });
  await container.restart({ timeout: 0 });
  await container.stop({ timeout: 0 });
  container.off('exit', listener);
  await container.remove();
  await givenUp((signal) => runtime.run({ image, command: ['sleep', '1000'], signal }));
  await using pool = await containers.pool({ image, size: 1 });
  expectX(await pool.run(['echo', 'x']));
  await using other = await open();
  await other.containers.list();
}

async function firstOf(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source) return;
}

async function drained(stream: Readable): Promise<void> {
  stream.resume();
  await once(stream, 'end');
}

/** It is asked for, and then no longer wanted. */
async function givenUp(work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController();
  const asked = work(controller.signal).then(
    () => false,
    () => true,
  );
  await delay(5);
  controller.abort();
  if (!(await asked)) throw new Error('what was given up was done all the same');
}
