import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { elsewhere, killed } from '../support/elsewhere.ts';
import { useHako } from '../support/hako-command.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const patience = { timeout: 15_000 };

describeWith({ root: true, tools: ['busybox'] }, 'a runtime that is open while another one is killed', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());
  const names = async () => (await test.runtime.containers.list()).map(({ name }) => name).sort();

  it('keeps restart policies, health checks and autoRemove of detached containers from then on', async () => {
    const child = await elsewhere(
      test.root,
      `const make = async (options) => {
         const container = await runtime.containers.create({ image: '${image}', detached: true, ...options });
         await container.start();
       };
       await make({ name: 'restarted', command: ['sh', '-c', 'sleep 0.5; exit 1'], restart: 'always' });
       await make({ name: 'removed', command: ['sleep', '4'], autoRemove: true });
       await make({ name: 'stopped', command: ['sleep', '4'], restart: 'always' });
       await make({ name: 'checked', command: ['sleep', '60'],
         healthcheck: { test: ['CMD', 'ls', '/tmp/well'], interval: 0.2, retries: 1 } });
       const mortal = { image: '${image}', command: ['sleep', '60'] };
       for (const options of [{ name: 'mortal' }, { name: 'mortal-removed', autoRemove: true }, { name: 'ephemeral', ephemeral: true }])
         await (await runtime.containers.create({ ...mortal, ...options })).start();
       await (await runtime.containers.get('stopped')).stop({ timeout: 0 });`,
    );
    const [restarted, checked] = await Promise.all(
      ['restarted', 'checked'].map((name) => test.runtime.containers.get(name)),
    );
    if (restarted === undefined || checked === undefined) throw new Error('both are there');
    await killed(child);
    const before = (await restarted.inspect()).restartCount;
    await expect.poll(async () => (await restarted.inspect()).restartCount, patience).toBeGreaterThan(before + 1);
    await expect.poll(async () => (await checked.inspect()).health?.status, patience).toBe('unhealthy');
    // Now it is this process that makes the checks.
    await checked.exec(['mkdir', '-p', '/tmp/well']);
    await expect.poll(async () => (await checked.inspect()).health?.status, patience).toBe('healthy');
    await expect.poll(names, patience).toEqual(['checked', 'mortal', 'restarted', 'stopped']);
    for (const name of ['mortal', 'stopped'])
      expect((await (await test.runtime.containers.get(name)).inspect()).state.status).toBe('exited');
    await Promise.all([checked, restarted].map((container) => container.remove({ force: true })));
  });

  it('has one keeper among many that are open', async () => {
    const others = await Promise.all([1, 2, 3].map(() => elsewhere(test.root, '')));
    const child = await elsewhere(
      test.root,
      `const container = await runtime.containers.create({ image: '${image}', name: 'wanted', detached: true,
         command: ['sh', '-c', 'sleep 0.3; exit 1'], restart: 'on-failure:100' });
       await container.start();`,
    );
    const wanted = await test.runtime.containers.get('wanted');
    await killed(child);
    await expect.poll(async () => (await wanted.inspect()).restartCount, patience).toBeGreaterThan(2);
    const starts: number[] = [];
    const filters = { container: wanted.id, action: 'start' as const };
    for await (const { time } of test.runtime.events({ until: new Date(), filters })) starts.push(time.getTime());
    const runs = (await wanted.inspect()).restartCount + 1;
    expect(starts.length - runs).toBeLessThanOrEqual(1);
    await wanted.remove({ force: true });
    for (const other of others) await killed(other);
  });
});

describeWith({ root: true, tools: ['busybox'], paths: [built.cli] }, 'hako keep', () => {
  const hako = useHako();
  const ok = async (...args: readonly string[]) => {
    const outcome = await hako(args);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    return outcome.stdout.trim();
  };

  it('keeps what commands that have returned have started, and leaves it when it ends', async () => {
    const restarts = (name: string) => ok('inspect', '-f', '{{.RestartCount}}', name).then(Number);
    await ok('run', '-d', '--name', 'again', '--restart', 'always', 'bb:1', 'sh', '-c', 'sleep 0.2; exit 1');
    const [program = '', ...words] = hako.argv;
    const keep = spawn(program, [...words, 'keep'], { env: hako.env, stdio: ['ignore', 'pipe', 'inherit'] });
    const [told] = (await once(keep.stdout, 'data')) as [Buffer];
    expect(String(told)).toMatch(/^Keeping the containers of .*\/root\n$/);
    // That of before, and those that are started by commands of a moment.
    await expect.poll(() => restarts('again'), patience).toBeGreaterThan(1);
    await ok('run', '-d', '--name', 'later', '--restart', 'on-failure:2', 'bb:1', 'sh', '-c', 'sleep 0.2; exit 1');
    await ok('run', '-d', '--name', 'gone', '--rm', 'bb:1', 'sleep', '0.5');
    await expect.poll(() => restarts('later'), patience).toBe(2);
    await expect.poll(() => ok('ps', '-a', '--format', '{{.Names}}'), patience).toBe('later\nagain');
    await ok('stop', '-t', '0', 'again');
    keep.kill('SIGTERM');
    expect(await once(keep, 'exit')).toEqual([0, null]);
    expect(await ok('inspect', '-f', '{{.State.Status}}', 'again')).toBe('exited');
    await ok('rm', 'again', 'later');
  });
});
