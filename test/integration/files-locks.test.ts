import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Container, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { elsewhere, killed } from '../support/elsewhere.ts';
import { describeWith } from '../support/requires.ts';
import { file, tar } from '../support/tar.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

/** More than any pipe holds. */
const size = 8 << 20;
const large = tar(file('large', 'x'.repeat(size)));

/** An archive whose end is held back, and whether anybody has begun to read it. */
function heldBack() {
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isRead = false;
  const stream = (async function* () {
    isRead = true;
    begun.resolve();
    yield large.subarray(0, size / 2);
    await end.promise;
    yield large.subarray(size / 2);
  })();
  return { stream, begun: begun.promise, isRead: () => isRead, end: () => end.resolve() };
}

/** Whether it has been fulfilled by then. */
async function isDone(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  return Promise.race([work.then(() => true), sleep(milliseconds, false)]);
}

describeWith({ root: true, tools: ['busybox'] }, 'the files of a container at rest', () => {
  let test: TestRuntime;
  let other: Runtime;
  beforeAll(async () => {
    test = await openRuntime();
    other = await Runtime.open({ root: test.root });
  });
  afterAll(async () => {
    await other.close();
    await test[Symbol.asyncDispose]();
  });

  async function atRest(options: { ephemeral?: boolean } = {}): Promise<readonly [Container, Container]> {
    const container = await test.runtime.containers.create({ image, command: ['sleep', '60'], ...options });
    return [container, await other.containers.get(container.id)];
  }

  /** In large pieces, none of which the reader waits for. */
  async function readSome(stream: Readable): Promise<void> {
    await once(stream, 'readable');
    stream.read(1024);
  }

  it('are not started on while somebody copies into them, and are there when it is', async () => {
    const [here, there] = await atRest();
    const archive = heldBack();
    const copying = here.copyIn(archive.stream, '/root');
    await archive.begun;
    const started = there.start();
    expect(await isDone(started, 500)).toBe(false);
    expect((await here.inspect()).state.status).toBe('starting');
    const impatient = here.update({ resources: { pids: 50 }, signal: AbortSignal.timeout(100) });
    await expect(impatient).rejects.toMatchObject({ name: 'TimeoutError' });
    archive.end();
    await copying;
    await started;
    const { stdout } = await there.exec(['wc', '-c', '/root/large']);
    expect(stdout.toString().trim()).toBe(`${size} /root/large`);
    await there.remove({ force: true });
  });

  it.each(['export', 'copyOut', 'commit'] as const)(
    'are not started on beside %s, until that is given up',
    async (how) => {
      const [here, there] = await atRest();
      await here.copyIn(Readable.from([large]), '/root');
      const giveUp = new AbortController();
      let reading: Promise<unknown>;
      if (how === 'commit') {
        reading = here.commit({ signal: giveUp.signal });
      } else {
        const stream = how === 'export' ? here.export() : (await here.copyOut('/root')).stream;
        stream.on('error', () => {});
        reading = readSome(stream).then(() => once(giveUp.signal, 'abort').then(() => void stream.destroy()));
        await once(stream, 'readable');
        const impatient = there.start({ signal: AbortSignal.timeout(300) });
        await expect(impatient).rejects.toMatchObject({ name: 'TimeoutError' });
        expect((await here.inspect()).state.status).toBe('created');
      }
      const started = there.start();
      if (how !== 'commit') expect(await isDone(started, 300)).toBe(false);
      if (how !== 'commit') giveUp.abort();
      await started;
      await reading;
      await there.remove({ force: true });
    },
  );

  it('are written to by one at a time', async () => {
    const [here, there] = await atRest();
    const [first, second] = [heldBack(), heldBack()];
    const copies = [here.copyIn(first.stream, '/root')];
    await first.begun;
    copies.push(there.copyIn(second.stream, '/home/app'));
    await sleep(300);
    expect(second.isRead()).toBe(false);
    // Looking at them is possible all the while.
    expect(await here.statPath('/root')).toMatchObject({ type: 'directory' });
    first.end();
    second.end();
    await Promise.all(copies);
    expect(await here.statPath('/home/app/large')).toMatchObject({ size });
    await here.remove();
  });

  it('can be copied from one place of a container to another', async () => {
    const [here, there] = await atRest();
    await here.copyIn(Readable.from([large]), '/root');
    const { stream } = await here.copyOut('/root/large');
    await there.copyIn(stream, '/home/app');
    expect(await here.statPath('/home/app/large')).toMatchObject({ size });
    await here.remove();
  });

  it('are free as soon as the process that worked on them is killed', async () => {
    const [here] = await atRest();
    const child = await elsewhere(
      test.root,
      `const container = await runtime.containers.get('${here.id}');
       await new Promise((begun) => {
         const archive = (async function* () { yield Buffer.alloc(0); begun(); await new Promise(() => {}); })();
         void container.copyIn(archive, '/root').catch((error) => console.error(error));
       });`,
    );
    const started = here.start();
    expect(await isDone(started, 300)).toBe(false);
    await killed(child);
    expect(await isDone(started, 1_500)).toBe(true);
    await here.remove({ force: true });
  });
});
