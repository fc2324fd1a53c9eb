import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Container, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { elsewhere, killed } from '../support/elsewhere.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const statusOf = async (container: Container) => (await container.inspect()).state.status;
const restartsOf = async (container: Container) => (await container.inspect()).restartCount;

/** The times of the starts in the root's history, in milliseconds. */
async function starts(runtime: Runtime, container: Container): Promise<number[]> {
  const times: number[] = [];
  const filters = { container: container.id, action: 'start' as const };
  for await (const { time } of runtime.events({ until: new Date(), filters })) times.push(time.getTime());
  return times;
}

describeWith({ root: true, tools: ['busybox'] }, 'restart policies', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());
  const create = (options: Omit<Parameters<Runtime['containers']['create']>[0], 'image'>) =>
    test.runtime.containers.create({ image, ...options });

  it('leaves a container alone by default, and after success with on-failure', async () => {
    for (const options of [{ command: ['false'] }, { command: ['true'], restart: 'on-failure' }]) {
      const container = await create(options);
      await container.start();
      await container.wait();
      await sleep(250);
      expect(await statusOf(container)).toBe('exited');
      expect(await restartsOf(container)).toBe(0);
      await container.remove();
    }
  });

  it('goes by a policy that it is given while it runs', async () => {
    const container = await create({
      command: ['sh', '-c', 'test -e /again && exec sleep 60; touch /again; sleep 0.3; exit 3'],
    });
    await container.start();
    await container.update({ restart: 'on-failure:3' });
    expect((await container.inspect()).options.restart).toBe('on-failure:3');
    await expect.poll(() => restartsOf(container)).toBe(1);
    await expect.poll(() => statusOf(container)).toBe('running');
    await container.update({ restart: { policy: 'no' }, resources: { pids: 50 } });
    await container.kill();
    await container.wait();
    await sleep(250);
    expect(await statusOf(container)).toBe('exited');
    await container.remove();
  });

  it('calls off a restart that is waited for, and gives no policy to what is removed at its end', async () => {
    const container = await create({ command: ['false'], restart: 'always' });
    await container.start();
    await expect.poll(() => restartsOf(container), { timeout: 5000 }).toBeGreaterThan(2);
    await expect.poll(() => statusOf(container)).toBe('restarting');
    await container.update({ restart: 'no' });
    expect(await statusOf(container)).toBe('exited');
    const count = await restartsOf(container);
    await sleep(1500);
    expect(await restartsOf(container)).toBe(count);
    await container.remove();
    const removed = await create({ command: ['sleep', '60'], autoRemove: true });
    await expect(removed.update({ restart: 'always' })).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
    await expect(removed.update({ restart: 'often' } as never)).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
    });
    await removed.remove();
  });

  it('keeps a detached container whose policy another process has changed', async () => {
    const container = await create({
      command: [
        'sh',
        '-c',
        'while ! test -e /go; do sleep 0.05; done; test -e /again && exec sleep 60; touch /again; exit 1',
      ],
      detached: true,
    });
    await container.start();
    const other = await elsewhere(
      test.root,
      `await (await runtime.containers.get('${container.id}')).update({ restart: 'always' });`,
    );
    await container.exec(['touch', '/go']);
    await expect.poll(() => restartsOf(container), { timeout: 5000 }).toBe(1);
    await killed(other);
    await container.remove({ force: true });
  });

  it('restarts after a failure as often as it may, waiting twice as long each time', async () => {
    const container = await create({ command: ['sh', '-c', 'exit 3'], restart: 'on-failure:3' });
    const exits: number[] = [];
    container.on('exit', ({ exitCode }) => exits.push(exitCode));
    await container.start();
    await expect.poll(() => restartsOf(container), { timeout: 10_000 }).toBe(3);
    await expect.poll(() => exits, { timeout: 10_000 }).toEqual([3, 3, 3, 3]);
    expect((await container.inspect()).state).toMatchObject({ status: 'exited', exitCode: 3 });
    const times = await starts(test.runtime, container);
    const waits = times.slice(1).map((time, at) => time - (times[at] ?? 0));
    for (const [at, least] of [100, 200, 400].entries()) {
      expect(waits[at]).toBeGreaterThanOrEqual(least);
      expect(waits[at]).toBeLessThan(least * 2 + 300);
    }
    // Whoever starts it begins anew.
    await container.start();
    await container.wait();
    await expect.poll(() => restartsOf(container)).toBe(1);
    await container.remove({ force: true });
  });

  it('restarts always after success too, until it is stopped while it runs', async () => {
    const container = await create({ command: ['sh', '-c', 'sleep 0.05'], restart: 'always' });
    await container.start();
    await expect.poll(() => restartsOf(container)).toBeGreaterThanOrEqual(2);
    await container.stop({ timeout: 0 });
    const count = await restartsOf(container);
    await sleep(1_000);
    expect(await statusOf(container)).toBe('exited');
    expect(await restartsOf(container)).toBe(count);
    await container.remove();
  });

  for (const [how, end] of [
    ['stop', (container: Container) => container.stop()],
    ['kill', (container: Container) => container.kill('SIGTERM')],
  ] as const)
    it(`is ended by ${how} while it waits to be restarted`, async () => {
      const container = await create({ command: ['sh', '-c', 'exit 4'], restart: 'unless-stopped' });
      await container.start();
      await expect.poll(() => restartsOf(container)).toBe(3);
      await expect.poll(() => statusOf(container)).toBe('restarting');
      await expect(container.start()).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_ALREADY_STARTED' });
      await expect(container.kill('SIGHUP')).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NOT_RUNNING' });
      const waited = container.wait();
      await end(container);
      expect((await container.inspect()).state).toMatchObject({ status: 'exited', exitCode: 4 });
      expect(await waited).toMatchObject({ exitCode: 4 });
      await sleep(1_000);
      expect(await statusOf(container)).toBe('exited');
      await container.remove();
    });

  it('is removed with force while it waits, and not without', async () => {
    const container = await create({ command: ['false'], restart: 'always' });
    await container.start();
    await expect.poll(() => restartsOf(container)).toBe(3);
    await expect.poll(() => statusOf(container)).toBe('restarting');
    await expect(container.remove()).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_RUNNING' });
    await container.remove({ force: true });
    expect(existsSync(join(test.root, 'containers', container.id))).toBe(false);
    expect(await test.runtime.containers.list()).toEqual([]);
  });

  it('is removed with force while it restarts without a pause', async () => {
    for (let round = 0; round < 10; round++) {
      const container = await create({ command: ['true'], restart: 'always' });
      await container.start();
      await sleep(90 + round * 4);
      await container.remove({ force: true });
    }
    await sleep(300);
    expect(await test.runtime.containers.list()).toEqual([]);
  });

  it('goes on after a signal that asks for no end, and after restart()', async () => {
    const container = await create({
      command: ['sh', '-c', 'trap "exit 1" HUP; echo ready; while :; do sleep 0.02; done'],
      restart: 'on-failure',
    });
    const { stdout } = await container.start({ attach: { stderr: false } });
    await once(stdout, 'data');
    await container.kill('SIGHUP');
    await expect.poll(() => restartsOf(container)).toBe(1);
    await expect.poll(() => statusOf(container)).toBe('running');
    await container.restart({ timeout: 0 });
    expect(await restartsOf(container)).toBe(0);
    expect(await statusOf(container)).toBe('running');
    await container.remove({ force: true });
  });

  it('obeys a stop of another process, running and waiting', async () => {
    await using other = await Runtime.open({ root: test.root });
    for (const command of [['sleep', '60'], ['false']]) {
      const container = await create({ command, restart: 'always' });
      await container.start();
      if (command[0] === 'false') await expect.poll(() => statusOf(container)).toBe('restarting');
      await (await other.containers.get(container.id)).stop({ timeout: 0 });
      await sleep(400);
      expect(await statusOf(container)).toBe('exited');
      await container.remove();
    }
  });

  it('ends with its runtime, and is not restarted by the next unless it is detached', async () => {
    const own = await Runtime.open({ root: test.root });
    const mortal = await own.containers.create({ image, command: ['sleep', '60'], restart: 'always' });
    const waiting = await own.containers.create({ image, command: ['false'], restart: 'always' });
    await Promise.all([mortal.start(), waiting.start()]);
    await expect.poll(() => statusOf(waiting)).toBe('restarting');
    await own.close();
    await using next = await Runtime.open({ root: test.root });
    await sleep(500);
    for (const { id } of [mortal, waiting]) {
      const container = await next.containers.get(id);
      expect(await statusOf(container)).toBe('exited');
      await container.remove();
    }
  });

  it('a detached one is taken over when its keeper is killed, running or waiting', async () => {
    const child = await elsewhere(
      test.root,
      `for (const [name, command] of [['runs', ['sh', '-c', 'sleep 0.7; exit 1']], ['waits', ['false']]]) {
         const container = await runtime.containers.create({ image: '${image}', name, command, restart: 'always', detached: true });
         await container.start();
       }`,
    );
    await sleep(250);
    await killed(child);
    await using next = await Runtime.open({ root: test.root });
    const [runs, waits] = [await next.containers.get('runs'), await next.containers.get('waits')];
    const before = await restartsOf(waits);
    await expect.poll(() => restartsOf(runs), { timeout: 5_000 }).toBeGreaterThanOrEqual(1);
    await expect.poll(() => restartsOf(waits), { timeout: 5_000 }).toBeGreaterThan(before);
    await Promise.all([runs.remove({ force: true }), waits.remove({ force: true })]);
  });

  it('a detached one that has ended with nobody there is restarted by the next, unless it was stopped', async () => {
    const child = await elsewhere(
      test.root,
      `for (const name of ['left', 'stopped']) {
         const container = await runtime.containers.create({ image: '${image}', name, command: ['sleep', '0.4'], restart: 'unless-stopped', detached: true });
         await container.start();
         if (name === 'stopped') await container.stop({ timeout: 0 });
       }`,
    );
    await killed(child);
    await sleep(500);
    await using next = await Runtime.open({ root: test.root });
    const left = await next.containers.get('left');
    await expect.poll(() => restartsOf(left)).toBeGreaterThanOrEqual(1);
    const stopped = await next.containers.get('stopped');
    expect((await stopped.inspect()).state.status).toBe('exited');
    await Promise.all([left.remove({ force: true }), stopped.remove({ force: true })]);
  });

  it('is taken over whenever its keeper is killed, also in the midst of a restart', async () => {
    let child = await elsewhere(
      test.root,
      `const container = await runtime.containers.create({ image: '${image}', name: 'hunted', command: ['sleep', '0.01'], restart: 'always', detached: true });
       await container.start();`,
    );
    const container = await test.runtime.containers.get('hunted');
    for (let round = 0; round < 5; round++) {
      await sleep(100 + Math.random() * 150);
      await killed(child);
      const before = await restartsOf(container);
      child = await elsewhere(test.root, '');
      await expect.poll(() => restartsOf(container), { timeout: 20_000 }).toBeGreaterThan(before);
    }
    await container.stop({ timeout: 0 });
    await killed(child);
    await using next = await Runtime.open({ root: test.root });
    await sleep(300);
    expect(await statusOf(await next.containers.get('hunted'))).toBe('exited');
    await container.remove();
  });

  it('has one keeper, whoever else tries to start it', async () => {
    const container = await create({ command: ['sleep', '1'], restart: 'always' });
    await container.start();
    await using other = await Runtime.open({ root: test.root });
    const handle = await other.containers.get(container.id);
    await expect(handle.start()).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_ALREADY_STARTED' });
    await handle.wait();
    await sleep(600);
    expect(await restartsOf(container)).toBe(1);
    await container.remove({ force: true });
  });

  it('begins anew for a stopped one with always when the machine has booted, and not with unless-stopped', async () => {
    const left = [];
    const own = await Runtime.open({ root: test.root });
    for (const restart of ['always', 'unless-stopped']) {
      const container = await own.containers.create({ image, command: ['sleep', '60'], restart, detached: true });
      await container.start();
      await container.stop({ timeout: 0 });
      left.push(container.id);
    }
    await own.close();
    const database = new DatabaseSync(join(test.root, 'hako.db'));
    database.exec(
      `UPDATE containers SET state = json_set(state, '$.life.stopped', 'another boot') WHERE state ->> '$.life' IS NOT NULL`,
    );
    database.close();
    await using next = await Runtime.open({ root: test.root });
    const [always, stopped] = await Promise.all(left.map((id) => next.containers.get(id)));
    await expect.poll(() => statusOf(always as Container), { timeout: 5_000 }).toBe('running');
    expect(await statusOf(stopped as Container)).toBe('exited');
    await Promise.all([always, stopped].map((each) => each?.remove({ force: true })));
  });

  it('refuses what makes no sense', async () => {
    for (const options of [
      { restart: 'sometimes' },
      { restart: 'always:3' },
      { restart: { policy: 'always', maxRetries: 3 } },
      { restart: { policy: 'no', onUnhealthy: true } },
      { restart: 'always', autoRemove: true },
    ])
      await expect(create(options as never)).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
  });
});
