import { setTimeout as delay } from 'node:timers/promises';
import { Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

/** Far more than the pipes and sockets between a program and its reader hold. */
const flood = ['sh', '-c', 'head -c 8000000 /dev/zero; exit 5'];

describeWith({ root: true, tools: ['busybox'] }, 'a container whose output nobody reads', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  it('waits for its reader, and takes signals all the same', async () => {
    await using container = await test.runtime.containers.create({ image, command: flood, ephemeral: true });
    const ends: number[] = [];
    container.on('exit', ({ exitCode }) => ends.push(exitCode));
    const { stdout, exited } = await container.start({ attach: {} });
    await delay(200);
    expect((await container.inspect()).state.status).toBe('running');
    await container.kill();
    expect(await container.wait()).toMatchObject({ exitCode: 137 });
    expect(ends).toEqual([137]);
    expect((await container.inspect()).state).toMatchObject({ status: 'exited', exitCode: 137 });
    // What was under way is still there to be read, and `exited` comes after it.
    const [chunks, exit] = await Promise.all([stdout.toArray(), exited]);
    expect(Buffer.concat(chunks).length).toBeGreaterThan(64 << 10);
    expect(exit).toMatchObject({ exitCode: 137 });
    expect(ends).toEqual([137]);
  });

  it('can be joined at any time, and what it does from then on is seen', async () => {
    await using flooding = await test.runtime.containers.create({ image, command: ['yes'], ephemeral: true });
    await flooding.start();
    const joined = await flooding.attach();
    await delay(50);
    await joined.close();
    await using asking = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', 'while read line; do echo "$line"; done'],
      stdin: true,
      ephemeral: true,
    });
    const { stdin, stdout } = await asking.start({ attach: { stdin: true } });
    stdout.resume();
    for (let round = 0; round < 20; round++) {
      await using late = await asking.attach();
      stdin.write(`${round}\n`);
      for await (const chunk of late.stdout) {
        expect(String(chunk)).toBe(`${round}\n`);
        break;
      }
    }
  });

  it('stops', async () => {
    const container = await test.runtime.containers.create({ image, command: flood });
    await container.start({ attach: {} });
    await delay(100);
    expect(await container.stop({ timeout: 0.1 })).toMatchObject({ exitCode: 137 });
    await container.remove();
  });

  it('goes on when its attachment is closed', async () => {
    await using container = await test.runtime.containers.create({ image, command: flood, ephemeral: true });
    const attachment = await container.start({ attach: {} });
    await attachment.close();
    expect(await container.wait()).toMatchObject({ exitCode: 5 });
    expect(await attachment.exited).toMatchObject({ exitCode: 5 });
  });

  it('is removed by its handle, by force, and by the end of the runtime', async () => {
    const second = await Runtime.open({ root: test.root });
    const start = async (runtime: Runtime, ephemeral: boolean) => {
      const container = await runtime.containers.create({ image, command: flood, ephemeral });
      await container.start({ attach: {} });
      return container;
    };
    const closed = await start(test.runtime, true);
    const forced = await start(test.runtime, false);
    await start(second, true);
    const kept = await start(second, false);
    await delay(100);
    await Promise.all([closed.close(), forced.remove({ force: true }), second.close()]);
    const left = await test.runtime.containers.list();
    expect(left.map(({ id, state }) => [id, state.status])).toEqual([[kept.id, 'exited']]);
    await (await test.runtime.containers.get(kept.id)).remove();
  });

  it('starts anew while the end of its last run is still unread', async () => {
    const container = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', 'if [ -e /again ]; then sleep 60; fi; touch /again; head -c 300000 /dev/zero'],
    });
    const first = await container.start({ attach: {} });
    await container.stop({ timeout: 0 });
    await container.start();
    expect((await first.stdout.toArray()).length).toBeGreaterThanOrEqual(0);
    await first.exited;
    expect((await container.inspect()).state.status).toBe('running');
    await container.remove({ force: true });
  });
});

describeWith({ root: true, tools: ['busybox'] }, 'a program that does not read its stdin', () => {
  it('is killed by an abort of its run or exec', async () => {
    await using test = await openRuntime();
    const reason = new Error('enough');
    const input = Buffer.alloc(4_000_000);
    const running = { image, command: ['sleep', '60'], input, signal: AbortSignal.timeout(200) };
    await expect(test.runtime.run(running)).rejects.toMatchObject({ name: 'TimeoutError' });

    await using container = await test.runtime.containers.create({ image, command: ['sleep', '60'], ephemeral: true });
    await container.start();
    const aborter = new AbortController();
    const exec = await container.startExec(['sleep', '61'], { stdin: true, signal: aborter.signal });
    exec.stdin.write(input);
    await delay(50);
    aborter.abort(reason);
    await expect(exec.exited).rejects.toBe(reason);
    await expect.poll(async () => (await container.exec(['ps'])).stdout.toString()).not.toContain('sleep 61');
    await expect(container.exec(['sleep', '62'], { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });
});
