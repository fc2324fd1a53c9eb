import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { closeOnExit } from 'libhako';
import { expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { startSource } from '../support/source-process.ts';
import { openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const obedient = 'trap "exit 5" TERM; echo up; while :; do sleep 0.05; done';
const stubborn = 'trap "" TERM; echo up; while :; do sleep 0.05; done';

interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  /** From the signal on, in milliseconds. */
  readonly took: number;
}

async function child(task: object): Promise<ChildProcess & { readonly errors: () => string }> {
  const process = startSource('close-on-exit-child.ts', [JSON.stringify(task)]);
  let errors = '';
  process.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  await Promise.race([
    once(process.stdout as NodeJS.ReadableStream, 'data'),
    once(process, 'exit').then(() => {
      throw new Error(`ended before it was ready: ${errors}`);
    }),
  ]);
  return Object.assign(process, { errors: () => errors });
}

async function ended(process: Awaited<ReturnType<typeof child>>): Promise<Ended> {
  const from = performance.now();
  const [exitCode, signal] =
    process.exitCode === null && process.signalCode === null
      ? await once(process, 'exit')
      : [process.exitCode, process.signalCode];
  return { exitCode, signal, stderr: process.errors(), took: performance.now() - from };
}

const stateOf = async ({ runtime }: TestRuntime) => (await (await runtime.containers.get('kept')).inspect()).state;

describeWith({ root: true, tools: ['busybox'] }, 'closeOnExit', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'on %s asks the containers to end, and then dies of the signal',
    async (signal) => {
      await using first = await openRuntime();
      await using second = await openRuntime();
      const process = await child({ roots: [first.root, second.root], script: obedient });
      process.kill(signal);
      expect(await ended(process)).toMatchObject({ exitCode: null, signal, stderr: '' });
      expect(await stateOf(first)).toMatchObject({ status: 'exited', exitCode: 5 });
      expect(await stateOf(second)).toMatchObject({ status: 'exited', exitCode: 5 });
    },
  );

  it('kills those that do not, after the timeout', async () => {
    await using test = await openRuntime();
    const process = await child({ roots: [test.root], script: stubborn, timeout: 0.5 });
    process.kill('SIGTERM');
    const end = await ended(process);
    expect(end).toMatchObject({ signal: 'SIGTERM', stderr: '' });
    expect(end.took).toBeGreaterThan(450);
    expect(await stateOf(test)).toMatchObject({ status: 'exited', exitCode: 137 });
  });

  it('waits no longer when the signal comes again', async () => {
    await using test = await openRuntime();
    const process = await child({ roots: [test.root], script: stubborn, timeout: 60 });
    process.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(process.exitCode).toBeNull();
    process.kill('SIGTERM');
    expect(await ended(process)).toMatchObject({ signal: 'SIGTERM', stderr: '' });
    const box = await test.runtime.containers.get('kept');
    expect(await box.wait()).toMatchObject({ exitCode: 137 });
  });

  it('leaves the end of the process to others that listen', async () => {
    await using test = await openRuntime();
    const process = await child({ roots: [test.root], script: obedient, exitCode: 7 });
    process.kill('SIGTERM');
    expect(await ended(process)).toMatchObject({ exitCode: 7, signal: null, stderr: '' });
    expect(await stateOf(test)).toMatchObject({ status: 'exited', exitCode: 5 });
  });

  it('stops ephemeral containers before it removes them', async () => {
    await using test = await openRuntime();
    const process = await child({ roots: [test.root], script: obedient, ephemeral: true });
    process.kill('SIGTERM');
    expect(await ended(process)).toMatchObject({ signal: 'SIGTERM', stderr: '' });
    expect(await test.runtime.containers.list()).toEqual([]);
    const actions: unknown[] = [];
    for await (const { action, attributes } of test.runtime.events({ since: new Date(0), until: new Date() }))
      if (action === 'die' || action === 'destroy') actions.push([action, attributes['exitCode']]);
    expect(actions).toEqual([
      ['die', '5'],
      ['destroy', undefined],
    ]);
  });

  it('closes when there is nothing more to do', async () => {
    await using test = await openRuntime();
    const process = await child({ roots: [test.root], ephemeral: true });
    expect(await ended(process)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await test.runtime.containers.list()).toEqual([]);
  });

  it('can be undone, and is when the runtime is closed', async () => {
    const before = ['SIGTERM', 'SIGINT', 'beforeExit'].map((event) => process.listenerCount(event));
    const now = () => ['SIGTERM', 'SIGINT', 'beforeExit'].map((event) => process.listenerCount(event));
    await using test = await openRuntime();
    const arrangement = closeOnExit(test.runtime, { signals: ['SIGTERM'] });
    closeOnExit(test.runtime, { signals: ['SIGTERM'] });
    expect(now().map((count, at) => count - (before[at] ?? 0))).toEqual([1, 0, 1]);
    arrangement[Symbol.dispose]();
    expect(now()).toEqual(before);
    closeOnExit(test.runtime);
    expect(now().map((count, at) => count - (before[at] ?? 0))).toEqual([1, 1, 1]);
    await test.runtime.close();
    expect(now()).toEqual(before);
  });

  it('refuses what no process can hear, and worker threads', async () => {
    await using test = await openRuntime();
    const before = process.listenerCount('SIGTERM');
    const invalid = { code: 'HAKO_ERR_INVALID_OPTION' };
    for (const options of [{ signals: ['SIGKILL'] }, { signals: ['SIGNONE'] }, { timeout: -1 }, { when: 'later' }])
      expect(() => closeOnExit(test.runtime, options as object), JSON.stringify(options)).toThrow(
        expect.objectContaining(invalid),
      );
    expect(process.listenerCount('SIGTERM')).toBe(before);
    await expect(test.runtime.close({ timeout: Number.NaN })).rejects.toMatchObject(invalid);

    const hooks = new URL('../support/source-hooks.mjs', import.meta.url).href;
    const entry = new URL('../../src/index.ts', import.meta.url).href;
    const source = `
      import { parentPort } from 'node:worker_threads';
      const { closeOnExit } = await import(${JSON.stringify(entry)});
      try { closeOnExit(null); } catch ({ code }) { parentPort.postMessage(code); }`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      execArgv: ['--import', hooks],
    });
    expect(await once(worker, 'message')).toEqual(['HAKO_ERR_HOST_UNSUPPORTED']);
    await worker.terminate();
  });
});
