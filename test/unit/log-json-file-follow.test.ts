import { renameSync, truncateSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogEntry, LogQuery } from '../../src/contracts/log-driver.ts';
import { jsonFileDriver } from '../support/json-file-driver.ts';
import { JsonFileLog, recordLine, textOf } from '../support/json-file-log.ts';

let log: JsonFileLog;
beforeEach(() => {
  log = new JsonFileLog();
});
afterEach(() => log[Symbol.dispose]());

const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

/** Follows the log in the background, and keeps what came. */
class Follower {
  readonly seen: string[] = [];
  readonly warnings: string[];
  readonly done: Promise<void>;
  readonly #ended = Promise.withResolvers<void>();

  constructor({
    maxFile = 5,
    signal,
    onEntry,
    ...query
  }: LogQuery & { maxFile?: number; signal?: AbortSignal; onEntry?: (entry: LogEntry) => unknown } = {}) {
    const { driver, warnings } = jsonFileDriver({ maxFile });
    this.warnings = warnings;
    this.done = (async () => {
      for await (const entry of driver.read(
        log.container,
        { follow: true, ...query },
        this.#ended.promise,
        signal === undefined ? {} : { signal },
      )) {
        this.seen.push(textOf(entry));
        await onEntry?.(entry);
      }
    })();
    this.done.catch(() => {});
  }

  /** Waits until so many lines have come. */
  async until(count: number): Promise<readonly string[]> {
    for (const end = Date.now() + 5_000; this.seen.length < count && Date.now() < end; ) await sleep(2);
    return this.seen;
  }

  async end(): Promise<readonly string[]> {
    this.#ended.resolve();
    await this.done;
    return this.seen;
  }
}

