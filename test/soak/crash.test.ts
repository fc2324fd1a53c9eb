import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Runtime } from 'libhako';
import { expect, it, onTestFinished } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';
import { checkAll } from './crash/check.ts';
import { Model } from './crash/model.ts';
import type { Operation, Report } from './crash/report.ts';
import { again, amount, isLong, patience, seed } from './support/amounts.ts';
import { leftovers } from './support/leftovers.ts';
import { Random } from './support/random.ts';

const victim = fileURLToPath(new URL('crash/victim.ts', import.meta.url));

/** When a service is killed: so many milliseconds after it has said this of itself. */
interface Moment {
  readonly operation: Operation;
  readonly phase: Report['phase'];
  readonly milliseconds: number;
}

// biome-ignore format: one line tells more
const targets: readonly Operation[] = ['create', 'start', 'exec', 'logs', 'update', 'copy', 'commit', 'remove', 'pool', 'run', 'stop', 'pause', 'import', 'untag'];

/** Most in the middle of something that was chosen beforehand, however seldom it is; the others as they open, or at any time. */
function momentOf(random: Random): Moment {
  if (random.chance(0.1)) return { operation: 'open', phase: 'begun', milliseconds: random.below(60) };
  if (random.chance(0.3)) return { operation: 'open', phase: 'done', milliseconds: random.below(600) };
  // Some take a millisecond and some a tenth of a second: from 0 to 180, half of them under 13.
  return { operation: random.pick(targets), phase: 'begun', milliseconds: 2 ** (7.5 * random.next()) - 1 };
}

/** One that works, and does not come to the moment that was chosen, is killed at another; in milliseconds. */
const longestLife = 3000;
/** One that does not even open, on however busy a machine. */
const longestOpening = 60_000;

/** A service lives until it is killed; what it said is in the model. */
async function liveAndDie(args: readonly string[], moment: Moment, model: Model): Promise<void> {
  const child = spawn(process.execPath, [victim, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const ended = once(child, 'exit');
  const killAfter = (milliseconds: number) => setTimeout(() => child.kill('SIGKILL'), milliseconds);
  let latest = killAfter(longestOpening);
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const report = JSON.parse(line) as Report;
    if (report.operation === moment.operation && report.phase === moment.phase) killAfter(moment.milliseconds);
    if (report.operation === 'open' && report.phase === 'done') {
      clearTimeout(latest);
      latest = killAfter(longestLife);
    }
    model.take(report);
  });
  await Promise.all([ended, once(lines, 'close')]);
  clearTimeout(latest);
  if (child.signalCode !== 'SIGKILL') throw new Error(`the service ended by itself: ${describe(child, errors)}`);
}

function describe(child: ChildProcess, errors: readonly Buffer[]): string {
  return `exit code ${child.exitCode}, ${Buffer.concat(errors).toString()}`;
}

/** Kills one service after the other on a root of its own. */
async function killOver(number: number, kills: number): Promise<Model> {
  const random = new Random(seed + number);
  await using test = await openRuntime();
  await test.runtime.close();
  const scratch = mkdtempSync(join(tmpdir(), 'hako-soak-'));
  onTestFinished(() => rmSync(scratch, { recursive: true }));
  const [side, rootfs] = [join(scratch, 'side'), join(scratch, 'rootfs')];
  mkdirSync(side);
  // Containers with ids of their own write there as well.
  chmodSync(scratch, 0o755);
  chmodSync(side, 0o777);
  writeBusyboxRoot(rootfs);
  writeFileSync(join(rootfs, 'other'), 'than the other image');
  const model = new Model();
  const ids = new Set<string>();
  for (let kill = 1; kill <= kills; kill++) {
    const which = `${again}; service ${number}, kill ${kill} of ${kills}`;
    const known = JSON.stringify(model.known());
    const args = [built.entry, test.root, side, String(random.below(1e9)), busyboxImage, rootfs, known];
    await liveAndDie(args, momentOf(random), model);
    expect(model.complaints.splice(0), which).toEqual([]);
    await using runtime = await Runtime.open({ root: test.root });
    const warnings: string[] = [];
    runtime.on('warning', ({ message, cause }) => warnings.push(cause === undefined ? message : `${message} ${cause}`));
    for (const id of readdirSync(join(test.root, 'containers'))) ids.add(id);
    try {
      await checkAll(runtime, test.root, side, model);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${which}`, { cause: error });
    }
    // Few enough that the next one meets each of them.
    for (const name of [...model.containers.keys()].slice(0, -6)) {
      await (await runtime.containers.get(name)).remove({ force: true });
      model.containers.delete(name);
    }
    expect(
      warnings.filter((text) => !/^A copy to .* was cut short/.test(text)),
      which,
    ).toEqual([]);
  }
  await using last = await Runtime.open({ root: test.root });
  for (const { name } of await last.containers.list()) await (await last.containers.get(name)).remove({ force: true });
  for (const image of await last.images.list()) await last.images.remove(image.id);
  await last.close();
  await expect.poll(() => leftovers(test.root, [...ids]), { timeout: 15_000, message: again }).toEqual([]);
  return model;
}

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'kill -9 of a service at any moment', () => {
  it('leaves what it had been told, every byte of log once, and nothing else', { timeout: patience }, async () => {
    // Several at a time, each on a root of its own: most of the time is spent in waiting.
    const kills = amount('kills', 12, 1000);
    const services = isLong ? 4 : 1;
    const models = await Promise.all(
      Array.from({ length: services }, (_, number) => killOver(number, Math.ceil(kills / services))),
    );
    const cut = new Map(
      targets.map((operation) => [operation, models.reduce((sum, model) => sum + model.cut(operation), 0)]),
    );
    console.log(`${kills} kills in the middle of: ${[...cut].map((entry) => entry.join(' ')).join(', ')}`);
    // Else it has shown nothing.
    if (isLong) expect(Math.min(...cut.values()), again).toBeGreaterThan(0);
  });
});
