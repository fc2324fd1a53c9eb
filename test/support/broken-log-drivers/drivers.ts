import { jsonFile } from '../../../plugins/log/json-file/index.ts';
import type { LogDriver, LogEntry, LogWriter } from '../../../src/contracts/log-driver.ts';
import type { PluginContext } from '../../../src/contracts/plugin-definition.ts';
import { sending } from '../sending-log-driver.ts';

type Read = NonNullable<LogDriver['read']>;

async function* map(
  entries: AsyncIterable<LogEntry>,
  change: (entry: LogEntry, index: number) => LogEntry | null,
): AsyncGenerator<LogEntry> {
  let index = 0;
  for await (const entry of entries) {
    const changed = change(entry, index++);
    if (changed !== null) yield changed;
  }
}

async function* reversed(entries: AsyncIterable<LogEntry>): AsyncGenerator<LogEntry> {
  const all: LogEntry[] = [];
  for await (const entry of entries) all.unshift(entry);
  yield* all;
}

const reading =
  (change: (read: Read) => Read) =>
  (driver: LogDriver): LogDriver => {
    const read: Read = (...values) => {
      if (driver.read === undefined) throw new Error('it reads');
      return driver.read(...values);
    };
    return Object.assign(Object.create(driver) as LogDriver, {
      open: driver.open.bind(driver),
      read: change(read),
      [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
    });
  };

/** Each breaks one sentence of the contract. */
export const faults: Readonly<Record<string, (driver: LogDriver) => LogDriver>> = {
  'reads nothing': reading(() => async function* () {}),
  'loses the first line': reading(
    (read) =>
      (...values) =>
        map(read(...values), (entry, index) => (index === 0 ? null : entry)),
  ),
  'reads backward': reading(
    (read) =>
      (...values) =>
        reversed(read(...values)),
  ),
  'leaves the newline': reading(
    (read) =>
      (...values) =>
        map(read(...values), (entry) => ({ ...entry, line: Buffer.concat([entry.line, Buffer.from('\n')]) })),
  ),
  'forgets which pieces are partial': reading(
    (read) =>
      (...values) =>
        map(read(...values), (entry) => ({ ...entry, partial: false })),
  ),
  'takes all for stdout': reading(
    (read) =>
      (...values) =>
        map(read(...values), (entry) => ({ ...entry, stream: 'stdout' })),
  ),
  'has no times': reading(
    (read) =>
      (...values) =>
        map(read(...values), (entry) => ({ ...entry, time: 0n })),
  ),
  'has times of seconds': reading(
    (read) =>
      (...values) =>
        map(read(...values), (entry) => ({ ...entry, time: entry.time - (entry.time % 1_000_000_000n) })),
  ),
  'does not look at tail': reading(
    (read) =>
      (container, { tail, ...query }, ...rest) =>
        read(container, query, ...rest),
  ),
  'gives one line more than tail': reading(
    (read) =>
      (container, query, ...rest) =>
        read(container, query.tail === undefined ? query : { ...query, tail: query.tail + 1 }, ...rest),
  ),
  'does not look at since': reading(
    (read) =>
      (container, { since, ...query }, ...rest) =>
        read(container, query, ...rest),
  ),
  'leaves since itself out': reading(
    (read) =>
      (container, query, ...rest) =>
        read(container, query.since === undefined ? query : { ...query, since: query.since + 1n }, ...rest),
  ),
  'does not look at until': reading(
    (read) =>
      (container, { until, ...query }, ...rest) =>
        read(container, query, ...rest),
  ),
  'does not look at stdout': reading(
    (read) =>
      (container, { stdout, ...query }, ...rest) =>
        read(container, query, ...rest),
  ),
  'does not follow': reading(
    (read) =>
      (container, { follow, ...query }, ...rest) =>
        read(container, query, ...rest),
  ),
  'does not end': reading(
    (read) =>
      (container, query, _ended, ...rest) =>
        read(container, query, new Promise(() => {}), ...rest),
  ),
  'does not look at the signal': reading((read) => (container, query, ended) => read(container, query, ended)),
  'throws a reason of its own': reading(
    (read) =>
      async function* (container, query, ended, options) {
        try {
          yield* read(container, query, ended, options);
        } catch {
          throw new Error('something went wrong');
        }
      },
  ),
  'reads for one reader only': (driver) => {
    let taken = false;
    return reading(
      (read) =>
        async function* (...values) {
          if (taken) return;
          taken = true;
          try {
            yield* read(...values);
          } finally {
            taken = false;
          }
        },
    )(driver);
  },
  'gives all containers one file': (driver) => ({
    ...reading((read) => read)(driver),
    open: async (container, options) => ({ ...(await driver.open(container, options)), fileName: '../one.log' }),
  }),
  'has another sink at each start': (driver) => {
    let starts = 0;
    return Object.assign(reading((read) => read)(driver), {
      open: async (...values: Parameters<LogDriver['open']>) => ({
        ...(await driver.open(...values)),
        fileName: `${starts++}.log`,
      }),
    });
  },
  'has a relative path': (driver) => Object.assign(reading((read) => read)(driver), { path: () => 'log' }),
  'claims to read': (driver) => Object.assign(reading((read) => read)(driver), { read: undefined }),
};

type Write = LogWriter['write'];

/** The same for writers. */
export const writerFaults: Readonly<Record<string, (write: Write) => Write>> = {
  'delivers nothing': () => async () => {},
  'delivers later': (write) => async (entries) => void setTimeout(() => void write(entries), 50),
  'loses the last entry': (write) => (entries) => write(entries.slice(0, -1)),
  'loses empty lines': (write) => (entries) => write(entries.filter(({ line }) => line.length > 0)),
  'delivers twice': (write) => async (entries) => {
    await write(entries);
    await write(entries);
  },
  'delivers backward': (write) => (entries) => write(entries.toReversed()),
  'cuts lines': (write) => (entries) =>
    write(entries.map((entry) => ({ ...entry, line: entry.line.subarray(0, 1_000) }))),
  'sends all as stdout': (write) => (entries) => write(entries.map((entry) => ({ ...entry, stream: 'stdout' }))),
  'takes a thousand at most': (write) => (entries) => write(entries.slice(0, 1_000)),
};

/** Sends output away, to `path`. */
export const brokenWriter =
  (fault: string, path: string) =>
  async (context: PluginContext): Promise<LogDriver> => {
    const driver = await sending.create(context, sending.options.parse({ path }));
    return {
      ...driver,
      writer: async (...values) => {
        const writer = await driver.writer?.(...values);
        if (writer === undefined) throw new Error('it has a writer');
        return { ...writer, write: writerFaults[fault]?.(writer.write) ?? writer.write };
      },
    };
  };

export const broken =
  (fault: string) =>
  async (context: PluginContext): Promise<LogDriver> => {
    const driver = await jsonFile.create(context, {});
    return faults[fault]?.(driver) ?? driver;
  };