describe('following a json-file log', () => {
  it('goes on with what is written, and ends after the last byte', async () => {
    log.write(...lines(1, 2));
    const follower = new Follower();
    expect(await follower.until(2)).toEqual(lines(1, 2));
    log.write('3');
    expect(await follower.until(3)).toEqual(lines(1, 3));
    log.write(...lines(4, 1000));
    expect(await follower.end()).toEqual(lines(1, 1000));
  });

  it('waits for a log that is not there yet', async () => {
    const follower = new Follower();
    await sleep(20);
    log.write('1');
    expect(await follower.until(1)).toEqual(['1']);
    expect(await follower.end()).toEqual(['1']);
  });

  it('ends when the container has ended without a word', async () => {
    expect(await new Follower().end()).toEqual([]);
  });

  it.each([0, 1, 2, 9])('begins with the last %d lines', async (tail) => {
    log.write(...lines(1, 3));
    const follower = new Follower({ tail });
    await sleep(30);
    log.write(...lines(4, 5));
    expect(await follower.end()).toEqual(lines(1, 5).slice(3 - Math.min(3, tail)));
  });

  it('gives no half of a record', async () => {
    const follower = new Follower();
    const record = recordLine({ log: 'whole\n' });
    for (const [index, byte] of [...Buffer.from(record)].entries()) {
      log.raw(Uint8Array.of(byte));
      if (index % 20 === 0) await sleep(2);
      if (index < record.length - 2) expect(follower.seen).toEqual([]);
    }
    expect(await follower.until(1)).toEqual(['whole']);
    log.raw(recordLine({ log: 'without newline\n' }).trimEnd());
    expect(await follower.end()).toEqual(['whole', 'without newline']);
  });

  it.each([1, 2, 3, 5])('crosses rotations without a gap when %d files are kept', async (maxFile) => {
    const follower = new Follower({ maxFile });
    for (let round = 0; round < 40; round++) {
      log.write(...lines(round * 10 + 1, round * 10 + 10));
      await follower.until(round * 10 + (round % 3 === 0 ? 10 : 1));
      log.rotate(maxFile);
      if (round % 2 === 0) await sleep(1);
    }
    expect(await follower.end()).toEqual(lines(1, 400));
    expect(follower.warnings).toEqual([]);
  });

  it('finds several rotations at once, as long as the files are kept', async () => {
    const hold = Promise.withResolvers<void>();
    const follower = new Follower({
      maxFile: 5,
      onEntry: (entry) => (textOf(entry) === '1' ? hold.promise : undefined),
    });
    log.write('1');
    await follower.until(1);
    for (let round = 2; round <= 4; round++) {
      log.rotate(5);
      log.write(String(round));
    }
    hold.resolve();
    expect(await follower.end()).toEqual(lines(1, 4));
  });

  it('holds on to files that are rotated away while its reader is busy', async () => {
    const hold = Promise.withResolvers<void>();
    const follower = new Follower({
      maxFile: 1,
      onEntry: (entry) => (textOf(entry) === '1' ? hold.promise : undefined),
    });
    log.write('1');
    await follower.until(1);
    for (let round = 2; round <= 8; round++) {
      log.rotate(1);
      log.write(String(round));
      await sleep(100);
    }
    hold.resolve();
    expect(await follower.end()).toEqual(lines(1, 8));
  });

  it('crosses rotations that are compressed before it comes to them', async () => {
    const { driver } = jsonFileDriver({ maxFile: 5, maxSize: '1k', compress: true });
    const follower = new Follower({ maxFile: 5 });
    for (let round = 0; round < 12; round++) {
      log.write(...lines(round * 10 + 1, round * 10 + 10));
      await follower.until(round * 10 + 1);
      log.rotate(5);
      await driver.rotated(log.container);
    }
    expect(await follower.end()).toEqual(lines(1, 120));
    expect(follower.warnings).toEqual([]);
  });

  it('finds its place behind a compressed file that it had read when it was none', async () => {
    const { driver } = jsonFileDriver({ maxFile: 5, maxSize: '1k', compress: true });
    const hold = Promise.withResolvers<void>();
    const follower = new Follower({
      maxFile: 5,
      onEntry: (entry) => (textOf(entry) === '2' ? hold.promise : undefined),
    });
    log.write('1', '2');
    await follower.until(2);
    // All of it before the watch can tell of the first: the next file is looked for only afterwards.
    log.rotate(5);
    log.write('3');
    log.rotate(5);
    log.write('4');
    const compressed = driver.rotated(log.container);
    hold.resolve();
    await compressed;
    expect(await follower.end()).toEqual(lines(1, 4));
  });

  it('says so when more was rotated away than it could hold', async () => {
    const hold = Promise.withResolvers<void>();
    const follower = new Follower({
      maxFile: 2,
      onEntry: (entry) => (textOf(entry) === '1' ? hold.promise : undefined),
    });
    log.write('1');
    await follower.until(1);
    for (let round = 2; round <= 9; round++) {
      log.rotate(2);
      log.write(String(round));
    }
    hold.resolve();
    const seen = await follower.end();
    expect(seen[0]).toBe('1');
    expect(seen.slice(-2)).toEqual(['8', '9']);
    expect(follower.warnings).toEqual([expect.stringContaining('rotated faster than it was read')]);
  });

  it('gives nothing twice when somebody else has taken the file that it had', async () => {
    log.write('1');
    log.rotate(5);
    await sleep(20);
    log.write('2');
    log.rotate(5);
    await sleep(20);
    log.write('3');
    const follower = new Follower();
    await follower.until(3);
    renameSync(log.path, `${log.path}-20260801`);
    await sleep(20);
    log.write('4');
    expect(await follower.end()).toEqual(lines(1, 4));
    expect(follower.warnings).toEqual([expect.stringContaining('rotated faster')]);
  });

  it('goes on after somebody has cut the file off', async () => {
    const follower = new Follower();
    log.write(...lines(1, 3));
    await follower.until(3);
    truncateSync(log.path, 0);
    log.write('4');
    expect(await follower.until(4)).toEqual(lines(1, 4));
    expect(await follower.end()).toEqual(lines(1, 4));
  });

  it('notices a cut even if the file has grown past its place again', async () => {
    const follower = new Follower();
    log.write({ log: '1\n', time: 1n });
    await follower.until(1);
    // In one go: there is no moment at which the file is shorter.
    writeFileSync(
      log.path,
      ['2', '3', '4'].map((text, index) => recordLine({ log: `${text}\n`, time: BigInt(index + 2) })).join(''),
    );
    expect(await follower.until(4)).toEqual(lines(1, 4));
    expect(await follower.end()).toEqual(lines(1, 4));
  });

  it('goes on where a writer without O_APPEND has left a hole', async () => {
    const follower = new Follower();
    log.write('1');
    await follower.until(1);
    truncateSync(log.path, 0);
    truncateSync(log.path, 200_000);
    log.write('2');
    expect(await follower.until(2)).toEqual(['1', '2']);
    expect(await follower.end()).toEqual(['1', '2']);
  });

  it('goes on after the supervisor has cut a torn record off', async () => {
    const follower = new Follower();
    log.write('1');
    const whole = recordLine({ log: '1\n' }).length;
    log.raw('{"log":"torn');
    await follower.until(1);
    await sleep(20);
    truncateSync(log.path, whole);
    log.write('2');
    expect(await follower.end()).toEqual(['1', '2']);
  });

  it('goes on with a file that somebody has put in its place', async () => {
    const follower = new Follower();
    log.write('1');
    await follower.until(1);
    writeFileSync(`${log.path}.other`, recordLine({ log: '2\n' }));
    renameSync(`${log.path}.other`, log.path);
    expect(await follower.end()).toEqual(['1', '2']);
  });

  it('ends with the reason of the signal, while it waits', async () => {
    const abort = new AbortController();
    const follower = new Follower({ signal: abort.signal });
    log.write('1');
    await follower.until(1);
    const reason = new Error('enough');
    const before = performance.now();
    abort.abort(reason);
    await expect(follower.done).rejects.toBe(reason);
    expect(performance.now() - before).toBeLessThan(500);
  });

  it('ends at `until`, whether something is written or not', async () => {
    const until = BigInt(Date.now() + 300) * 1_000_000n;
    const follower = new Follower({ until });
    log.write({ log: '1\n', time: until - 1n });
    const before = Date.now();
    await follower.done;
    expect(follower.seen).toEqual(['1']);
    expect(Date.now() - before).toBeLessThan(2_000);

    const other = new Follower({ until: BigInt(Date.now() + 60_000) * 1_000_000n });
    log.write({ log: '2\n', time: BigInt(Date.now() + 61_000) * 1_000_000n });
    await other.done;
    expect(other.seen).toEqual(['1']);
  });

  it('begins at `since`', async () => {
    log.write({ log: '1\n', time: 1n });
    const follower = new Follower({ since: 3n });
    log.write({ log: '2\n', time: 2n });
    log.write({ log: '3\n', time: 3n });
    expect(await follower.until(1)).toEqual(['3']);
    log.rotate(5);
    log.write({ log: '4\n', time: 4n });
    expect(await follower.end()).toEqual(['3', '4']);
  });

  it('serves several readers at once', async () => {
    const followers = Array.from({ length: 8 }, (_, index) => new Follower({ maxFile: 1 + (index % 3) }));
    for (let round = 0; round < 20; round++) {
      log.write(...lines(round * 5 + 1, round * 5 + 5));
      await Promise.all(followers.map((follower) => follower.until(round * 5 + 5)));
      log.rotate(1);
    }
    for (const follower of followers) expect(await follower.end()).toEqual(lines(1, 100));
  });
});
