import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Image, Runtime } from 'libhako';
import { expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime } from '../support/test-runtime.ts';

const closed = { code: 'HAKO_ERR_RUNTIME_CLOSED' };

/** Bytes that stop coming, and never end. */
async function* stalled(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(512);
  await new Promise(() => {});
}

describeWith({ root: true, tools: ['busybox'] }, 'the end of a runtime', () => {
  it('leaves nothing running, half made or raw of what was under way', async () => {
    await using test = await openRuntime();
    const runtime = await Runtime.open({ root: test.root });
    const warnings: string[] = [];
    runtime.on('warning', ({ message }) => warnings.push(message));
    const ready = await runtime.containers.create({ image, command: ['sleep', '60'], name: 'ready' });
    const idle = await runtime.containers.create({ image, command: ['sleep', '60'], ephemeral: true });
    const underWay = [
      runtime.run({ image, command: ['sleep', '60'] }),
      runtime.run({ image: Image.fromHost(), command: ['sleep', '60'] }),
      runtime.containers.create({ image, command: ['sleep', '60'], name: 'late' }),
      ready.start(),
      runtime.images.import({ kind: 'archive', archive: stalled() }),
      runtime.images.import({ kind: 'rootfs', rootfs: stalled() }),
    ];
    const results = Promise.allSettled(underWay);
    await delay(5);
    await runtime.close();
    for (const result of await results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject(closed);
    }
    for (const call of [
      () => ready.start(),
      () => ready.inspect(),
      () => ready.logs()[Symbol.asyncIterator]().next(),
      () => ready.remove({ force: true }),
      async () => runtime.run({ image, command: ['true'] }),
    ])
      await expect(call()).rejects.toMatchObject(closed);
    await idle.close();
    await runtime.close();

    expect(warnings).toEqual([]);
    const left = await test.runtime.containers.list();
    expect(left.filter(({ state }) => state.status === 'running')).toEqual([]);
    expect(left.map(({ name }) => name).filter((name) => name !== 'ready' && name !== 'late')).toEqual([]);
    expect(readdirSync(join(test.root, 'containers')).sort()).toEqual(left.map(({ id }) => id).sort());
    expect((await test.runtime.images.list()).length).toBe(1);
    for (const { id } of left) await (await test.runtime.containers.get(id)).remove({ force: true });
  });

  it('gives back every descriptor', async () => {
    await using test = await openRuntime();
    const descriptors = async () => {
      await (await Runtime.open({ root: test.root })).close();
      return readdirSync('/proc/self/fd').length;
    };
    const first = await descriptors();
    for (let round = 0; round < 5; round++) await descriptors();
    expect(await descriptors()).toBeLessThanOrEqual(first);
  });

  it('does not come of a listener that throws', async () => {
    await using test = await openRuntime();
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
    const others = process.listeners('uncaughtException').slice(0, -1);
    for (const other of others) process.off('uncaughtException', other);
    const heard: string[] = [];
    test.runtime.on('container:exit', () => {
      throw new Error('of a listener');
    });
    test.runtime.on('container:exit', ({ name }) => heard.push(name));
    try {
      const { exitCode } = await test.runtime.run({ image, command: ['sh', '-c', 'exit 3'], name: 'thrower' });
      expect(exitCode).toBe(3);
      expect(heard).toEqual(['thrower']);
      expect(await thrown).toMatchObject({ message: 'of a listener' });
    } finally {
      for (const other of others) process.on('uncaughtException', other);
    }
  });

  it('is nothing to others who open and close on the same root without a pause', async () => {
    await using test = await openRuntime();
    const rounds = async () => {
      for (let round = 0; round < 6; round++) {
        await using runtime = await Runtime.open({ root: test.root });
        runtime.on('warning', ({ message }) => expect.fail(message));
        expect((await runtime.run({ image, command: ['true'] })).exitCode).toBe(0);
      }
    };
    await Promise.all([rounds(), rounds(), rounds()]);
    expect(await test.runtime.containers.list()).toEqual([]);
    expect(readdirSync(join(test.root, 'containers'))).toEqual([]);
  });

  it('gives up on a source that stalls', async () => {
    await using test = await openRuntime();
    const signal = AbortSignal.timeout(50);
    for (const source of [
      { kind: 'archive', archive: stalled() },
      { kind: 'rootfs', rootfs: stalled() },
    ] as const)
      await expect(test.runtime.images.import(source, { signal })).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});
