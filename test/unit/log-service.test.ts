import { hostname } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { none } from '../../plugins/log/none/index.ts';
import type { ContainerId } from '../../src/base/ids.ts';
import type { LogDriver, LogEntry } from '../../src/contracts/log-driver.ts';
import type { PluginContext } from '../../src/contracts/plugin-definition.ts';
import { attributesText, type LoggedContainer, LogService } from '../../src/log/log-service.ts';
import { entryPrinter } from '../../src/log/print-entries.ts';
import { reassembleLines } from '../../src/log/reassemble.ts';
import { collect, textOf } from '../support/json-file-log.ts';

const container: LoggedContainer = {
  id: 'a'.repeat(64) as ContainerId,
  name: 'web',
  createdAt: new Date(0),
  image: { id: `sha256:${'b'.repeat(64)}`, name: 'busybox:latest' },
  argv: ['sh', '-c', 'echo hi'],
  env: ['A=b'],
  labels: { app: 'shop' },
  directory: '/state',
  log: { driver: 'mine', options: { x: 1 } },
};
const entry = (text: string, fields: Partial<LogEntry> = {}): LogEntry => ({
  stream: 'stdout',
  time: 0n,
  line: Buffer.from(text),
  partial: false,
  ...fields,
});
async function* entries(...all: LogEntry[]) {
  yield* all;
}
const driver = (fields: Partial<LogDriver>): LogDriver => ({
  open: async () => ({ kind: 'none' }),
  [Symbol.asyncDispose]: async () => {},
  ...fields,
});
const service = (fields: Partial<LogDriver>) => new LogService({ driver: async () => driver(fields) });
const never = new Promise<void>(() => {});

describe('LogService', () => {
  it("asks the container's own driver, and tells it of the container", async () => {
    const open = vi.fn(async () => ({ kind: 'none' as const }));
    const find = vi.fn(async () => driver({ open }));
    await new LogService({ driver: find }).open(container);
    expect(find).toHaveBeenCalledWith({ driver: 'mine', options: { x: 1 } });
    expect(open).toHaveBeenCalledWith(
      {
        id: container.id,
        name: 'web',
        command: 'sh -c echo hi',
        imageId: container.image.id,
        imageName: 'busybox:latest',
        hostname: hostname(),
        createdAt: new Date(0),
        labels: { app: 'shop' },
        env: ['A=b'],
        directory: '/state',
      },
      undefined,
    );
  });

  it('says that a log cannot be read back, instead of giving an empty one', async () => {
    const real = new LogService({ driver: () => none.create({} as PluginContext, {}) as Promise<LogDriver> });
    await expect(collect(real.read({ ...container, log: none() }, {}, never))).rejects.toMatchObject({
      code: 'HAKO_ERR_LOG_NOT_READABLE',
      kind: 'not_supported',
      message: expect.stringContaining("'none'"),
    });
    expect(await real.open({ ...container, log: none() })).toEqual({ kind: 'none' });
    expect(await real.path({ ...container, log: none() })).toBe('');
    await real.rotated({ ...container, log: none() });
  });

  it.each([{ tail: -1 }, { tail: 1.5 }, { tail: Number.NaN }, { since: 2n, until: 1n }])(
    'refuses the query %o',
    async (query) => {
      await expect(collect(service({ read: () => entries() }).read(container, query, never))).rejects.toMatchObject({
        code: 'HAKO_ERR_INVALID_OPTION',
      });
    },
  );

  it('holds a driver that does not look at the query to the streams and the end', async () => {
    const read = () =>
      entries(entry('1', { time: 1n }), entry('2', { stream: 'stderr', time: 2n }), entry('3', { time: 3n }));
    const texts = async (query: object) => (await collect(service({ read }).read(container, query, never))).map(textOf);
    expect(await texts({})).toEqual(['1', '2', '3']);
    expect(await texts({ stdout: false })).toEqual(['2']);
    expect(await texts({ stderr: false })).toEqual(['1', '3']);
    expect(await texts({ until: 2n })).toEqual(['1', '2']);
  });

  it('tells the driver of the end also when the supervisor was lost, and lets no rejection loose', async () => {
    const read: NonNullable<LogDriver['read']> = async function* (_container, _query, ended) {
      await ended;
      yield entry('last');
    };
    const lost = Promise.reject(new Error('lost'));
    const log = service({ read }).read(container, { follow: true }, lost);
    await new Promise((resolve) => setImmediate(resolve));
    expect((await collect(log)).map(textOf)).toEqual(['last']);
  });

  it('stops with the reason of the signal', async () => {
    const reason = new Error('enough');
    await expect(
      collect(service({ read: () => entries() }).read(container, {}, never, { signal: AbortSignal.abort(reason) })),
    ).rejects.toBe(reason);
  });

  it("writes a record's attributes as Go does", () => {
    expect(attributesText({})).toBe('');
    expect(attributesText({ b: '<1>', a: '2' })).toBe('{"a":"2","b":"\\u003c1\\u003e"}');
  });
});

describe('reassembleLines', () => {
  it('joins the pieces of each stream', async () => {
    const pieces = entries(
      entry('a', { partial: true, time: 1n, attributes: { k: 'v' } }),
      entry('X', { stream: 'stderr', partial: true, time: 2n }),
      entry('b', { partial: true, time: 3n }),
      entry('whole', { stream: 'stderr', partial: false, time: 4n }),
      entry('c', { time: 5n }),
      entry('single', { time: 6n }),
      entry('open', { partial: true, time: 7n }),
    );
    const lines = await collect(reassembleLines(pieces));
    expect(lines.map((line) => [line.stream, textOf(line), line.partial, line.time])).toEqual([
      ['stderr', 'Xwhole', false, 2n],
      ['stdout', 'abc', false, 1n],
      ['stdout', 'single', false, 6n],
      ['stdout', 'open', true, 7n],
    ]);
    expect(lines[1]?.attributes).toEqual({ k: 'v' });
  });

  it('lets a line that never ends out in parts, when told how long one may be', async () => {
    const pieces = entries(
      ...Array.from({ length: 5 }, (_, index) => entry(`${index}${index}`, { partial: true })),
      entry('end'),
    );
    expect(
      (await collect(reassembleLines(pieces, { maxLength: 4 }))).map((line) => [textOf(line), line.partial]),
    ).toEqual([
      ['0011', true],
      ['2233', true],
      ['44end', false],
    ]);
  });
});

describe('entryPrinter', () => {
  const print = (all: readonly LogEntry[], timestamps: boolean) => {
    const printer = entryPrinter({ timestamps });
    return all.map((each) => Buffer.from(printer(each)).toString()).join('');
  };
  const all = [
    entry('a', { partial: true, time: 1_451_747_045_100_000_000n }),
    entry('b', { time: 1_451_747_046_000_000_000n }),
    entry('c', { time: 1_451_747_047_000_000_001n }),
  ];

  it('puts lines together as they were', () => {
    expect(print(all, false)).toBe('ab\nc\n');
  });

  it('puts the time, with nine digits, before each line and into none', () => {
    expect(print(all, true)).toBe('2016-01-02T15:04:05.100000000Z ab\n2016-01-02T15:04:07.000000001Z c\n');
  });
});
