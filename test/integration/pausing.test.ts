import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Container, HakoError, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { startSource } from '../support/source-process.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const rejection = async (promise: Promise<unknown>): Promise<HakoError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HakoError);
  return error as HakoError;
};
const status = async (container: Container) => (await container.inspect()).state.status;
/** Writes a letter every 10 ms; ends with 5 when it is asked to. */
const talker = ['sh', '-c', 'trap "exit 5" TERM; while :; do echo x; sleep 0.01; done'];
const groupsOf = async (container: Container): Promise<readonly string[]> => {
  const { state } = await container.inspect();
  return state.status === 'running' || state.status === 'paused' ? state.cgroups : [];
};

describeWith({ root: true, tools: ['busybox'] }, 'a paused container', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  const talking = async (more: object = {}) => {
    const container = await test.runtime.containers.create({ image, command: talker, log: 'none', ...more });
    const { stdout } = await container.start({ attach: { stdout: true } });
    let length = 0;
    stdout.on('data', (chunk: Buffer) => {
      length += chunk.length;
    });
    await once(stdout, 'data');
    return { container, output: () => length };
  };

  it('does nothing until it goes on', async () => {
    const { container, output } = await talking();
    const seen: string[] = [];
    for (const event of ['container:pause', 'container:unpause'] as const)
      test.runtime.on(event, ({ id }) => void (id === container.id && seen.push(event)));
    await container.pause();
    await sleep(50);
    const held = output();
    expect(await status(container)).toBe('paused');
    expect((await test.runtime.containers.list()).find(({ id }) => id === container.id)?.state.status).toBe('paused');
    await sleep(300);
    expect(output()).toBe(held);
    await container.unpause();
    expect(await status(container)).toBe('running');
    await expect.poll(output).toBeGreaterThan(held + 4);
    // Once more: the groups are there now.
    await container.pause();
    expect(await status(container)).toBe('paused');
    await container.unpause();
    expect(seen).toEqual(['container:pause', 'container:unpause', 'container:pause', 'container:unpause']);
    await container.remove({ force: true });
    const history: string[] = [];
    for await (const { action, id } of test.runtime.events({ since: new Date(0), until: new Date() }))
      if (id === container.id) history.push(action);
    expect(history.filter((action) => action.endsWith('pause'))).toEqual(['pause', 'unpause', 'pause', 'unpause']);
  });

  it('takes what an exec has started along, before the pause and between two', async () => {
    await using container = await test.runtime.containers.create({ image, command: ['sleep', '60'], ephemeral: true });
    await container.start();
    const counting = async () => {
      const exec = await container.startExec(['sh', '-c', 'while :; do echo x; sleep 0.01; done']);
      let length = 0;
      exec.stdout.on('data', (chunk: Buffer) => {
        length += chunk.length;
      });
      await once(exec.stdout, 'data');
      return () => length;
    };
    const first = await counting();
    await container.pause();
    await sleep(50);
    const held = first();
    await sleep(200);
    expect(first()).toBe(held);
    await container.unpause();
    const second = await counting();
    await container.pause();
    await sleep(50);
    const both = [first(), second()];
    await sleep(200);
    expect([first(), second()]).toEqual(both);
    await container.unpause();
    await expect.poll(() => first() > (both[0] ?? 0) && second() > (both[1] ?? 0)).toBe(true);
  });

  it('takes no program in, and is neither paused again nor removed', async () => {
    const { container } = await talking();
    expect((await rejection(container.unpause())).code).toBe('HAKO_ERR_CONTAINER_NOT_PAUSED');
    await container.pause();
    const refused = await rejection(container.exec(['true']));
    expect(refused.code).toBe('HAKO_ERR_CONTAINER_PAUSED');
    expect(refused.message).toMatch(/is paused\. Unpause it/);
    expect((await rejection(container.pause())).code).toBe('HAKO_ERR_CONTAINER_PAUSED');
    const removal = await rejection(container.remove());
    expect([removal.code, removal.message]).toEqual(['HAKO_ERR_CONTAINER_RUNNING', expect.stringMatching(/is paused/)]);
    // Statistics and limits need nothing of its processes.
    expect((await container.stats()).memory.usage).toBeGreaterThan(0);
    await container.update({ resources: { pids: 77 } });
    await container.unpause();
    expect((await container.exec(['true'])).exitCode).toBe(0);
    await container.remove({ force: true });
  });

  it('is stopped by its signal, by a kill, and by a removal', async () => {
    const stopped = await talking();
    await stopped.container.pause();
    expect(await stopped.container.stop({ timeout: 10 })).toMatchObject({ exitCode: 5, signal: null });
    await stopped.container.remove();

    const killed = await talking();
    await killed.container.pause();
    await killed.container.kill();
    expect(await killed.container.wait()).toMatchObject({ exitCode: 137, signal: 9 });
    expect(await status(killed.container)).toBe('exited');
    await killed.container.remove();

    const asked = await talking();
    await asked.container.pause();
    await asked.container.kill('SIGTERM');
    expect(await asked.container.wait()).toMatchObject({ exitCode: 5 });
    await asked.container.remove();

    const removed = await talking();
    await removed.container.pause();
    const groups = await groupsOf(removed.container);
    await removed.container.remove({ force: true });
    expect(groups.filter((directory) => existsSync(directory))).toEqual([]);
  });

  it('keeps another signal until it goes on', async () => {
    const container = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', 'trap "echo got" USR1; echo ready; while :; do sleep 0.01; done'],
    });
    const { stdout } = await container.start({ attach: { stdout: true } });
    let output = '';
    stdout.on('data', (chunk: Buffer) => {
      output += chunk;
    });
    await expect.poll(() => output).toContain('ready');
    await container.pause();
    await container.kill('SIGUSR1');
    await sleep(200);
    expect([output, await status(container)]).toEqual(['ready\n', 'paused']);
    await container.unpause();
    await expect.poll(() => output).toContain('got');
    await container.remove({ force: true });
  });

  it('is seen and let go by another process', async () => {
    const { container } = await talking();
    await using other = await Runtime.open({ root: test.root });
    const twin = await other.containers.get(container.id);
    await twin.pause();
    expect(await status(container)).toBe('paused');
    expect((await rejection(container.exec(['true']))).code).toBe('HAKO_ERR_CONTAINER_PAUSED');
    await container.unpause();
    expect(await status(twin)).toBe('running');
    await container.remove({ force: true });
  });

  it('ends with a runtime that closes, though it is frozen', async () => {
    const second = await Runtime.open({ root: test.root });
    const container = await second.containers.create({ image, name: 'frozen', command: ['sleep', '60'] });
    await container.start();
    await container.pause();
    await second.close();
    const found = await test.runtime.containers.get('frozen');
    expect(await status(found)).toBe('exited');
    await found.remove();
  });

  it('ends with a process that is killed, though it is frozen', async () => {
    const { id, supervisor, groups } = await paused(test.root, false);
    expect(groups.length).toBeGreaterThan(0);
    await expect.poll(() => existsSync(`/proc/${supervisor}`), { timeout: 20_000 }).toBe(false);
    expect(groups.filter((directory) => existsSync(directory))).toEqual([]);
    const found = await test.runtime.containers.get(id);
    expect((await found.wait()).exitCode).toBe(137);
    await found.remove();
  });

  it('is still paused for the next runtime when its process was killed', async () => {
    const { id } = await paused(test.root, true);
    const found = await test.runtime.containers.get(id);
    expect(await status(found)).toBe('paused');
    await found.unpause();
    expect((await found.exec(['true'])).exitCode).toBe(0);
    await found.pause();
    await found.remove({ force: true });
  });

  it('leaves nothing when its supervisor was killed', async () => {
    const { container } = await talking();
    await container.pause();
    const groups = await groupsOf(container);
    const { state } = await container.inspect();
    if (state.status !== 'paused') throw new Error(state.status);
    process.kill(state.supervisorPid, 'SIGKILL');
    await expect(container.wait()).rejects.toMatchObject({ code: 'HAKO_ERR_SUPERVISOR_LOST' });
    expect(await status(container)).toBe('lost');
    await container.remove();
    expect(groups.filter((directory) => existsSync(directory))).toEqual([]);
  });

  it('has ended when it ends while it is being paused, and a pause that is given up leaves it running', async () => {
    const { container } = await talking();
    await expect(container.pause({ signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    expect(await status(container)).toBe('running');
    await container.kill();
    await container.wait();
    expect((await rejection(container.pause())).code).toBe('HAKO_ERR_CONTAINER_NOT_RUNNING');
    await container.remove();
  });
});

interface Paused {
  readonly id: string;
  readonly supervisor: number;
  readonly groups: readonly string[];
}

/** A process that pauses a container and is killed in that moment. */
async function paused(root: string, detached: boolean): Promise<Paused> {
  const child = startSource('script-child.ts', [
    root,
    `const container = await runtime.containers.create({
       image: ${JSON.stringify(image)}, command: ['sleep', '60'], detached: ${detached} });
     await container.start();
     await container.pause();
     const { state } = await container.inspect();
     return { id: container.id, supervisor: state.supervisorPid, groups: state.cgroups };`,
    'stay',
  ]);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  await expect.poll(() => output, { timeout: 20_000 }).toContain('\n');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return JSON.parse(output) as Paused;
}
