import { setTimeout as sleep } from 'node:timers/promises';
import { type Container, type HealthStatus, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { runSource } from '../support/source-process.ts';
import { busyboxImage as image, openRuntime, type TestRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';

const healthOf = async (container: Container) => (await container.inspect()).health;
const statusOf = async (container: Container) => (await healthOf(container))?.status ?? null;
const patient = { timeout: 10_000 };

describeWith({ root: true, tools: ['busybox'] }, 'health checks', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());
  type Options = Omit<Parameters<Runtime['containers']['create']>[0], 'image'>;
  const start = async (options: Options) => {
    const container = await test.runtime.containers.create({ image, command: ['sleep', '60'], ...options });
    await container.start();
    return container;
  };

  it('says nothing of a container without one', async () => {
    const container = await start({});
    expect(await healthOf(container)).toBeNull();
    await container.remove({ force: true });
  });

  it('goes from starting to healthy, to unhealthy after so many failures, and back', async () => {
    const container = await start({
      healthcheck: { test: 'echo looked >&2; test -e /well', interval: 0.05, retries: 2 },
    });
    const told: HealthStatus[] = [];
    container.on('health', (status) => told.push(status));
    expect(await healthOf(container)).toEqual({ status: 'starting', failingStreak: 0, log: [] });
    await container.exec(['touch', '/well']);
    await expect.poll(() => statusOf(container), patient).toBe('healthy');
    await container.exec(['rm', '/well']);
    await expect.poll(() => statusOf(container), patient).toBe('unhealthy');
    const health = await healthOf(container);
    expect(health?.failingStreak).toBeGreaterThanOrEqual(2);
    expect(health?.log.at(-1)).toMatchObject({ exitCode: 1, output: 'looked\n' });
    await container.exec(['touch', '/well']);
    await expect.poll(() => statusOf(container), patient).toBe('healthy');
    await expect.poll(async () => (await healthOf(container))?.log.length, patient).toBe(5);
    expect(told).toEqual(['healthy', 'unhealthy', 'healthy']);
    const [listed] = await test.runtime.containers.list();
    expect(listed?.health).toBe('healthy');
    const statuses: string[] = [];
    const filters = { container: container.id, action: 'health_status' as const };
    for await (const { attributes } of test.runtime.events({ until: new Date(Date.now() + 100), filters }))
      statuses.push(attributes['status'] ?? '');
    expect(statuses).toEqual(told);
    await container.remove({ force: true });
  });

  it('does not count failures in the start period, and looks more often', async () => {
    const container = await start({
      healthcheck: { test: ['CMD', 'false'], interval: 2, startInterval: 0.05, startPeriod: 0.6, retries: 1 },
    });
    await expect.poll(async () => (await healthOf(container))?.log.length, patient).toBeGreaterThanOrEqual(3);
    expect(await healthOf(container)).toMatchObject({ status: 'starting', failingStreak: 0 });
    await expect.poll(() => statusOf(container), patient).toBe('unhealthy');
    expect((await healthOf(container))?.failingStreak).toBe(1);
    await container.remove({ force: true });
  });

  it('kills a check that takes too long, and keeps 4 KiB of what one says', async () => {
    const slow = await start({
      healthcheck: { test: 'echo begun; exec sleep 47', interval: 0.02, timeout: 0.3, retries: 1 },
    });
    await expect.poll(() => statusOf(slow), patient).toBe('unhealthy');
    expect((await healthOf(slow))?.log.at(-1)).toMatchObject({
      exitCode: -1,
      output: 'Health check exceeded timeout (0.3s): begun\n',
    });
    expect((await slow.exec(['ps'])).stdout.toString().match(/sleep 47/g)?.length ?? 0).toBeLessThanOrEqual(1);
    await slow.remove({ force: true });
    const loud = await start({ healthcheck: { test: 'yes | head -c 100000; exit 2', interval: 0.02, retries: 1 } });
    await expect.poll(() => statusOf(loud), patient).toBe('unhealthy');
    const [result] = (await healthOf(loud))?.log ?? [];
    expect(result?.exitCode).toBe(2);
    expect(result?.output).toHaveLength(4096 + 3);
    expect(result?.output.endsWith('...')).toBe(true);
    await loud.remove({ force: true });
  });

  it('tells of a command that is not there', async () => {
    const container = await start({ healthcheck: { test: ['CMD', '/none'], interval: 0.02, retries: 1 } });
    await expect.poll(() => statusOf(container), patient).toBe('unhealthy');
    expect((await healthOf(container))?.log[0]).toMatchObject({
      exitCode: -1,
      output: expect.stringContaining('/none'),
    });
    await container.remove({ force: true });
  });

  it("does as the image's HEALTHCHECK says, with options over it", async () => {
    const rootfs = writeBusyboxRoot(`${test.root}-rootfs`);
    const config = {
      cmd: ['sleep', '60'],
      shell: ['/bin/sh', '-ec'],
      healthcheck: { test: ['CMD-SHELL', 'echo of the image'], interval: 1 },
    };
    await test.runtime.images.import({ kind: 'rootfs', rootfs, config }, { reference: 'checked:1' });
    const create = async (options: Options) => {
      const container = await test.runtime.containers.create({ image: 'checked:1', ...options });
      await container.start();
      return container;
    };
    const checked = await create({});
    await expect.poll(() => statusOf(checked), patient).toBe('healthy');
    expect((await healthOf(checked))?.log[0]?.output).toBe('of the image\n');
    // An image has itself looked at ten times a second at most.
    await expect.poll(async () => (await healthOf(checked))?.log.length, patient).toBeGreaterThan(1);
    const [first, second] = (await healthOf(checked))?.log ?? [];
    expect((second?.startedAt.getTime() ?? 0) - (first?.finishedAt.getTime() ?? 0)).toBeGreaterThanOrEqual(99);
    const none = await create({ healthcheck: { test: ['NONE'] } });
    expect(await healthOf(none)).toBeNull();
    await Promise.all([checked, none].map((each) => each.remove({ force: true })));
  });

  it('looks from the host: at a port, a file, by a function', async () => {
    const command = ['sh', '-c', 'touch /begun; sleep 0.2; ln -s /etc/passwd /ready; nc -l -p 8080 & sleep 60'];
    const options = { interval: 0.05, retries: 1 };
    const port = await start({ command, healthcheck: { tcp: 8080, ...options } });
    const other = await start({ command, healthcheck: { tcp: 8081, ...options } });
    const file = await start({ command, healthcheck: { file: '/ready', ...options } });
    const directory = await start({ command, healthcheck: { file: '/etc', ...options } });
    let answer = false;
    const called = await start({ healthcheck: { call: async () => answer, ...options } });
    const thrown = await start({ healthcheck: { call: () => Promise.reject(new Error('not yet')), ...options } });
    const hung = await start({ healthcheck: { call: () => new Promise(() => {}), timeout: 0.1, ...options } });
    await expect.poll(() => statusOf(called), patient).toBe('unhealthy');
    answer = true;
    for (const container of [port, file, called]) await expect.poll(() => statusOf(container), patient).toBe('healthy');
    for (const container of [other, directory, thrown, hung])
      await expect.poll(() => statusOf(container), patient).toBe('unhealthy');
    expect((await healthOf(thrown))?.log[0]).toMatchObject({ exitCode: -1, output: 'not yet' });
    expect((await healthOf(other))?.log[0]?.output).toBe('Nothing listens on TCP port 8081.');
    await Promise.all([port, other, file, directory, called, thrown, hung].map((each) => each.remove({ force: true })));
  });

  it('does not judge a container that is paused', async () => {
    const container = await start({ healthcheck: { test: ['CMD', 'true'], interval: 0.03, timeout: 0.2, retries: 1 } });
    await expect.poll(() => statusOf(container), patient).toBe('healthy');
    await container.pause();
    await sleep(300);
    const count = (await healthOf(container))?.log.at(-1)?.startedAt;
    await sleep(300);
    expect(await healthOf(container)).toMatchObject({ status: 'healthy', failingStreak: 0 });
    expect((await healthOf(container))?.log.at(-1)?.startedAt).toEqual(count);
    await container.unpause();
    await expect.poll(async () => (await healthOf(container))?.log.at(-1)?.startedAt, patient).not.toEqual(count);
    await container.remove({ force: true });
  });

  it('restarts what is unhealthy, if that is wished', async () => {
    const container = await start({
      command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.02; done'],
      restart: { policy: 'on-failure', onUnhealthy: true },
      healthcheck: { test: ['CMD', 'false'], interval: 0.05, retries: 2 },
    });
    await expect.poll(async () => (await container.inspect()).restartCount, patient).toBeGreaterThanOrEqual(2);
    await container.remove({ force: true });
    const left = await start({
      restart: 'always',
      healthcheck: { test: ['CMD', 'false'], interval: 0.02, retries: 1 },
    });
    await expect.poll(() => statusOf(left), patient).toBe('unhealthy');
    await sleep(200);
    expect((await left.inspect()).restartCount).toBe(0);
    await left.remove({ force: true });
  });

  it('is taken over with a detached container', async () => {
    const made = await runSource('script-child.ts', [
      test.root,
      `const container = await runtime.containers.create({
         image: '${image}', name: 'handed', command: ['sleep', '60'], detached: true,
         healthcheck: { test: ['CMD', 'true'], interval: 0.1 },
       });
       const healthy = new Promise((resolve) => container.on('health', resolve));
       await container.start();
       await healthy;`,
    ]);
    expect(made).toMatchObject({ exitCode: 0, stderr: '' });
    await using next = await Runtime.open({ root: test.root });
    const container = await next.containers.get('handed');
    const [before] = (await healthOf(container))?.log ?? [];
    expect(before).toBeDefined();
    await expect.poll(async () => (await healthOf(container))?.log.length, patient).toBeGreaterThanOrEqual(3);
    expect(await statusOf(container)).toBe('healthy');
    await container.remove({ force: true });
  });

  it('refuses what makes no sense', async () => {
    for (const healthcheck of [
      { test: ['SHELL', 'x'] },
      { test: ['CMD'] },
      { test: ['CMD', 'true'], tcp: 80 },
      { tcp: 0 },
      { file: 'relative' },
      { call: 'no function' },
      { call: true },
      { test: 'true', interval: '5 minutes' },
      { test: 'true', interval: -1 },
      { test: 'true', retries: 1.5 },
    ])
      await expect(
        test.runtime.containers.create({ image, healthcheck } as never),
        JSON.stringify(healthcheck),
      ).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
    await expect(
      test.runtime.containers.create({ image, detached: true, healthcheck: { call: () => true } }),
    ).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
  });
});
