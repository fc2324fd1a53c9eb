import fc from 'fast-check';
import { type Container, type CreateOptions, HakoError, Image, type RunOptions, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { containerOptions } from '../../src/container/options.ts';
import { updateOptions } from '../../src/container/resources.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';
import { holds } from './fuzz/answered.ts';
import { arbitraryOf, fieldsOf, junk } from './fuzz/arbitrary-of.ts';
import { amount, patience } from './support/amounts.ts';

/** Of what is checked and refused at once; what starts containers, or opens runtimes, has fewer. */
const runs = amount('runs', 8, 10_000);
const starts = Math.ceil(runs / 100);

const isCostly = /^(run|open|exec|attach|copy|top|images\.import)/;

/** What a program in plain JavaScript may give. */
// biome-ignore lint/suspicious/noExplicitAny: the types are wrong on purpose.
type Anything = any;

describeWith({ root: true, tools: ['busybox'] }, 'whatever is given for an option', () => {
  let test: TestRuntime;
  let container: Container;
  beforeAll(async () => {
    test = await openRuntime();
    container = await test.runtime.containers.create({ image, command: ['sleep', '1000'], ephemeral: true });
    await container.start();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  const fields = Object.entries(fieldsOf(containerOptions));
  it.each(fields)('create: %s', { timeout: patience }, async (name, given) => {
    const { containers } = test.runtime;
    await holds(given, runs, (value) =>
      containers.create({ image: 'absent:1', [name]: value } as CreateOptions<string>),
    );
  });

  it.each(fields)('run: %s', { timeout: patience }, async (name, given) => {
    const command = ['true'];
    await holds(given, starts, (value) => test.runtime.run({ image, command, [name]: value } as RunOptions));
  });

  it('create: several at once', { timeout: patience }, async () => {
    await holds(fc.record(Object.fromEntries(fields), { requiredKeys: [] }), starts, async (options) => {
      const made = await test.runtime.containers.create({ ...options, image });
      await made.remove();
    });
  });

  const calls: readonly (readonly [string, (value: Anything) => unknown])[] = [
    ['run', (value) => test.runtime.run(value)],
    ['run input', (value) => test.runtime.run({ image, command: ['cat'], input: value, maxOutput: 1 << 20 })],
    ['run maxOutput', (value) => test.runtime.run({ image, command: ['true'], maxOutput: value })],
    ['run image', (value) => test.runtime.run({ image: value, command: ['true'] })],
    ['get', (value) => test.runtime.containers.get(value)],
    ['list', (value) => test.runtime.containers.list(value)],
    ['images.get', (value) => test.runtime.images.get(value)],
    // The whole host may be meant.
    ['images.import', (value) => test.runtime.images.import(value, { signal: AbortSignal.timeout(50) })],
    ['images.tag', (value) => test.runtime.images.tag(image, value)],
    ['images.remove', (value) => (value === image ? undefined : test.runtime.images.remove(value))],
    ['Image.fromHost', (value) => Image.fromHost(value)],
    ['open root', (value) => (typeof value === 'string' ? undefined : Runtime.open({ root: value }))],
    ['open', (value) => Runtime.open({ root: test.root, ...Object(value), nativeDirectory: undefined })],
    ['exec command', (value) => container.exec(value)],
    ['exec', (value) => container.exec(['true'], value)],
    ['exec env', (value) => container.exec(['true'], { env: value })],
    ['exec user', (value) => container.exec(['true'], { user: value })],
    ['exec groups', (value) => container.exec(['true'], { groups: value })],
    ['exec workingDirectory', (value) => container.exec(['true'], { workingDirectory: value })],
    ['exec terminalSize', (value) => container.exec(['true'], { tty: true, terminalSize: value })],
    ['exec maxOutput', (value) => container.exec(['echo', 'x'], { maxOutput: value })],
    ['exec signal', (value) => container.exec(['true'], { signal: value })],
    ['attach', async (value) => (await container.attach(value)).close()],
    ['resize', (value) => container.resize(value)],
    ['start', (value) => container.start(value)],
    [
      'wait',
      (value) => container.wait({ ...Object(value), signal: AbortSignal.abort(new HakoError('INVALID_OPTION', 'x.')) }),
    ],
    [
      'logs',
      async (value) => {
        for await (const _ of container.logs({ ...Object(value), follow: false }));
      },
    ],
    ['rename', (value) => container.rename(value)],
    ['top', (value) => container.top(value)],
    ['copyOut', async (value) => container.statPath(value)],
    ['copyIn', (value) => container.copyIn({ files: value }, '/tmp')],
    ['copyIn path', (value) => container.copyIn({ files: { a: 'b' } }, value)],
  ];
  it.each(calls)('%s', { timeout: patience }, async (name, use) => {
    await holds(junk, isCostly.test(name) ? starts : runs, use);
  });

  it('update', { timeout: patience }, async () => {
    await holds(arbitraryOf(updateOptions), starts, (value: Anything) => container.update(value));
  });

  it('and afterwards all is as it was', async () => {
    expect((await test.runtime.run({ image, command: ['echo', 'x'] })).stdout.toString()).toBe('x\n');
    expect((await test.runtime.containers.list()).map(({ id }) => id)).toEqual([container.id]);
  });
});
