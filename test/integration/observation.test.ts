import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OperationContext, type OperationName, operationChannel, operationNames, Runtime } from 'libhako';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';

type Moment = 'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error';
interface Told {
  readonly moment: Moment;
  readonly context: OperationContext;
  /** As they were at that moment. */
  readonly seen: OperationContext;
}

/** Everything that is told while it is not disposed of. */
function listen(names: readonly OperationName[] = operationNames): Disposable & { readonly told: Told[] } {
  const told: Told[] = [];
  const note = (moment: Moment) => (context: object) => {
    const seen = context as OperationContext;
    told.push({ moment, context: seen, seen: { ...seen } });
  };
  const subscribers = {
    start: note('start'),
    end: note('end'),
    asyncStart: note('asyncStart'),
    asyncEnd: note('asyncEnd'),
    error: note('error'),
  };
  for (const name of names) operationChannel(name).subscribe(subscribers);
  return {
    told,
    [Symbol.dispose]: () => {
      for (const name of names) operationChannel(name).unsubscribe(subscribers);
    },
  };
}

/** The moments of each call, in order, by operation. */
function calls(told: readonly Told[]): Map<OperationContext, Told[]> {
  const found = new Map<OperationContext, Told[]>();
  for (const each of told) found.set(each.context, [...(found.get(each.context) ?? []), each]);
  return found;
}

const whole = ['start', 'end', 'asyncStart', 'asyncEnd'];

