import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Container, type ContainerState, HakoError, type Runtime } from 'libhako';
import { expect } from 'vitest';
import { processesOf } from '../support/leftovers.ts';
import type { Expectation, Model } from './model.ts';
import { linesByRun } from './program.ts';

/** What the next runtime finds must be what the service had been told, and whole. */
export async function checkAll(runtime: Runtime, root: string, side: string, model: Model): Promise<void> {
  for (const [name, expected] of model.containers) {
    const container = await found(runtime, name);
    if (expected.exists === 'yes') expect(container, `${name} was made, and is gone`).not.toBeNull();
    if (expected.exists === 'no') expect(container, `${name} was removed, and is there`).toBeNull();
    if (container === null) {
      model.containers.delete(name);
      continue;
    }
    expected.exists = 'yes';
    await checkOne(container, join(root, 'containers'), side, expected);
  }
  await checkNoOthers(runtime, model);
  await checkImages(runtime);
}

/** What was made for a run, or for a pool, is gone, or about to be. */
async function checkNoOthers(runtime: Runtime, model: Model): Promise<void> {
  const others = async () => (await runtime.containers.list()).filter(({ name }) => !model.containers.has(name));
  await expect.poll(others, { message: 'containers that nobody asked to keep', timeout: 15_000 }).toEqual([]);
}

/** An image that is there is whole, one that was committed too. */
async function checkImages(runtime: Runtime): Promise<void> {
  for (const image of (await runtime.images.list()).slice(0, 2)) {
    const command = ['sh', '-c', 'echo whole'];
    expect((await runtime.run({ image: image.id, command })).stdout.toString(), image.id).toBe('whole\n');
  }
}

async function found(runtime: Runtime, name: string): Promise<Container | null> {
  try {
    return await runtime.containers.get(name);
  } catch (error) {
    if (error instanceof HakoError && error.code === 'HAKO_ERR_CONTAINER_NOT_FOUND') return null;
    throw error;
  }
}

/** Of one that goes on, or is started again by whoever keeps it. */
const atWork: readonly ContainerState['status'][] = ['running', 'restarting', 'starting'];

async function checkOne(container: Container, containers: string, side: string, expected: Expectation): Promise<void> {
  const { name } = container;
  const { detached, endless, kept } = expected.made;
  let { state } = await container.inspect();
  // Its service died before it could unpause it.
  if (state.status === 'paused' && detached) {
    await container.unpause();
    ({ state } = await container.inspect());
  }
  if (state.status === 'running') {
    // One that is not detached has been killed by its supervisor, which is about to say so.
    if (detached && endless) expect((await container.exec(['sh', '-c', 'exit 5'])).exitCode, name).toBe(5);
    else if (detached) expect(await within(container)).toBeLessThanOrEqual(137);
    else expect(await within(container), `${name} outlived its service`).toBeTypeOf('number');
    ({ state } = await container.inspect());
  }
  expect(['created', 'exited', 'lost', ...(detached && (endless || kept) ? atWork : [])], name).toContain(state.status);
  // A restart that was cut short leaves what a start that was leaves, and is taken up by this runtime.
  if (expected.ran === 'yes')
    expect(['exited', ...(kept ? ['lost', ...atWork] : ['running'])], `${name} is ${state.status}`).toContain(
      state.status,
    );
  if (expected.ran === 'no') expect(state.status, name).toBe('created');
  // One that had not been asked to start anything may just be going.
  if (state.status === 'lost' && !(kept && detached))
    await expect
      .poll(() => processesOf(join(containers, container.id)), { message: `${name} is lost, and runs` })
      .toEqual([]);
  const finished = state.status === 'exited' && state.exitCode === 7;
  await checkLog(container, side, expected, finished);
}

async function within(container: Container): Promise<number> {
  return (await container.wait({ signal: AbortSignal.timeout(30_000) })).exitCode;
}

async function checkLog(
  container: Container,
  side: string,
  { made, ran }: Expectation,
  finished: boolean,
): Promise<void> {
  const seen = new Map<string, number>();
  const texts = async (): Promise<string[]> => {
    const lines: string[] = [];
    for await (const { line } of container.logs()) lines.push(Buffer.from(line).toString());
    return lines;
  };
  // Counted before the log is read: what runs goes on meanwhile.
  const { name } = container;
  for (let run = 0; existsSync(join(side, `${name}-${run}`)); run++)
    seen.set(`${name}-${run}`, readFileSync(join(side, `${name}-${run}`), 'utf8').split('\n').length - 1);
  const isAtRest = (await container.inspect()).state.status !== 'running';
  let runs = linesByRun(await texts());
  const isBehind = () => [...seen].some(([run, written]) => (runs.get(run)?.length ?? 0) < written);
  // What the program has written lies in a pipe until its supervisor has had a turn: its end waits for that, we do not.
  for (const until = Date.now() + 5000; !isAtRest && isBehind() && Date.now() < until; await sleep(20))
    runs = linesByRun(await texts());
  if (ran === 'no') expect(seen.size, `${name} has run`).toBe(0);
  expect([...runs.keys()], name).toEqual([...runs.keys()].sort((one, other) => runNumber(one) - runNumber(other)));
  for (const [run, written] of seen) {
    const numbers = runs.get(run) ?? [];
    expect(numbers, `the log of ${run}`).toEqual(numbers.map((_, index) => index + 1));
    expect(
      numbers.length,
      `lines of ${run} that are in the log, which has ${[...runs.keys()]}${isAtRest ? ', at rest' : ''}`,
    ).toBeGreaterThanOrEqual(written);
    if (isAtRest) expect(numbers.length, `lines of ${run}`).toBeLessThanOrEqual(written + 1);
  }
  if (finished) expect(runs.get(`${name}-${seen.size - 1}`)?.length, `${name} ended by itself`).toBe(made.lines);
}

function runNumber(run: string): number {
  return Number(run.slice(run.lastIndexOf('-') + 1));
}
