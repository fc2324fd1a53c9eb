import { once } from 'node:events';
import { type HistoryEvent, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { runSource, startSource } from '../support/source-process.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const actions = (events: readonly HistoryEvent[]) => events.map(({ action }) => action);

async function gather(events: AsyncIterable<HistoryEvent>): Promise<HistoryEvent[]> {
  const seen: HistoryEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

/** Until the first of the action, and that one too. */
async function until(events: AsyncIterable<HistoryEvent>, action: HistoryEvent['action']): Promise<HistoryEvent[]> {
  const seen: HistoryEvent[] = [];
  for await (const event of events) {
    seen.push(event);
    if (event.action === action) break;
  }
  return seen;
}

describeWith({ root: true, tools: ['busybox'] }, 'the history of a root', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  it('tells of a life from the call on, with what each step has to tell', async () => {
    const events = test.runtime.events({ filters: { type: 'container' } });
    const container = await test.runtime.containers.create({
      image,
      name: 'told',
      labels: { app: 'shop' },
      command: ['sh', '-c', 'exit 3'],
    });
    await container.start();
    await container.wait();
    await container.remove();
    const seen = await until(events, 'destroy');
    expect(actions(seen)).toEqual(['create', 'start', 'die', 'destroy']);
    for (const { id, name, image: of, labels } of seen)
      expect({ id, name, of, labels }).toEqual({ id: container.id, name: 'told', of: image, labels: { app: 'shop' } });
    expect(seen[2]?.attributes).toMatchObject({ exitCode: '3', signal: '0' });
    expect(seen.map(({ sequence }) => sequence)).toEqual(
      seen.map(({ sequence }) => sequence).toSorted((a, b) => a - b),
    );
  });

  it('tells of the end of an ephemeral container while its handle is open', async () => {
    const events = test.runtime.events({ filters: { type: 'container' } });
    await using container = await test.runtime.containers.create({
      ...{ image, command: ['sh', '-c', 'exit 3'], ephemeral: true },
    });
    await container.start();
    const seen = await until(events, 'die');
    expect(actions(seen)).toEqual(['create', 'start', 'die']);
    await container.close();
    expect(
      actions(
        await gather(
          test.runtime.events({ since: new Date(0), until: new Date(), filters: { container: container.id } }),
        ),
      ),
    ).toEqual([...actions(seen), 'destroy']);
  });

  it('has what runs by run() among what runs, for every process, a few milliseconds after it was started', async () => {
    const { runtime } = test;
    await using other = await Runtime.open({ root: test.root });
    const ended = new AbortController();
    const run = runtime.run({ image, name: 'brief', command: ['sleep', '1000'], signal: ended.signal });
    const running = async (by: Runtime) =>
      (await by.containers.list({ filters: { status: 'running', name: 'brief' } })).map(({ name }) => name);
    await expect.poll(() => running(other), { interval: 5 }).toEqual(['brief']);
    expect(await running(runtime)).toEqual(['brief']);
    expect((await (await other.containers.get('brief')).exec(['echo', 'x'])).stdout.toString()).toBe('x\n');
    ended.abort();
    await expect(run).rejects.toThrow();
    expect(await running(other)).toEqual([]);
  });

  it('hears of run(), and of nothing that failed to be made', async () => {
    const events = test.runtime.events();
    await expect(test.runtime.run({ image, command: ['/none'] })).rejects.toThrow();
    await test.runtime.run({ image, command: ['true'] });
    const seen: string[] = [];
    for await (const { action } of events) if (seen.push(action) === 6) break;
    expect(seen).toEqual(['create', 'destroy', 'create', 'start', 'die', 'destroy']);
  });

  it('remembers over the end of a runtime, and filters', async () => {
    const since = new Date();
    const container = await test.runtime.containers.create({
      image,
      name: 'kept',
      labels: { a: '1' },
      command: ['true'],
    });
    await container.start();
    await container.wait();
    await using other = await Runtime.open({ root: test.root });
    const read = async (filters: Parameters<Runtime['events']>[0] = {}) =>
      actions(await gather(other.events({ since, until: new Date(), ...filters })));
    expect(await read()).toEqual(['create', 'start', 'die']);
    expect(await read({ filters: { action: ['die', 'create'] } })).toEqual(['create', 'die']);
    expect(await read({ filters: { container: container.id.slice(0, 12) } })).toEqual(['create', 'start', 'die']);
    expect(await read({ filters: { container: 'kep' } })).toEqual([]);
    expect(await read({ filters: { label: ['a=1', 'a'] } })).toHaveLength(3);
    expect(await read({ filters: { label: ['a=1', 'b'] } })).toEqual([]);
    expect(await read({ filters: { type: 'image' } })).toEqual([]);
    expect(await read({ filters: { image } })).toHaveLength(3);
    await container.remove();
  });

  it('waits until a time that is to come, and no longer', async () => {
    const end = new Date(Date.now() + 300);
    const events = gather(test.runtime.events({ until: end, since: new Date() }));
    await test.runtime.run({ image, command: ['true'] });
    expect(actions(await events)).toEqual(['create', 'start', 'die', 'destroy']);
    expect(Date.now()).toBeGreaterThanOrEqual(end.getTime());
    expect(Date.now()).toBeLessThan(end.getTime() + 5_000);
  });

  it('ends with its signal, and with the runtime', async () => {
    const controller = new AbortController();
    const aborted = gather(test.runtime.events({ signal: controller.signal }));
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    const other = await Runtime.open({ root: test.root });
    const ended = gather(other.events());
    await other.close();
    expect(await ended).toEqual([]);
  });

  it('hears what another process does', async () => {
    const events = test.runtime.events();
    const child = runSource('script-child.ts', [
      test.root,
      `await runtime.run({ image: '${image}', command: ['true'] })`,
    ]);
    expect(actions(await until(events, 'destroy'))).toEqual(['create', 'start', 'die', 'destroy']);
    expect(await child).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('refuses filters that there are not', () => {
    expect(() => test.runtime.events({ filters: { colour: 'red' } as never })).toThrow(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }),
    );
  });

  it('lets container.on hear of runs that another process starts, long and short, each once', async () => {
    const container = await test.runtime.containers.create({ image, name: 'shared', command: ['sh', '-c', 'exit 6'] });
    const codes: number[] = [];
    container.on('exit', ({ exitCode }) => codes.push(exitCode));
    const started = (count: number, between: string) =>
      runSource('script-child.ts', [
        test.root,
        `const container = await runtime.containers.get('shared');
         for (let count = 0; count < ${count}; count++) { await container.start(); await container.wait(); ${between} }`,
      ]);
    expect(await started(5, '')).toMatchObject({ exitCode: 0, stderr: '' });
    await expect.poll(() => codes).toEqual([6, 6, 6, 6, 6]);
    for (let count = 0; count < 20; count++) {
      await container.start();
      await container.wait();
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(codes.splice(6)).toHaveLength(19);
    expect(await started(1, 'await new Promise((resolve) => setTimeout(resolve, 100));')).toMatchObject({
      exitCode: 0,
    });
    await expect.poll(() => codes).toEqual([6, 6, 6, 6, 6, 6, 6]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(codes).toHaveLength(7);
    await container.remove();
  });

  it('lets container.on hear when a process that started it is killed', async () => {
    const container = await test.runtime.containers.create({ image, name: 'orphan', command: ['sleep', '60'] });
    const exits: number[] = [];
    container.on('exit', ({ exitCode }) => exits.push(exitCode));
    const child = startSource('script-child.ts', [
      test.root,
      `await (await runtime.containers.get('orphan')).start();`,
      'stay',
    ]);
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    await expect.poll(async () => (await container.inspect()).state.status).toBe('running');
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill('SIGKILL');
    await expect.poll(() => exits, { timeout: 5_000 }).toEqual([137]);
    await container.remove();
  });

  it('lets container.on hear of the health that another process finds', async () => {
    const container = await test.runtime.containers.create({
      image,
      name: 'looked',
      command: ['sleep', '60'],
      healthcheck: { test: ['CMD', 'true'], interval: 0.05 },
    });
    const told: string[] = [];
    container.on('health', (status) => told.push(status));
    const child = startSource('script-child.ts', [
      test.root,
      `await (await runtime.containers.get('looked')).start();`,
      'stay',
    ]);
    await expect.poll(() => told, { timeout: 5_000 }).toEqual(['healthy']);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await container.remove({ force: true });
    expect(told).toEqual(['healthy']);
  });
});
