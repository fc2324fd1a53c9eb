import { once } from 'node:events';
import type { Readable } from 'node:stream';
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

describeWith({ root: true, tools: ['busybox'] }, 'attachments and execs', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());
  const create = (options: Omit<Parameters<Runtime['containers']['create']>[0], 'image'>) =>
    test.runtime.containers.create({ image, ephemeral: true, ...options });
  const textOf = async (stream: Readable) => Buffer.concat(await stream.toArray()).toString();

  it('give several readers all of the output, and end stdin for all with the first that ends it', async () => {
    await using container = await create({ command: ['sh', '-c', 'cat; echo end'], stdin: true });
    const owner = await container.start({ attach: { stdin: true } });
    const others = [await container.attach({ stdin: true }), await container.attach()];
    const texts = [owner, ...others].map(({ stdout }) => textOf(stdout));
    owner.stdin.write('one\n');
    await expect.poll(async () => (await container.exec(['true'])).exitCode).toBe(0);
    others[0]?.stdin.end('two\n');
    for (const text of await Promise.all(texts)) {
      expect(text.split('\n').toSorted()).toEqual(['', 'end', 'one', 'two']);
      expect(text.endsWith('end\n')).toBe(true);
    }
    for (const { exited } of [owner, ...others]) expect(await exited).toMatchObject({ exitCode: 0 });
  });

  it('half-close: an exec reads to the end of its stdin and answers', async () => {
    await using container = await create({ command: ['sleep', '60'] });
    await container.start();
    const exec = await container.startExec(['sh', '-c', 'wc -c; exit 3'], { stdin: true });
    exec.stdin.end('x'.repeat(100_000));
    expect((await textOf(exec.stdout)).trim()).toBe('100000');
    expect(await exec.exited).toMatchObject({ exitCode: 3 });
  });

  it('let go at the detach keys, and the program goes on', async () => {
    await using container = await create({ command: ['cat'], stdin: true, tty: true });
    await container.start();
    const first = await container.attach({ stdin: true });
    first.stdout.resume();
    // Held back until it is known what they are, and then passed on.
    first.stdin.write('a\x10');
    first.stdin.write('b\x10\x10');
    first.stdin.write('\x11never');
    await expect(first.exited).rejects.toMatchObject({ code: 'HAKO_ERR_DETACHED' });
    expect((await container.inspect()).state.status).toBe('running');
    const second = await container.attach({ stdin: true, detachKeys: 'ctrl-x,x' });
    const echoed = once(second.stdout, 'data');
    second.stdin.write('\n');
    expect(String((await echoed)[0])).not.toContain('never');
    second.stdin.write('\x10\x11\n\x18x');
    await expect(second.exited).rejects.toMatchObject({ code: 'HAKO_ERR_DETACHED' });
    const actions: string[] = [];
    for await (const { action } of test.runtime.events({
      since: new Date(Date.now() - 60_000),
      until: new Date(Date.now() + 50),
      filters: { container: container.id, action: ['attach', 'detach'] },
    }))
      actions.push(action);
    expect(actions).toEqual(['attach', 'detach', 'attach', 'detach']);
    const third = await container.attach({ stdin: true, detachKeys: '' });
    third.stdin.write('\x10\x11');
    third.stdin.end('\x04\x04');
    expect(await third.exited).toMatchObject({ exitCode: 0 });
    await expect(container.attach({ detachKeys: 'ctrl-ä', stdin: true })).rejects.toThrow();
  });

  it('let go of an exec and of the start at the keys', async () => {
    await using container = await create({ command: ['cat'], stdin: true, tty: true });
    const owner = await container.start({ attach: { stdin: true } });
    owner.stdin.write('\x10\x11');
    await expect(owner.exited).rejects.toMatchObject({ code: 'HAKO_ERR_DETACHED' });
    expect((await container.inspect()).state.status).toBe('running');
    const exec = await container.startExec(['sh', '-c', 'read line; sleep 0.3; exit 9'], { stdin: true, tty: true });
    exec.stdin.write('go\n\x10\x11');
    await expect(exec.exited).rejects.toMatchObject({ code: 'HAKO_ERR_DETACHED' });
    expect(exec.inspect()).toMatchObject({ running: true, exitCode: null });
    await expect.poll(() => exec.inspect()).toMatchObject({ running: false, exitCode: 9 });
  });

  it('let an exec go on by itself, to be joined again by whoever comes', async () => {
    const container = await test.runtime.containers.create({ image, command: ['sleep', '60'], detached: true });
    await container.start();
    await using first = await Runtime.open({ root: test.root });
    const command = ['sh', '-c', 'while read line; do echo "got $line"; done; exit 6'];
    const exec = await (await first.containers.get(container.id)).startExec(command, { stdin: true, tty: true });
    exec.stdin.write('\x10\x11');
    await expect(exec.exited).rejects.toMatchObject({ code: 'HAKO_ERR_DETACHED' });
    await expect.poll(() => exec.inspect()).toMatchObject({ running: true, detached: true });
    await first.close();
    await expect(container.attachExec('0000')).rejects.toMatchObject({ code: 'HAKO_ERR_EXEC_NOT_FOUND' });
    const reader = await container.attachExec(exec.id);
    const feeder = await container.attachExec(exec.id.slice(0, 12), { stdin: true });
    expect(feeder).toMatchObject({ tty: true, pid: exec.pid });
    feeder.stdin.write('again\n');
    await expect.poll(() => String(reader.stdout.read() ?? '')).toContain('got again');
    await reader.close();
    feeder.stdin.write('\x10\x11');
    await expect(feeder.exited).rejects.toMatchObject({ code: 'HAKO_ERR_DETACHED' });
    const last = await container.attachExec(exec.id, { stdin: true });
    last.stdin.write('\x04');
    expect(await last.exited).toMatchObject({ exitCode: 6 });
    const piped = await container.startExec(['sh', '-c', 'cat > /piped; exit 7'], { stdin: true });
    piped.stdin.write('one ');
    await piped.detach();
    expect((await container.execs()).at(-1)).toMatchObject({ id: piped.id, running: true, detached: true });
    const more = await container.attachExec(piped.id, { stdin: true });
    more.stdin.end('two');
    expect(await more.exited).toMatchObject({ exitCode: 7 });
    await expect.poll(() => piped.inspect()).toMatchObject({ running: false, exitCode: 7 });
    expect((await container.exec(['cat', '/piped'])).stdout.toString()).toBe('one two');
    await container.remove({ force: true });
  });

  it('run an exec with nobody who reads it, over the end of the runtime', async () => {
    const first = await Runtime.open({ root: test.root });
    const container = await first.containers.create({ image, command: ['sleep', '60'], detached: true });
    await container.start();
    const command = ['sh', '-c', 'yes | head -c 1000000; sleep 0.2; exit 5'];
    const exec = await container.startExec(command, { detached: true });
    expect(await container.execs()).toEqual([exec.inspect()]);
    expect(exec.inspect()).toMatchObject({ id: exec.id, command, running: true, detached: true, exitCode: null });
    await exec.close();
    await expect.poll(() => exec.inspect(), { timeout: 5_000 }).toMatchObject({ running: false, exitCode: 5 });
    expect(await container.inspectExec(exec.id)).toEqual(exec.inspect());
    await expect(container.inspectExec('none')).rejects.toMatchObject({ code: 'HAKO_ERR_EXEC_NOT_FOUND' });
    for (let count = 0; count < 12; count++)
      await container.startExec(['sh', '-c', 'sleep 0.5; echo >> /done'], { detached: true });
    await first.close();
    const left = await test.runtime.containers.get(container.id);
    await expect
      .poll(async () => (await left.exec(['sh', '-c', 'wc -l < /done'])).stdout.toString().trim(), { timeout: 10_000 })
      .toBe('12');
    await left.remove({ force: true });
  });

  it('let go of a program when they are aborted', async () => {
    await using container = await create({ command: ['sleep', '60'] });
    await container.start();
    const exec = await container.startExec(['sleep', '60']);
    for (const join of [container.attach.bind(container), container.attachExec.bind(container, exec.id)]) {
      const aborting = new AbortController();
      const joined = await join({ signal: aborting.signal });
      const reason = new Error('enough');
      aborting.abort(reason);
      await expect(joined.exited).rejects.toBe(reason);
      await expect(join({ signal: aborting.signal })).rejects.toBe(reason);
    }
    await expect(container.top({ signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    expect((await exec.inspect()).running).toBe(true);
    expect((await container.inspect()).state.status).toBe('running');
  });

  it('remember a hundred execs, and all that run', async () => {
    await using container = await create({ command: ['sleep', '60'] });
    await container.start();
    const running = await container.startExec(['sleep', '60']);
    for (let count = 0; count < 105; count++) await container.exec(['true']);
    const execs = await container.execs();
    expect(execs).toHaveLength(100);
    expect(execs[0]).toMatchObject({ id: running.id, running: true });
    await running.close();
  });
});
