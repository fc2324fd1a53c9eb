import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Container, Runtime } from 'libhako';
import { expect, it, onTestFinished } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { writeBusyboxRoot } from '../support/test-runtime.ts';
import { again, amount, patience, seed } from './support/amounts.ts';
import { Random } from './support/random.ts';

const size = 12 << 20;
const names = ['one', 'sub/two'];

/** Copies into both containers, out of the first, and commits it, until it is killed. */
const program = `
  const [entry, root, scratch] = process.argv.slice(1);
  const { Runtime } = await import(entry);
  const runtime = await Runtime.open({ root });
  const [running, resting] = await Promise.all(['running', 'resting'].map((name) => runtime.containers.get(name)));
  const forever = async (work) => { for (let round = 0; ; round++) await work(round); };
  const content = (round) => Buffer.alloc(${size}, 97 + (round % 26));
  const files = (round) => ({ files: Object.fromEntries(${JSON.stringify(names)}.map((name) => [name, content(round)])) });
  console.log('begun');
  await Promise.all([
    forever((round) => running.copyIn(files(round), '/in')),
    forever((round) => (round % 2 === 0 ? resting.copyIn(files(round), '/in') : resting.copyIn(scratch + '/from', '/in'))),
    forever(() => running.copyOut('/out', scratch + '/to')),
    forever(() => running.commit({ reference: 'made:1' })),
  ]);
`;

/** What a killed copy leaves, wherever it is below a directory of the host. */
function temporaries(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.slice(path.lastIndexOf('/') + 1).startsWith('.hako-'),
  );
}

const isWhole = (content: Buffer) => content.length === size && content.equals(Buffer.alloc(size, content[0] ?? 0));

/** @returns how many workers went with it */
async function killed(child: ChildProcess, withWorkers: boolean): Promise<number> {
  const ended = once(child, 'exit');
  const pid = child.pid ?? 0;
  // So that none answers it, and it starts no other.
  process.kill(pid, 'SIGSTOP');
  const workers = withWorkers ? workersOf(pid) : [];
  for (const worker of workers) process.kill(worker, 'SIGKILL');
  process.kill(pid, 'SIGKILL');
  await ended;
  return workers.length;
}

function workersOf(pid: number): readonly number[] {
  const text = (path: string) => {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && text(`/proc/${name}/cmdline`).startsWith('hako-worker'))
    .filter((name) => text(`/proc/${name}/status`).includes(`\nPPid:\t${pid}\n`))
    .map(Number);
}

async function checkInside(container: Container): Promise<void> {
  const { stdout } = await container.exec([
    'sh',
    '-c',
    `find / -xdev -name '.hako-*'; for f in $(find /in -type f); do
       s=$(wc -c < $f); l=$(head -c 1 $f); r=$(tr -d "$l" < $f | wc -c); [ $s -eq ${size} ] && [ $r -eq 0 ] || echo $f $s $r; done`,
  ]);
  expect(stdout.toString(), `${container.name}, ${again}`).toBe('');
}

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'copies and commits that are killed', () => {
  it('leave whole files and nothing else', { timeout: patience }, async () => {
    const random = new Random(seed);
    const scratch = mkdtempSync(join(tmpdir(), 'hako-files-crash-'));
    onTestFinished(() => rmSync(scratch, { recursive: true, force: true }));
    const root = join(scratch, 'root');
    for (const name of ['from', 'from/sub', 'to']) mkdirSync(join(scratch, name));
    for (const name of names) writeFileSync(join(scratch, 'from', name), Buffer.alloc(size, '-'));
    await using first = await Runtime.open({ root });
    await first.images.import(writeBusyboxRoot(join(scratch, 'fs')), { reference: 'box' });
    for (const name of ['running', 'resting']) {
      const container = await first.containers.create({
        image: 'box',
        name,
        detached: true,
        command: ['sleep', '10000'],
      });
      await container.start();
      await container.exec(['mkdir', '/in', '/out']);
      await container.copyIn({ files: { one: Buffer.alloc(size, 'o'), two: Buffer.alloc(size, 't') } }, '/out');
      if (name === 'resting') await container.stop({ timeout: 0 });
    }
    await first.close();
    let [left, workers] = [0, 0];
    for (let kill = 1; kill <= amount('copykills', 6, 200); kill++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program, built.entry, root, scratch], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout as NodeJS.ReadableStream, 'data');
      await delay(random.below(700));
      const isInFile = kill % 2 === 0;
      const withWorkers = isInFile || random.chance(0.5);
      const halves = () => [join(scratch, 'to'), join(root, 'overlay2')].flatMap(temporaries).length;
      if (isInFile) await expect.poll(halves, { interval: 1, timeout: 5_000 }).toBeGreaterThan(0);
      workers += await killed(child, withWorkers);
      // The control: this is what would stay.
      if (withWorkers) left += halves();
      await using runtime = await Runtime.open({ root });
      const warnings: string[] = [];
      runtime.on('warning', ({ message }) => warnings.push(message));
      await expect.poll(() => readdirSync(join(root, 'copies')), { timeout: 20_000, message: again }).toEqual([]);
      expect(
        warnings.filter((text) => !/^A copy to .* was cut short/.test(text)),
        again,
      ).toEqual([]);
      expect(temporaries(join(scratch, 'to')), again).toEqual([]);
      for (const name of temporaries(join(root, 'overlay2'))) expect.fail(`${name} is left, ${again}`);
      for (const name of ['one', 'two'].map((file) => join(scratch, 'to/out', file)))
        if (existsSync(name)) expect(isWhole(readFileSync(name)), `${name}, ${again}`).toBe(true);
      expect(readdirSync(join(root, 'content/ingest')), again).toEqual([]);
      const running = await runtime.containers.get('running');
      expect((await running.inspect()).state.status, again).toBe('running');
      await checkInside(running);
      const resting = await runtime.containers.get('resting');
      expect((await resting.inspect()).state.status, again).toBe('exited');
      await resting.start();
      await checkInside(resting);
      await resting.stop({ timeout: 0 });
      // An image that is there is whole.
      for (const image of await runtime.images.list())
        expect((await runtime.run({ image, command: ['true'] })).exitCode, again).toBe(0);
    }
    expect(Math.min(left, workers), again).toBeGreaterThan(0);
    await using last = await Runtime.open({ root });
    for (const { name } of await last.containers.list())
      await (await last.containers.get(name)).remove({ force: true });
  });
});
