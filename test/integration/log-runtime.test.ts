import { readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { entryPrinter, parseLogTime, reassembleLines } from 'libhako';
import { jsonFile } from 'libhako/plugins/log/json-file';
import { none } from 'libhako/plugins/log/none';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { collect, textOf } from '../../src/plugins/conformance/log-subject.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

describeWith({ root: true, tools: ['busybox'] }, "a container's log", () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  it("is Docker's file at Docker's place, with what labels, env and tag ask for", async () => {
    await using container = await test.runtime.containers.create({
      image,
      name: 'logged',
      ephemeral: true,
      command: ['sh', '-c', 'echo out; echo err >&2'],
      labels: { app: 'shop' },
      env: { GREETING: 'hello' },
      log: jsonFile({ labels: ['app'], env: ['GREETING'], tag: '{{.Name}}' }),
    });
    await container.start();
    await container.wait();
    const { logPath } = await container.inspect();
    expect(logPath).toBe(`${test.root}/containers/${container.id}/${container.id}-json.log`);
    expect(statSync(logPath).mode & 0o777).toBe(0o640);
    const entries = await collect(container.logs());
    expect(entries.map((entry) => `${entry.stream} ${textOf(entry)}`).sort()).toEqual(['stderr err', 'stdout out']);
    for (const { attributes } of entries) expect(attributes).toEqual({ app: 'shop', GREETING: 'hello', tag: 'logged' });
  });

  it('is followed through rotation and compression, to the end', async () => {
    await using container = await test.runtime.containers.create({
      image,
      ephemeral: true,
      command: ['sh', '-c', 'i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo $i; done'],
      log: { driver: 'json-file', options: { 'max-size': '20k', 'max-file': '50', compress: 'true' } },
    });
    const followed = collect(container.logs({ follow: true }));
    await container.start();
    // Asked before it ran: what ends is the log of a container that does not run.
    const again = collect(container.logs({ follow: true }));
    await container.wait();
    expect([0, 2_000]).toContain((await followed).length);
    expect((await again).map(textOf)).toEqual(numbers(1, 2_000));
    const { logPath } = await container.inspect();
    const names = () => readdirSync(dirname(logPath)).filter((name) => name.includes('-json.log'));
    await expect.poll(() => names().filter((name) => !name.endsWith('.gz')), { timeout: 10_000 }).toHaveLength(1);
    expect(names().length).toBeGreaterThan(3);
    expect((await collect(container.logs())).map(textOf)).toEqual(numbers(1, 2_000));
    expect((await collect(container.logs({ tail: 1_500 }))).map(textOf)).toEqual(numbers(501, 2_000));
  });

  it('can be printed, put together and cut by time', async () => {
    await using container = await test.runtime.containers.create({
      image,
      ephemeral: true,
      command: ['sh', '-c', 'head -c 20000 /dev/zero | tr "\\0" x; echo; echo last'],
    });
    await container.start();
    await container.wait();
    const print = entryPrinter({ timestamps: true });
    const printed = (await collect(container.logs())).map((entry) => Buffer.from(print(entry)).toString()).join('');
    expect(printed).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z x{20000}\n\d{4}-\d\d-\d\dT\S+ last\n$/);
    expect((await collect(reassembleLines(container.logs()))).map(textOf)).toEqual(['x'.repeat(20_000), 'last']);
    expect((await collect(container.logs({ since: parseLogTime('1h') }))).length).toBe(3);
    expect(await collect(container.logs({ until: parseLogTime('1h') }))).toEqual([]);
    expect((await collect(container.logs({ since: new Date(Date.now() - 3_600_000) }))).length).toBe(3);
    expect(await collect(container.logs({ until: new Date(0) }))).toEqual([]);
  });

  it('is not to be had of a driver that keeps none', async () => {
    await using container = await test.runtime.containers.create({
      image,
      ephemeral: true,
      command: ['echo', 'x'],
      log: none(),
    });
    await container.start();
    await container.wait();
    await expect(collect(container.logs())).rejects.toMatchObject({ code: 'HAKO_ERR_LOG_NOT_READABLE' });
    expect((await container.inspect()).logPath).toBe('');
  });

  it('is refused at creation with options that it cannot have', async () => {
    const before = await test.runtime.containers.list();
    await expect(
      test.runtime.containers.create({
        image,
        command: ['true'],
        log: { driver: 'json-file', options: { 'max-file': '0' } },
      }),
    ).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
      message: expect.stringContaining('max-file cannot be less than 1'),
    });
    await expect(
      test.runtime.containers.create({ image, command: ['true'], log: { driver: 'jsonfile', options: {} } }),
    ).rejects.toMatchObject({ code: 'HAKO_ERR_PLUGIN_NOT_FOUND' });
    expect(await test.runtime.containers.list()).toHaveLength(before.length);
  });
});
