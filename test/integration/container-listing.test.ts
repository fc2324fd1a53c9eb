import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container, ListOptions, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';

describeWith({ root: true, tools: ['busybox'] }, 'many containers', () => {
  let test: TestRuntime;
  const made = new Map<string, Container>();
  const create = async (options: Omit<Parameters<Runtime['containers']['create']>[0], 'image'>) => {
    const container = await test.runtime.containers.create({ image, command: ['sleep', '60'], ...options });
    made.set(container.name, container);
    await sleep(2);
    return container;
  };
  beforeAll(async () => {
    test = await openRuntime();
    await create({ name: 'fresh', labels: { app: 'shop' } });
    await (await create({ name: 'web.1', labels: { app: 'shop', tier: 'web' } })).start();
    for (const [name, code] of [
      ['failed', 3],
      ['done', 0],
    ] as const) {
      const container = await create({ name, command: ['sh', '-c', `exit ${code}`], labels: { old: '' } });
      await container.start();
      await container.wait();
    }
    const mounted = await create({
      name: 'sick',
      mounts: [{ type: 'bind', source: '/tmp', target: '/data' }],
      healthcheck: { test: ['CMD', 'false'], interval: 0.02, retries: 1 },
    });
    const judged = new Promise((resolve) => mounted.on('health', resolve));
    await mounted.start();
    expect(await judged).toBe('unhealthy');
  });
  afterAll(() => test[Symbol.asyncDispose]());
  const names = async (options?: ListOptions) => (await test.runtime.containers.list(options)).map(({ name }) => name);

  it('lists all, the newest first; or those that run; or so many', async () => {
    expect(await names()).toEqual(['sick', 'done', 'failed', 'web.1', 'fresh']);
    expect(await names({ all: false })).toEqual(['sick', 'web.1']);
    expect(await names({ limit: 2 })).toEqual(['sick', 'done']);
  });

  it('filters as Docker does', async () => {
    const id = made.get('web.1')?.id ?? '';
    const imageId = (await made.get('web.1')?.inspect())?.image.id ?? '';
    const cases: [ListOptions['filters'], string[]][] = [
      [{ id: id.slice(0, 10) }, ['web.1']],
      [{ name: 'e' }, ['done', 'failed', 'web.1', 'fresh']],
      [{ name: ['^web\\.\\d$', 'one'] }, ['done', 'web.1']],
      [{ label: 'app' }, ['web.1', 'fresh']],
      [{ label: ['app=shop', 'tier'] }, ['web.1']],
      [{ label: 'app=sho' }, []],
      [{ status: 'exited' }, ['done', 'failed']],
      [{ status: ['created', 'running'] }, ['sick', 'web.1', 'fresh']],
      [{ exited: 3 }, ['failed']],
      [{ exited: [0, 3] }, ['done', 'failed']],
      [{ health: 'unhealthy' }, ['sick']],
      [{ health: 'none', status: 'running' }, ['web.1']],
      [{ before: 'failed' }, ['web.1', 'fresh']],
      [{ since: 'failed' }, ['sick', 'done']],
      [{ since: 'fresh', before: 'done' }, ['failed', 'web.1']],
      [{ ancestor: image, name: 'fresh' }, ['fresh']],
      [{ ancestor: imageId.slice(7, 19), name: 'fresh' }, ['fresh']],
      [{ ancestor: 'other' }, []],
      [{ volume: '/data' }, ['sick']],
      [{ volume: '/tmp' }, ['sick']],
    ];
    for (const [filters, expected] of cases)
      expect(await names(filters === undefined ? {} : { filters }), JSON.stringify(filters)).toEqual(expected);
    // Filters for containers at rest show them also when only those that run are asked for.
    expect(await names({ all: false, filters: { exited: 3 } })).toEqual(['failed']);
  });

  it('refuses filters that make no sense', async () => {
    for (const filters of [{ colour: 'red' }, { status: 'sleeping' }, { name: '(' }, { exited: 'three' }])
      await expect(names({ filters } as never)).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
    await expect(names({ filters: { before: 'nobody' } })).rejects.toMatchObject({
      code: 'HAKO_ERR_CONTAINER_NOT_FOUND',
    });
  });

  it('renames, and refuses a name that is taken or none', async () => {
    const container = made.get('fresh') as Container;
    const until = () => ({ until: new Date(), filters: { action: 'rename' as const } });
    await container.rename('renamed');
    expect(container.name).toBe('renamed');
    expect((await test.runtime.containers.get('renamed')).id).toBe(container.id);
    await expect(test.runtime.containers.get('fresh')).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NOT_FOUND' });
    await expect(container.rename('web.1')).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NAME_IN_USE' });
    await expect(container.rename('no name')).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_NAME' });
    await container.rename('renamed');
    const told = [];
    for await (const { name, attributes } of test.runtime.events(until())) told.push([name, attributes]);
    expect(told).toEqual([['renamed', { oldName: 'fresh' }]]);
    // One that runs, too.
    const web = made.get('web.1') as Container;
    await web.rename('www');
    expect((await web.exec(['true'])).exitCode).toBe(0);
    expect((await web.inspect()).name).toBe('www');
    await web.rename('web.1');
    await container.rename('fresh');
  });

  it('removes what does not run, and says how much that was', async () => {
    const { containers } = test.runtime;
    const big = await create({ name: 'big', command: ['sh', '-c', 'head -c 300000 /dev/zero > /zeros'] });
    await big.start();
    await big.wait();
    const middle = new Date();
    await sleep(5);
    await create({ name: 'young' });
    expect((await containers.prune({ filters: { label: 'old', 'label!': 'old' } })).removed).toEqual([]);
    expect((await containers.prune({ filters: { label: 'app' } })).removed).toEqual([made.get('fresh')?.id]);
    const { removed, spaceReclaimed } = await containers.prune({ filters: { until: middle } });
    expect(removed.toSorted()).toEqual(
      ['big', 'done', 'failed'].map((name) => made.get(name)?.id as string).toSorted(),
    );
    expect(spaceReclaimed).toBeGreaterThan(290_000);
    expect(await names()).toEqual(['young', 'sick', 'web.1']);
    expect((await containers.prune()).removed).toEqual([made.get('young')?.id]);
    await expect(containers.prune({ filters: { until: 'yesterday' } } as never)).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
    });
  });

  it('shows the processes of a container, those of execs and orphans too', async () => {
    const container = await create({
      name: 'busy',
      command: ['sh', '-c', '(sleep 61 & exec sleep 62) & exec sleep 63'],
      user: 'app',
    });
    await container.start();
    await using _ = await container.startExec(['sleep', '64'], { user: 'root', tty: true });
    await expect.poll(async () => (await container.top()).rows.length).toBe(4);
    const { titles, rows, processes } = await container.top();
    expect(titles).toEqual(['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
    expect(rows.map((row) => row.at(-1)).toSorted()).toEqual(['sleep 61', 'sleep 62', 'sleep 63', 'sleep 64']);
    const first = processes.find(({ command }) => command === 'sleep 63');
    expect(first).toMatchObject({ containerPid: 1, uid: 1000, name: 'sleep', state: 'S', terminal: '?', threads: 1 });
    expect(Math.abs((first?.startedAt.getTime() ?? 0) - Date.now())).toBeLessThan(30_000);
    expect(first?.residentMemory).toBeGreaterThan(0);
    const state = (await container.inspect()).state;
    expect(state).toMatchObject({ pid: first?.pid });
    expect(processes.find(({ command }) => command === 'sleep 64')).toMatchObject({
      uid: 0,
      user: 'root',
      terminal: expect.stringMatching(/^pts\/\d+$/),
    });
    const chosen = await container.top({ psArgs: '-eo pid,user,comm=WHAT' });
    expect(chosen.titles).toEqual(['PID', 'USER', 'WHAT']);
    expect(chosen.rows[0]).toEqual([String(chosen.processes[0]?.pid), chosen.processes[0]?.user, 'sleep']);
    expect((await container.top({ psArgs: 'aux' })).titles.at(-1)).toBe('COMMAND');
    for (const psArgs of ['-o nothing', '--forest', '-p 1'])
      await expect(container.top({ psArgs })).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
    await container.stop({ timeout: 0 });
    await expect(container.top()).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NOT_RUNNING' });
  });

  it("stops by the image's signal, and takes no image that names none", async () => {
    const { images, containers } = test.runtime;
    const rootfs = writeBusyboxRoot(`${test.root}-rootfs`);
    const script = 'trap "exit 7" QUIT; trap "exit 8" TERM; echo ready; while :; do sleep 0.02; done';
    const importOne = (stopSignal: string) =>
      images.import(
        { kind: 'rootfs', rootfs, config: { cmd: ['sh', '-c', script], stopSignal } },
        { reference: stopSignal.toLowerCase() },
      );
    await importOne('SIGQUIT');
    const stopped = async (options: { stopSignal?: string }) => {
      const container = await containers.create({ image: 'sigquit', ...options });
      const { stdout } = await container.start({ attach: { stderr: false } });
      await once(stdout, 'data');
      const exit = await container.stop();
      await container.remove();
      return exit.exitCode;
    };
    expect(await stopped({})).toBe(7);
    expect(await stopped({ stopSignal: 'TERM' })).toBe(8);
    await importOne('SIGNONE');
    await expect(containers.create({ image: 'signone' })).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
    await (await containers.create({ image: 'signone', stopSignal: 'TERM' })).remove();
  });
});
