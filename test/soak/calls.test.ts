import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { type Container, type ContainerPool, closeOnExit, Image, Runtime } from 'libhako';
import { startService } from 'libhako/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { builtinPlugins } from '../../src/core/defaults.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';
import { holds } from './fuzz/answered.ts';
import { optionTypes } from './fuzz/api-report.ts';
import { fieldsLike } from './fuzz/arbitrary-like.ts';
import { fieldsOf } from './fuzz/arbitrary-of.ts';
import { amount, patience } from './support/amounts.ts';

const runs = amount('runs', 8, 10_000);
/** Of what starts containers, or opens runtimes. */
const costly = Math.ceil(runs / 100);

/** What a program in plain JavaScript may give. */
// biome-ignore lint/suspicious/noExplicitAny: the types are wrong on purpose.
type Anything = any;

interface Call {
  readonly runs: number;
  use(options: Anything): unknown;
}

/** They are no options that a caller gives by themselves: part of others, or what a caller is given. */
const partOfOthers = ['ContainerFilters', 'EventFilters', 'LayerLimits', 'PruneFilters', 'ReadyOptions'];

describeWith({ root: true, tools: ['busybox'] }, 'whatever is given for the options of a call', () => {
  let test: TestRuntime;
  let container: Container;
  let pool: ContainerPool;
  let directory = '';
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hako-calls-'));
    writeFileSync(join(directory, 'file'), 'x');
    test = await openRuntime();
    container = await test.runtime.containers.create({ image, command: ['sleep', '1000'], ephemeral: true });
    await container.start();
    pool = await test.runtime.containers.pool({ image });
  });
  afterAll(async () => {
    await pool.close();
    await test[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  /** A container of its own, that is gone afterwards whatever was done to it. */
  async function withOne(work: (container: Container) => Promise<unknown>): Promise<void> {
    const made = await test.runtime.containers.create({ image, command: ['sleep', '1000'] });
    try {
      await work(made);
    } finally {
      await made.remove({ force: true }).catch(() => {});
    }
  }

  /** Waits for one thing of what may go on for ever. */
  async function begun(source: AsyncIterable<unknown>): Promise<void> {
    const iterator = source[Symbol.asyncIterator]();
    await Promise.race([iterator.next(), delay(20)]);
    await iterator.return?.();
  }

  const soon = (options: Anything) => ({ signal: AbortSignal.timeout(30), ...options });

  const calls: Readonly<Record<string, Call>> = {
    AttachOptions: { runs: costly, use: async (options) => (await container.attach(options)).close() },
    CloseOnExitOptions: { runs, use: (options) => closeOnExit(test.runtime, options)[Symbol.dispose]() },
    CloseOptions: {
      runs: costly,
      use: async (options) => {
        await using runtime = await Runtime.open({ root: test.root });
        await runtime.close(options);
      },
    },
    CommitOptions: {
      runs: costly,
      use: async (options) => test.runtime.images.remove((await container.commit(options)).id),
    },
    CopyInOptions: { runs: costly, use: (options) => container.copyIn({ files: { a: 'b' } }, '/tmp', options) },
    CopyOutOptions: {
      runs: costly,
      use: async (options) => {
        await container.statPath('/bin/sh', options);
        (await container.copyOut('/bin/sh', options)).stream.destroy();
      },
    },
    CopyOutToHostOptions: {
      runs: costly,
      use: (options) => container.copyOut('/etc/passwd', join(directory, 'passwd'), options),
    },
    EventsOptions: { runs: costly, use: (options) => begun(test.runtime.events(soon(options))) },
    ExecOptions: { runs: costly, use: (options) => container.exec(['true'], options) },
    HostImageOptions: { runs, use: (options) => Image.fromHost(options) },
    ImportOptions: {
      runs: costly,
      use: async (options) => test.runtime.images.remove((await test.runtime.images.import(directory, options)).id),
    },
    ListOptions: { runs, use: (options) => test.runtime.containers.list(options) },
    LogsOptions: { runs: costly, use: (options) => begun(container.logs(soon(options))) },
    LogQuery: { runs: costly, use: (options) => begun(container.logs(soon(options))) },
    MemoryFile: { runs: costly, use: (file) => container.copyIn({ files: { a: file } }, '/tmp') },
    OperationOptions: {
      runs: costly,
      use: async (options) => {
        await container.diff(options);
        await container.pause(options);
        await container.unpause(options);
        container
          .export(options)
          .on('error', () => {})
          .destroy();
        await container.kill('SIGCONT', options);
        await pool.ready(options);
      },
    },
    PoolRunOptions: { runs: costly, use: (options) => pool.run(['true'], options) },
    PruneOptions: { runs: costly, use: (options) => test.runtime.containers.prune(options) },
    RemoveOptions: { runs: costly, use: (options) => withOne((one) => one.remove(options)) },
    RuntimeOptions: {
      runs: costly,
      use: async ({ root, ...options }) => {
        // One that is a path would be made.
        const place = typeof root === 'string' ? join(directory, 'roots', root.slice(0, 50)) : root;
        await using _ = await Runtime.open({ ...options, root: place ?? test.root });
      },
    },
    ServiceOptions: {
      runs: costly,
      use: async ({ root, timeout, ...options }) => {
        const given = { image, command: ['sleep', '1000'], runtime: test.runtime, ...options };
        // Nobody waits for an hour here.
        const brief = typeof timeout === 'number' && timeout > 0.1 && timeout <= 86_400 ? 0.1 : timeout;
        await using _ = await startService({ ...given, timeout: brief, ...(typeof root === 'string' ? {} : { root }) });
      },
    },
    StartOptions: { runs: costly, use: (options) => withOne(async (one) => (await one.start(options)).close()) },
    StatsOptions: {
      runs: costly,
      use: async (options) => {
        await container.stats(soon(options));
        await begun(container.watchStats(soon(options)));
      },
    },
    StopOptions: {
      runs: costly,
      use: (options) =>
        withOne(async (one) => {
          await one.start();
          await one.stop(soon(options));
        }),
    },
    TerminalSize: { runs: costly, use: (size) => container.resize(size) },
    TopOptions: { runs: costly, use: (options) => container.top(options) },
    UpdateOptions: { runs: costly, use: (options) => container.update(options) },
    WaitOptions: { runs: costly, use: (options) => container.wait(soon(options)) },
  };

  it('is tried for every type of options that the API has', () => {
    expect(Object.keys(calls).sort()).toEqual(optionTypes.filter((name) => !partOfOthers.includes(name)).sort());
  });

  const fields = Object.keys(calls).flatMap((name) =>
    Object.entries(fieldsLike(name)).map((field) => [name, ...field] as const),
  );
  it.each(fields)('%s: %s', { timeout: patience }, async (name, field, given) => {
    const call = calls[name];
    await holds(given, call?.runs ?? 0, (value) => call?.use({ [field]: value }));
  });

  it.each(Object.entries(calls))('%s: several at once', { timeout: patience }, async (name, call) => {
    await holds(fc.record(fieldsLike(name), { requiredKeys: [] }), call.runs, (options) => call.use(options));
  });

  const options = builtinPlugins.flatMap((plugin) =>
    Object.entries(fieldsOf(plugin.options)).map(([field, given]) => [plugin, field, given] as const),
  );
  it.each(options.map(([plugin, ...rest]) => [plugin.id, plugin.kind, plugin, ...rest] as const))(
    '%s (%s) %#',
    { timeout: patience },
    async (driver, kind, _, field, given) => {
      const use = async (value: Anything) => {
        const reference = { driver, options: { [field]: value } };
        if (kind === 'storage') {
          await using runtime = await Runtime.open({ root: join(directory, driver), storage: { kind, ...reference } });
          return runtime.info();
        }
        const made = await test.runtime.containers.create({
          ...{ image, command: ['true'], ephemeral: true },
          ...(kind === 'log' ? { log: reference } : { mode: reference }),
        });
        try {
          await made.start();
          return await made.wait();
        } finally {
          await made.remove({ force: true });
        }
      };
      await holds(given, costly, use);
    },
  );

  it('and afterwards all is as it was', async () => {
    expect((await test.runtime.run({ image, command: ['echo', 'x'] })).stdout.toString()).toBe('x\n');
    const left = (await test.runtime.containers.list()).filter(({ state }) => state.status !== 'starting');
    expect(left.map(({ id }) => id)).toEqual([container.id]);
  });
});
