import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HakoError } from '../../src/base/errors.ts';
import type { LogEntry, LogWriter } from '../../src/contracts/log-driver.ts';
import { JournalPump } from '../../src/log/journal-pump.ts';
import { JournalReader } from '../../src/log/journal-reader.ts';
import { textOf } from '../../src/plugins/conformance/log-subject.ts';
import { JournalWriter } from '../support/journal-writer.ts';
import { ProcessLocks } from '../support/json-file-driver.ts';

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

let directory: string;
let path: string;
let journal: JournalWriter;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-journal-'));
  path = join(directory, 'log.journal');
  journal = new JournalWriter(path);
});
afterEach(() => {
  journal[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

const append = (texts: readonly string[]): void => {
  for (const text of texts) journal.append(text);
};

/** Reads and acknowledges all that there is. */
async function drain(reader: JournalReader): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (;;) {
    const state = await reader.state();
    if (state.acknowledged === state.written) return entries;
    const batch = await reader.next(state, state.acknowledged);
    entries.push(...batch.entries);
    await reader.acknowledge(batch.next);
  }
}

describe('a reader of a journal', () => {
  it('gives what was written, and goes on where any other was', async () => {
    journal.append('out', { time: 7n });
    journal.append('err', { stream: 2 });
    journal.append(Buffer.from([0, 0xff, 10]), { complete: false });
    await using reader = await JournalReader.open(path);
    expect(await drain(reader)).toEqual([
      { stream: 'stdout', time: 7n, line: Buffer.from('out'), partial: false },
      { stream: 'stderr', time: 0n, line: Buffer.from('err'), partial: false },
      { stream: 'stdout', time: 0n, line: Buffer.from([0, 0xff, 10]), partial: true },
    ]);
    journal.append('more');
    await using another = await JournalReader.open(path);
    expect((await drain(another)).map(textOf)).toEqual(['more']);
  });

  it('goes around the ring, wherever a record does not fit', async () => {
    await using reader = await JournalReader.open(path);
    for (let round = 0; round < 300; round++) {
      const texts = Array.from({ length: 7 }, (_, index) => `${round}-${index}${'x'.repeat((round * 991) % 16_000)}`);
      append(texts);
      expect((await drain(reader)).map(textOf)).toEqual(texts);
    }
    expect(Number(journal.written)).toBeGreaterThan(20 * journal.ring);
  });

  it('counts what is pending, without taking it', async () => {
    append(numbers(1, 3_000));
    await using reader = await JournalReader.open(path);
    expect(await reader.pending()).toBe(3_000);
    expect((await drain(reader)).map(textOf)).toEqual(numbers(1, 3_000));
    expect(await reader.pending()).toBe(0);
  });

  it.each([
    ['zeros', Buffer.alloc(64)],
    ['noise', Buffer.alloc(64, 0xa5)],
  ])('passes over what a loss of power has made %s, and reads what comes later', async (_, bytes) => {
    append(['1', '2']);
    journal.write(bytes, journal.position);
    journal.written += 64n;
    journal.sequence++;
    append(['4']);
    await using reader = await JournalReader.open(path);
    expect((await drain(reader)).map(textOf)).toEqual(['1', '2']);
    append(['5']);
    expect((await drain(reader)).map(textOf)).toEqual(['5']);
  });

  it('does not take records of an earlier lap for new ones', async () => {
    const text = 'x'.repeat(4_064);
    await using reader = await JournalReader.open(path);
    const lap = journal.ring / 4_096;
    for (let index = 0; index < lap; index++) journal.append(text);
    expect(await drain(reader)).toHaveLength(lap);
    journal.append(text);
    // The header came to the disk, and the record did not: the old one stands there still.
    journal.written += 4_096n;
    journal.sequence++;
    journal.publish();
    expect(await drain(reader)).toHaveLength(1);
    journal.append('new');
    expect((await drain(reader)).map(textOf)).toEqual(['new']);
  });

  it('does not touch what is no journal', async () => {
    writeFileSync(path, 'x'.repeat(10_000));
    await using reader = await JournalReader.open(path);
    await expect(reader.state()).rejects.toMatchObject({ code: 'HAKO_ERR_STATE_CORRUPT' });
  });
});

describe('a pump', () => {
  const locks = new ProcessLocks();
  let received: string[];
  let warnings: string[];
  let ended: PromiseWithResolvers<void>;
  beforeEach(() => {
    received = [];
    warnings = [];
    ended = Promise.withResolvers();
  });
  const pumpTo = (writer: Partial<LogWriter> = {}, open: () => void = () => {}): JournalPump =>
    new JournalPump(
      {
        name: 'web',
        directory,
        lock: locks.lock,
        writer: async () => {
          open();
          return {
            write: async (entries) => void received.push(...entries.map(textOf)),
            [Symbol.asyncDispose]: async () => {},
            ...writer,
          };
        },
        warn: (message) => warnings.push(message),
      },
      ended.promise,
    );
  const finish = (pump: JournalPump) => {
    journal.end();
    ended.resolve();
    return pump.done;
  };

  it('delivers what there is and what comes, flushes once, and closes the writer', async () => {
    const calls: string[] = [];
    append(numbers(1, 10));
    const pump = pumpTo({
      flush: async () => void calls.push('flush'),
      [Symbol.asyncDispose]: async () => void calls.push('close'),
    });
    await expect.poll(() => received).toEqual(numbers(1, 10));
    append(numbers(11, 20));
    await expect.poll(() => received).toEqual(numbers(1, 20));
    append(['21']);
    expect(await finish(pump)).toEqual({ pending: 0 });
    expect(received).toEqual(numbers(1, 21));
    expect(calls).toEqual(['flush', 'close']);
    expect(warnings).toEqual([]);
  });

  it('acknowledges nothing before `write` has resolved', async () => {
    const written = Promise.withResolvers<void>();
    append(['1']);
    const pump = pumpTo({ write: () => written.promise });
    await delay(100);
    expect(journal.acknowledged).toBe(0n);
    written.resolve();
    await finish(pump);
    expect(journal.acknowledged).toBe(journal.written);
  });

  it('gives the same entries again when they, or a writer, could not be had', async () => {
    const batches: string[][] = [];
    append(['1', '2']);
    let opened = 0;
    const pump = pumpTo(
      {
        write: async (entries) => {
          batches.push(entries.map(textOf));
          if (batches.length < 3) throw new Error('down');
        },
      },
      () => {
        if (opened++ === 0) throw new Error('no writer');
      },
    );
    await expect
      .poll(() => batches, { timeout: 3_000 })
      .toEqual([
        ['1', '2'],
        ['1', '2'],
        ['1', '2'],
      ]);
    expect(await finish(pump)).toEqual({ pending: 0 });
    expect(opened).toBe(2);
    expect(warnings).toEqual([expect.stringContaining("'web' is held up, and will be tried again: no writer")]);
  });

  it('gives up at once when the driver is not known', async () => {
    append(['1']);
    const pump = pumpTo({}, () => {
      throw new HakoError('PLUGIN_NOT_FOUND', 'no such driver');
    });
    expect(await pump.done).toMatchObject({ pending: 1, problem: { code: 'HAKO_ERR_PLUGIN_NOT_FOUND' } });
  });

  it('ends soon after a supervisor that was killed', async () => {
    append(['1']);
    const pump = pumpTo();
    ended.resolve();
    const before = Date.now();
    expect(await pump.done).toEqual({ pending: 0 });
    expect(Date.now() - before).toBeLessThan(2_500);
    expect(received).toEqual(['1']);
  });

  it('leaves the work to one at a time, and takes it over', async () => {
    const first = pumpTo();
    append(['1']);
    await expect.poll(() => received).toEqual(['1']);
    const others: string[] = [];
    const second = pumpTo({ write: async (entries) => void others.push(...entries.map(textOf)) });
    append(['2']);
    await expect.poll(() => received).toEqual(['1', '2']);
    expect(others).toEqual([]);
    first.stop();
    expect(await first.done).toEqual({ pending: 0 });
    append(['3']);
    await expect.poll(() => others).toEqual(['3']);
    await finish(second);
  });

  it('delivers the rest of a container that has ended, however early it is stopped', async () => {
    append(numbers(1, 5_000));
    const pump = pumpTo();
    ended.resolve();
    await delay(0);
    pump.stop();
    journal.end();
    expect(await pump.done).toEqual({ pending: 0 });
    expect(received).toEqual(numbers(1, 5_000));
  });

  it('stops at once while it waits for its turn', async () => {
    const first = pumpTo();
    append(['1']);
    await expect.poll(() => received).toEqual(['1']);
    const second = pumpTo();
    await delay(50);
    const before = Date.now();
    second.stop();
    expect(await second.done).toEqual({ pending: 0 });
    expect(Date.now() - before).toBeLessThan(500);
    await finish(first);
  });

  it('goes on with the next run of its container, and then makes way for another pump', async () => {
    const pump = pumpTo();
    journal.append('1');
    ended.resolve();
    ended = Promise.withResolvers();
    expect(pump.follow(ended.promise)).toBe(true);
    await delay(1_500);
    journal.append('2');
    await expect.poll(() => received).toEqual(['1', '2']);
    await finish(pump);
    expect(pump.follow(new Promise(() => {}))).toBe(false);
  });

  it('lets a writer that hangs hold up nothing for long when it is stopped, and tells it', async () => {
    append(['1', '2']);
    let reason: unknown;
    const pump = pumpTo({
      write: (_entries, options) => {
        options?.signal?.addEventListener('abort', () => {
          reason = options.signal?.reason;
        });
        return new Promise(() => {});
      },
      [Symbol.asyncDispose]: () => new Promise(() => {}),
    });
    await delay(100);
    const before = Date.now();
    pump.stop();
    expect(await pump.done).toEqual({ pending: 2 });
    expect(Date.now() - before).toBeLessThan(4_000);
    expect(reason).toBeInstanceOf(Error);
    expect(warnings).toEqual([expect.stringContaining('has not closed its writer: it takes too long')]);
  });

  it('tells of what was dropped', async () => {
    append(['1']);
    journal.drop(5n);
    const pump = pumpTo();
    await expect.poll(() => warnings).toEqual([expect.stringContaining('5 records have been dropped so far')]);
    journal.drop(2n);
    await finish(pump);
    expect(warnings.at(-1)).toContain('7 records have been dropped so far');
  });

  it('has nothing to do when all was delivered, or the container is gone', async () => {
    journal.end();
    ended.resolve();
    const opened = { times: 0 };
    expect(await pumpTo({}, () => opened.times++).done).toEqual({ pending: 0 });
    rmSync(path);
    expect(await pumpTo({}, () => opened.times++).done).toEqual({ pending: 0 });
    expect(opened.times).toBe(0);
  });
});
