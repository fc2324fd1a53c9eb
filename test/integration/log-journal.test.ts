import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Runtime } from 'libhako';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { collect, textOf } from '../../src/plugins/conformance/log-subject.ts';
import { describeWith } from '../support/requires.ts';
import { sending, sent, sentTexts } from '../support/sending-log-driver.ts';
import { startSource } from '../support/source-process.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
const seq = (last: number, rest = ''): string[] => ['sh', '-c', `seq ${last}; ${rest}`];
/** Of short lines, with a journal of 64 KiB. */
const mostInBatch = 512;
const forever = ['sh', '-c', 'trap "" TERM; i=0; while :; do i=$((i + 1)); echo $i; done'];

type Options = Omit<NonNullable<Parameters<typeof sending>[0]>, 'path'>;

describeWith({ root: true, tools: ['busybox'] }, 'a log that is sent away', () => {
  let test: TestRuntime;
  let path: string;
  let warnings: string[];
  const create = (command: readonly string[], options: Options = {}, rest: object = {}) =>
    test.runtime.containers.create({ image, command, log: sending({ ...options, path }), ...rest });
  beforeEach(async () => {
    test = await openRuntime({ plugins: [sending] });
    path = join(test.root, 'far-end');
    warnings = [];
    test.runtime.on('warning', ({ message }) => warnings.push(message));
  });
  afterEach(() => test[Symbol.asyncDispose]());

  it('arrives as it was written, in order, and is complete when the container is removed', async () => {
    const container = await create(
      [
        'sh',
        '-c',
        'seq 20000; sleep 0.2; echo err >&2; sleep 0.2; head -c 20000 /dev/zero | tr "\\0" x; echo; printf end',
      ],
      {},
    );
    await container.start();
    await container.wait();
    await container.remove();
    const entries = sent(path, container.id);
    expect(entries.slice(0, 20_000).map(textOf)).toEqual(numbers(1, 20_000));
    expect(entries.slice(20_000).map(({ stream, line, partial }) => [stream, line.length, partial])).toEqual([
      ['stderr', 3, false],
      ['stdout', 16_384, true],
      ['stdout', 20_000 - 16_384, false],
      ['stdout', 3, true],
    ]);
    expect(warnings).toEqual([]);
  });

  it('arrives while the container runs, and over several runs of it', async () => {
    const container = await create(['sh', '-c', 'echo 1; read x; echo 2'], {}, { stdin: true });
    for (const run of [1, 2, 3]) {
      const { stdin } = await container.start({ attach: { stdin: true } });
      await expect.poll(() => sentTexts(path).length, { timeout: 2_000, interval: 10 }).toBe(run * 2 - 1);
      stdin.end('\n');
      await container.wait();
    }
    await container.remove();
    expect(sentTexts(path)).toEqual(['1', '2', '1', '2', '1', '2']);
  });

  it('is complete when the runtime has closed', async () => {
    const container = await create(seq(5_000), { capacity: 65_536, delay: 20 }, { ephemeral: true });
    await container.start();
    await container.wait();
    await test.runtime.close();
    expect(sentTexts(path)).toEqual(numbers(1, 5_000));
    expect(warnings).toEqual([]);
  });

  it('cannot be read back', async () => {
    const container = await create(['true'], {});
    await expect(collect(container.logs())).rejects.toMatchObject({ code: 'HAKO_ERR_LOG_NOT_READABLE' });
  });

  it('holds the container back when it is sent slowly, in blocking mode', async () => {
    const container = await create(seq(60_000), { capacity: 65_536, delay: 20 });
    const started = Date.now();
    await container.start();
    await container.wait();
    // Of 60,000 records, about 25,000 fit into the pipe, the supervisor and the journal. 512 go in a batch.
    expect(Date.now() - started).toBeGreaterThan(500);
    await container.remove();
    expect(sentTexts(path)).toEqual(numbers(1, 60_000));
    expect(warnings).toEqual([]);
  });

  it('loses what finds no room in non-blocking mode, and says how much', async () => {
    const container = await create(seq(20_000, 'sleep 1'), {
      capacity: 65_536,
      mode: 'non-blocking',
      delay: 100,
    });
    await container.start();
    await expect.poll(async () => (await container.logCounts()).lost).toBeGreaterThan(0);
    await delay(500);
    const { written, lost } = await container.logCounts();
    expect(written + lost).toBe(20_000);
    await container.wait();
    await container.remove();
    const texts = sentTexts(path);
    expect(texts.length).toBe(written);
    expect(texts).toEqual([...new Set(texts)]);
    expect(warnings.at(-1)).toContain(`was full: ${lost} records have been dropped`);
  });

  it('is tried again when the far end was down', async () => {
    writeFileSync(`${path}.down`, '');
    const container = await create(seq(100, 'sleep 1'), {});
    await container.start();
    await expect.poll(() => warnings).toEqual([expect.stringContaining('the far end is down')]);
    rmSync(`${path}.down`);
    await container.wait();
    await container.remove();
    expect(sentTexts(path)).toEqual(numbers(1, 100));
    expect(warnings.length).toBe(1);
  });

  it('does not keep a container from being stopped and removed when the far end hangs', async () => {
    const container = await create(forever, { capacity: 65_536, hangs: true });
    await container.start();
    await delay(300);
    const stopping = Date.now();
    expect(await container.stop({ timeout: 0.2 })).toMatchObject({ signal: 9 });
    expect(Date.now() - stopping).toBeLessThan(2_000);
    await container.remove();
    expect(Date.now() - stopping).toBeLessThan(14_000);
    expect(warnings.at(-1)).toMatch(/^\d{3,} log records of container .* They are lost with the container\.$/);
    expect(sentTexts(path)).toEqual([]);
  });

  it('is not waited for long when the runtime closes, and is delivered by the next', async () => {
    const container = await create(seq(300), {});
    writeFileSync(`${path}.down`, '');
    await container.start();
    await container.wait();
    const closing = Date.now();
    await test.runtime.close();
    expect(Date.now() - closing).toBeLessThan(4_000);
    expect(sentTexts(path)).toEqual([]);
    rmSync(`${path}.down`);
    await using _ = await Runtime.open({ root: test.root, plugins: [sending] });
    await expect.poll(() => sentTexts(path)).toEqual(numbers(1, 300));
  });

  it('is left to a runtime that knows its driver', async () => {
    const container = await create(seq(300), {});
    writeFileSync(`${path}.down`, '');
    await container.start();
    await container.wait();
    await test.runtime.close();
    rmSync(`${path}.down`);
    await (await Runtime.open({ root: test.root })).close();
    await delay(200);
    expect(sentTexts(path)).toEqual([]);
    await using _ = await Runtime.open({ root: test.root, plugins: [sending] });
    await expect.poll(() => sentTexts(path)).toEqual(numbers(1, 300));
  });

  for (const { title, settings, last } of [
    { title: 'a detached container', settings: { detached: true }, last: 30_000 },
    { title: 'one that ends with its maker', settings: {}, last: null },
    { title: 'an ephemeral one, before it is removed', settings: { ephemeral: true }, last: null },
  ]) {
    it(`loses nothing of ${title} over kill -9 of node`, async () => {
      // One that is open would take over at once.
      await test.runtime.close();
      const options = { path, capacity: 65_536, delay: 20 };
      const command = last === null ? forever : seq(last);
      const all = { ...settings, name: 'sent', command, log: { driver: 'sending', options } };
      const child = startSource('sending-child.ts', [test.root, JSON.stringify(all)]);
      if (child.stdout === null) throw new Error('it has no stdout');
      await once(child.stdout, 'data');
      await expect.poll(() => sentTexts(path).length, { interval: 10 }).toBeGreaterThan(2_000);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const before = sentTexts(path).length;
      await delay(200);
      expect(sentTexts(path).length).toBe(before);
      await using next = await Runtime.open({ root: test.root, plugins: [sending] });
      next.on('warning', ({ message }) => warnings.push(message));
      if (settings.ephemeral === true) {
        await expect.poll(async () => (await next.containers.list()).length, { timeout: 15_000 }).toBe(0);
      } else {
        const container = await next.containers.get('sent');
        await container.wait();
        await container.remove();
      }
      const texts = sentTexts(path);
      expect(texts.length).toBeGreaterThan(before);
      // What was being written when it was killed may have come twice.
      const delivered = [...new Set(texts)];
      expect(delivered).toEqual(numbers(1, last ?? delivered.length));
      expect(texts.length - delivered.length).toBeLessThanOrEqual(mostInBatch);
      expect(warnings).toEqual([]);
    });
  }
});