describeWith({ root: true, tools: ['busybox'] }, 'what is told of operations', () => {
  it('is the start and the end of every one, with what it is done to', async () => {
    await using test = await openRuntime();
    const files = mkdtempSync(join(tmpdir(), 'hako-observation-'));
    using heard = listen();
    const runtime = await Runtime.open({ root: test.root });
    const { containers, images } = runtime;

    await runtime.info();
    await runtime.run({ image, command: ['true'] });
    await images.list();
    await images.get(image);
    await images.tag(image, 'other:1');
    await images.remove('other:1');
    const rootfs = writeBusyboxRoot(join(files, 'rootfs'));
    await images.import({ kind: 'rootfs', rootfs }, { reference: 'again:1' });
    await images.importAll(join(files, 'nothing')).catch(() => {});

    const box = await containers.create({ image, name: 'box', command: ['sh', '-c', 'echo hi; exec sleep 60'] });
    await containers.get('box');
    await containers.list();
    await box.start();
    await (await box.attach()).close();
    const further = await box.startExec(['sleep', '60'], { detached: true });
    await (await box.attachExec(further.id)).close();
    await box.exec(['true']);
    const exec = await box.startExec(['true']);
    await exec.exited;
    await box.execs();
    await box.inspectExec(exec.id);
    await box.resize({ rows: 24, columns: 80 });
    await box.logCounts();
    await box.inspect();
    await box.top();
    await box.rename('crate');
    await box.stats();
    for await (const _ of box.watchStats({ interval: 0.05 })) break;
    await box.update({ resources: { pids: 100 } });
    await box.pause();
    await box.unpause();
    await box.copyIn({ files: { note: 'text' } }, '/root');
    await box.statPath('/root/note');
    (await box.copyOut('/root/note')).stream.resume();
    await box.copyOut('/root/note', join(files, 'note'));
    await box.diff();
    for await (const _ of box.export()) break;
    await box.commit();
    for await (const _ of box.logs({ follow: true })) break;
    await box.restart({ timeout: 0 });
    await box.kill();
    await box.wait();
    await box.stop();
    await box.remove();
    await containers.prune();
    await containers.removeQuarantined('none').catch(() => {});
    const pool = await containers.pool({ image, size: 1 });
    await pool.ready();
    await pool.run(['true']);
    await pool.close();
    const ended = new AbortController();
    const watch = runtime.events({ signal: ended.signal, since: new Date(0) });
    for await (const _ of watch) break;
    await runtime.close();
    rmSync(files, { recursive: true, force: true });

    const each = [...calls(heard.told)];
    const missing = new Set<string>(operationNames);
    for (const [{ operation }] of each) missing.delete(operation);
    expect([...missing], 'an operation that this test does not do, or that nobody is told of').toEqual([]);
    for (const [context, moments] of each) {
      const names = moments.map(({ moment }) => moment);
      expect(
        names.filter((name) => name !== 'error'),
        context.operation,
      ).toEqual(whole);
      expect(names.includes('error'), `${context.operation} ${String(context.error)}`).toBe(
        context.error !== undefined,
      );
      expect(moments[0]?.seen.duration).toBeUndefined();
      expect(moments.at(-1)?.seen.duration).toBeGreaterThanOrEqual(0);
      expect(context.startedAt).toBeInstanceOf(Date);
      expect(context.root, context.operation).toBe(test.root);
      if (context.operation.startsWith('container.'))
        expect(context, context.operation).toMatchObject({
          containerId: expect.stringMatching(/^[0-9a-f]{64}$/),
          containerName: expect.any(String),
          image,
        });
    }
    const created = each.map(([context]) => context).find(({ operation }) => operation === 'containers.create');
    expect(created).toMatchObject({ image, containerId: expect.any(String), containerName: expect.any(String) });
    const failed = each.filter(([{ error }]) => error !== undefined).map(([{ operation }]) => operation);
    expect(failed).toEqual(['images.importAll', 'containers.removeQuarantined']);
  });

  it('is the error that the caller got, and how long it took', async () => {
    await using test = await openRuntime();
    using heard = listen(['runtime.run', 'container.start', 'container.exec', 'containers.get']);
    const thrown = await test.runtime.run({ image, command: ['/no/such'] }).catch((error: unknown) => error);
    await test.runtime.containers.get('nobody').catch(() => {});
    await using box = await test.runtime.containers.create({ image, command: ['sleep', '9'], ephemeral: true });
    await box.start();
    await box.exec(['sleep', '0.2']);

    const each = [...calls(heard.told)].map(([context, moments]) => ({
      context,
      moments: moments.map(({ moment }) => moment),
    }));
    const start = each.find(({ context }) => context.operation === 'container.start');
    expect(start?.context.error).toBe(thrown);
    expect(start?.context).toMatchObject({ error: { code: 'HAKO_ERR_COMMAND_NOT_FOUND' } });
    expect(start?.moments).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    expect(each.find(({ context }) => context.operation === 'runtime.run')?.context.error).toBe(thrown);
    expect(each.find(({ context }) => context.operation === 'containers.get')?.context).toMatchObject({
      containerName: 'nobody',
      error: { code: 'HAKO_ERR_CONTAINER_NOT_FOUND' },
    });
    const exec = each.find(({ context }) => context.operation === 'container.exec')?.context;
    expect(exec?.duration).toBeGreaterThan(190);
    expect(exec?.result).toMatchObject({ exitCode: 0 });
  });

  it('follows the asynchronous context, so that spans nest', async () => {
    await using test = await openRuntime();
    const current = new AsyncLocalStorage<string>();
    const parents = new Map<string, string | undefined>();
    const names = ['runtime.run', 'containers.create', 'container.start', 'container.remove'] as const;
    const enter = (data: unknown) => {
      const { operation } = data as OperationContext;
      parents.set(operation, current.getStore());
      return operation;
    };
    for (const name of names) operationChannel(name).start.bindStore(current, enter);
    try {
      await current.run('a request', () => test.runtime.run({ image, command: ['true'] }));
    } finally {
      for (const name of names) operationChannel(name).start.unbindStore(current);
    }
    expect(Object.fromEntries(parents)).toEqual({
      'runtime.run': 'a request',
      'containers.create': 'runtime.run',
      'container.start': 'runtime.run',
      'container.remove': 'runtime.run',
    });
  });

  it('does not stand in the way of the operation when a subscriber throws', async () => {
    await using test = await openRuntime();
    const others = process.listeners('uncaughtException');
    for (const other of others) process.off('uncaughtException', other);
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
    const fail = () => {
      throw new Error('of a subscriber');
    };
    operationChannel('runtime.info').start.subscribe(fail);
    try {
      expect((await test.runtime.info()).root).toBe(test.root);
      expect(await thrown).toMatchObject({ message: 'of a subscriber' });
    } finally {
      operationChannel('runtime.info').start.unsubscribe(fail);
      for (const other of others) process.on('uncaughtException', other);
    }
  });
});

describe('docs/embedding.md', () => {
  it('lists the operations, all and no others', () => {
    const page = readFileSync(new URL('../../docs/embedding.md', import.meta.url), 'utf8');
    const section = /## Watching what it does\n([\s\S]*?)\n## /.exec(page)?.[1] ?? '';
    const listed = [...section.matchAll(/`((?:runtime|pool|images|containers?)\.[A-Za-z]+)`/g)].map(([, name]) => name);
    expect([...new Set(listed)].sort()).toEqual([...operationNames].sort());
  });
});
