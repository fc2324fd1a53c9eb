import { once } from 'node:events';
import { Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

/** Takes twice what it may. */
const greedy = 'dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null';
const resources = { memory: '32m', memorySwap: '32m' };

describeWith({ root: true, tools: ['busybox'] }, 'a container that runs out of memory', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  const create = (script: string, more: object = {}) =>
    test.runtime.containers.create({ image, command: ['sh', '-c', script], resources, ephemeral: true, ...more });

  it('tells of a process that was killed while others go on, here and in another process', async () => {
    await using container = await create(`read x; ${greedy}; ${greedy}; echo alive; read x; exit 4`, { stdin: true });
    const attachment = await container.start({ attach: { stdin: true } });
    await using other = await Runtime.open({ root: test.root });
    const twin = await other.containers.get(container.id);
    const seen: string[] = [];
    container.on('oom', ({ kills }) => seen.push(`oom ${kills}`));
    container.on('exit', ({ exitCode, oomKilled }) => seen.push(`exit ${exitCode} ${oomKilled}`));
    test.runtime.on('container:oom', ({ id, kills }) => void (id === container.id && seen.push(`runtime ${kills}`)));
    const elsewhere: number[] = [];
    twin.on('oom', ({ kills }) => elsewhere.push(kills));
    // A session there, too.
    await twin.logCounts();
    attachment.stdin.write('\n');
    await once(attachment.stdout, 'data');
    await expect.poll(() => seen.at(-1)).toBe('runtime 2');
    expect((await container.inspect()).state.status).toBe('running');
    await expect.poll(() => elsewhere.at(-1)).toBe(2);
    attachment.stdin.write('\n');
    expect(await container.wait()).toMatchObject({ exitCode: 4, oomKilled: true });
    expect(seen.at(-1)).toBe('exit 4 true');
    expect(seen.filter((line) => line.startsWith('oom'))).toEqual(
      seen.filter((line) => line.startsWith('runtime')).map((line) => line.replace('runtime', 'oom')),
    );
  });

  it('tells of its first process before it tells of its end', async () => {
    await using container = await create(`exec ${greedy.replace(' 2>/dev/null', '')}`);
    const seen: string[] = [];
    container.on('oom', ({ kills }) => seen.push(`oom ${kills}`));
    container.on('exit', ({ oomKilled }) => seen.push(`exit ${oomKilled}`));
    await container.start();
    expect(await container.wait()).toMatchObject({ exitCode: 137, signal: 9, oomKilled: true });
    expect(seen).toEqual(['oom 1', 'exit true']);
    // And not of the last run's in the next one.
    seen.length = 0;
    await container.start();
    await container.wait();
    expect(seen).toEqual(['oom 1', 'exit true']);
  });

  it('tells the exec that was killed from another one', async () => {
    await using container = await create('sleep 60');
    await container.start();
    const killed = await container.startExec(['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64M', 'count=1']);
    expect(await killed.exited).toMatchObject({ exitCode: 137, signal: 9, oomKilled: true });
    const other = await container.startExec(['sleep', '60']);
    await other.kill();
    expect(await other.exited).toMatchObject({ exitCode: 137, signal: 9, oomKilled: false });
    expect(await container.exec(['true'])).toMatchObject({ exitCode: 0, oomKilled: false });
  });

  it('says nothing of a kill that had another reason', async () => {
    await using container = await create('sleep 60');
    let told = 0;
    container.on('oom', () => told++);
    await container.start();
    await container.kill();
    expect(await container.wait()).toMatchObject({ exitCode: 137, signal: 9, oomKilled: false });
    expect(told).toBe(0);
  });
});
