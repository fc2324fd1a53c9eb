import { expect, it } from 'vitest';
import type { LogEntry, LogQuery } from '../../contracts/log-driver.ts';
import type { LogDriverSubject } from './log-driver.ts';
import { collect, LoggedSubject, textOf } from './log-subject.ts';

/** What has been printed is what is read. */
export function logReadingCases(subject: LogDriverSubject): void {
  it('gives nothing of a container that has printed nothing', async () => {
    await using logged = await LoggedSubject.create(subject);
    expect(await logged.read()).toEqual([]);
    await logged.driver.open(logged.container);
    expect(await logged.read()).toEqual([]);
    expect(await logged.read({ tail: 5 })).toEqual([]);
  });

  it('gives lines in their order, with stream and time, without their newlines', async () => {
    await using logged = await LoggedSubject.create(subject);
    const before = BigInt(Date.now()) * 1_000_000n;
    await logged.print('first\n\n');
    await logged.print('to stderr\n', 'stderr');
    await logged.print('last "quoted" \\ \t\u001b[31m größe 😀 \u2028\n');
    const after = BigInt(Date.now() + 1) * 1_000_000n;
    const entries = await logged.read();
    expect(entries.map((entry) => [entry.stream, textOf(entry), entry.partial])).toEqual([
      ['stdout', 'first', false],
      ['stdout', '', false],
      ['stderr', 'to stderr', false],
      ['stdout', 'last "quoted" \\ \t\u001b[31m größe 😀 \u2028', false],
    ]);
    for (const { time } of entries)
      expect(time >= before && time <= after, `${time} is between ${before} and ${after}`).toBe(true);
  });

  it('marks the pieces of a line that is longer than 16 KiB, all but the last', async () => {
    await using logged = await LoggedSubject.create(subject);
    const long = `${'0123456789'.repeat(4_000)}!`;
    await logged.print(`before\n${long}\nafter\n`);
    const entries = await logged.read();
    expect(entries.map((entry) => `${textOf(entry)}${entry.partial ? '' : '\n'}`).join('')).toBe(
      `before\n${long}\nafter\n`,
    );
    expect(entries.some((entry) => entry.partial)).toBe(true);
    const last = await logged.read({ tail: 2 });
    expect(last.map(textOf).join('')).toBe(`${long}after`);
  });

  it('gives the last lines', async () => {
    const { logged, all } = await hundredLines(subject);
    await using _ = logged;
    for (const tail of [0, 1, 2, 10, 99, 100, 101, 1_000_000]) {
      expect((await logged.read({ tail })).map(textOf), `tail ${tail}`).toEqual(
        all.slice(all.length - Math.min(tail, all.length)).map(textOf),
      );
    }
  });

  it('gives a stretch of time, both ends with it', async () => {
    const { logged, all } = await hundredLines(subject);
    await using _ = logged;
    const times = all.map((entry) => entry.time);
    const [early = 0n, late = 0n] = [times[Math.floor(times.length / 3)], times[Math.floor((2 * times.length) / 3)]];
    const expectRead = async (query: LogQuery, holds: (entry: LogEntry) => boolean): Promise<void> => {
      expect((await logged.read(query)).map(textOf)).toEqual(all.filter(holds).map(textOf));
    };
    await expectRead({ since: early }, (entry) => entry.time >= early);
    await expectRead({ since: early + 1n }, (entry) => entry.time > early);
    await expectRead({ until: late }, (entry) => entry.time <= late);
    await expectRead({ until: late - 1n }, (entry) => entry.time < late);
    await expectRead({ since: early, until: late }, (entry) => entry.time >= early && entry.time <= late);
    await expectRead({ since: (times.at(-1) ?? 0n) + 1n }, () => false);
    await expectRead({ until: (times[0] ?? 0n) - 1n }, () => false);
  });

  it('gives the stream that is asked for, and its last lines', async () => {
    const { logged, all } = await hundredLines(subject);
    await using _ = logged;
    const of = (stream: LogEntry['stream']): string[] => all.filter((entry) => entry.stream === stream).map(textOf);
    expect((await logged.read({ stderr: false })).map(textOf)).toEqual(of('stdout'));
    expect((await logged.read({ stdout: false })).map(textOf)).toEqual(of('stderr'));
    expect((await logged.read({ stdout: false, tail: 3 })).map(textOf)).toEqual(of('stderr').slice(-3));
  });

  it('gives the same to another driver for the container, and to several readers at once', async () => {
    const { logged, all } = await hundredLines(subject);
    await using _ = logged;
    await using another = await logged.anotherDriver();
    const readers = await Promise.all([
      logged.read(),
      logged.read({}, another),
      logged.read({ tail: 50 }),
      logged.read({}, another),
    ]);
    for (const entries of readers) expect(entries.map(textOf)).toEqual(all.slice(-entries.length).map(textOf));
  });

  it('goes on where an earlier run of the container left off', async () => {
    await using logged = await LoggedSubject.create(subject);
    await logged.print('first run\n');
    await logged.end({ last: false });
    await logged.print('second run\n');
    expect((await logged.read()).map(textOf)).toEqual(['first run', 'second run']);
  });

  it('keeps the logs of two containers apart', async () => {
    await using one = await LoggedSubject.create(subject);
    await using other = await LoggedSubject.create(subject);
    await one.print('one\n');
    await other.print('other\n');
    expect((await one.read()).map(textOf)).toEqual(['one']);
    expect((await other.read()).map(textOf)).toEqual(['other']);
  });

  it("stops with the signal's own reason, before it begins and in between", async () => {
    const { logged } = await hundredLines(subject);
    await using _ = logged;
    const reason = new Error('enough');
    await expect(collect(logged.entries({}, { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
    const abort = new AbortController();
    abort.abort(reason);
    await expect(collect(logged.entries({ follow: true }, { signal: abort.signal }))).rejects.toBe(reason);
  });

  it('may be left at any time', async () => {
    const { logged } = await hundredLines(subject);
    await using _ = logged;
    for (let round = 0; round < 10; round++) {
      for await (const entry of logged.entries({ follow: round % 2 === 0 })) {
        expect(entry.partial).toBe(false);
        break;
      }
    }
  });
}

/** Prints `1` to `100` to both streams, in turn by tens, and reads them back. */
async function hundredLines(subject: LogDriverSubject): Promise<{ logged: LoggedSubject; all: LogEntry[] }> {
  const logged = await LoggedSubject.create(subject);
  for (let first = 1; first <= 100; first += 10) {
    const stream = first % 20 === 1 ? 'stdout' : 'stderr';
    await logged.print(Array.from({ length: 10 }, (_, index) => `${first + index}\n`).join(''), stream);
  }
  const all = await logged.read();
  expect(all.map(textOf)).toEqual(Array.from({ length: 100 }, (_, index) => String(index + 1)));
  return { logged, all };
}
