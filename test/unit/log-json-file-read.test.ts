import { existsSync, readdirSync, readFileSync, renameSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogQuery } from '../../src/contracts/log-driver.ts';
import { jsonFileDriver } from '../support/json-file-driver.ts';
import { collect, JsonFileLog, recordLine, textOf } from '../support/json-file-log.ts';

const second = 1_000_000_000n;
const start = 1_451_747_045n * second;
let log: JsonFileLog;
beforeEach(() => {
  log = new JsonFileLog();
});
afterEach(() => log[Symbol.dispose]());

const read = async (query: LogQuery = {}, maxFile = 5) =>
  (await collect(jsonFileDriver({ maxFile }).driver.read(log.container, query, new Promise(() => {})))).map(textOf);
const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
const compress = (index: number) => {
  const name = `${log.path}.${index}`;
  writeFileSync(`${name}.gz`, gzipSync(readFileSync(name)));
  unlinkSync(name);
};

/** 1–3 compressed, 4–6 rotated, 7–9 in the file that is written to. */
function writeRotated(): void {
  log.write(...lines(1, 3));
  log.rotate(5);
  compress(1);
  log.write(...lines(4, 6));
  log.rotate(5);
  log.write(...lines(7, 9));
}

describe('reading a json-file log', () => {
  it('reads all files in order', async () => {
    writeRotated();
    expect(await read()).toEqual(lines(1, 9));
  });

  it('gives nothing of a container that has never been started, or never said anything', async () => {
    expect(await read()).toEqual([]);
    expect(await read({ tail: 5 })).toEqual([]);
    log.raw('');
    expect(await read()).toEqual([]);
    expect(await read({ tail: 5, since: 1n })).toEqual([]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1000])(
    'gives the last %d lines, from however many files',
    async (tail) => {
      writeRotated();
      expect(await read({ tail })).toEqual(lines(1, 9).slice(9 - Math.min(9, tail)));
    },
  );

  it('counts the pieces of a long line as one line, also across a rotation', async () => {
    log.write('before', { log: 'a' });
    log.rotate(5);
    log.write({ log: 'b' }, { log: 'c\n' }, 'after');
    expect(await read({ tail: 1 })).toEqual(['after']);
    expect(await read({ tail: 2 })).toEqual(['a', 'b', 'c', 'after']);
    expect(await read({ tail: 3 })).toEqual(['before', 'a', 'b', 'c', 'after']);
    compress(1);
    expect(await read({ tail: 2 })).toEqual(['a', 'b', 'c', 'after']);
    expect(await read({ tail: 1 })).toEqual(['after']);
  });

  it('counts a line that has no end yet', async () => {
    log.write('1', { log: '2a' }, { log: '2b' });
    expect(await read({ tail: 1 })).toEqual(['2a', '2b']);
    log.rotate(5);
    compress(1);
    expect(await read({ tail: 1 })).toEqual(['2a', '2b']);
  });

  it('takes the tail of the stream that is asked for', async () => {
    log.write({ log: 'o1\n' }, { log: 'e1\n', stream: 'stderr' }, { log: 'o2\n' }, { log: 'o3\n' });
    log.rotate(5);
    compress(1);
    log.write({ log: 'o4\n' });
    expect(await read({ stdout: false })).toEqual(['e1']);
    expect(await read({ stderr: false, tail: 2 })).toEqual(['o3', 'o4']);
    expect(await read({ stdout: false, tail: 2 })).toEqual(['e1']);
    expect(await read({ stdout: false, stderr: false })).toEqual([]);
  });

  it('reads a stretch of time, both ends with it, and skips files that are older', async () => {
    const at = (i: number) => ({ log: `${i}\n`, time: start + BigInt(i) * second });
    log.write(at(1), at(2));
    log.rotate(5);
    log.write(at(3), at(4));
    log.rotate(5);
    log.write(at(5), at(6));
    const time = (i: number) => start + BigInt(i) * second;
    expect(await read({ since: time(3) })).toEqual(['3', '4', '5', '6']);
    expect(await read({ since: time(4) + 1n })).toEqual(['5', '6']);
    expect(await read({ until: time(3) })).toEqual(['1', '2', '3']);
    expect(await read({ since: time(2), until: time(5) })).toEqual(['2', '3', '4', '5']);
    expect(await read({ since: time(7) })).toEqual([]);
    expect(await read({ until: time(5), tail: 2 })).toEqual(['4', '5']);
    expect(await read({ since: time(4), tail: 2 })).toEqual(['5', '6']);
    expect(await read({ since: time(6), tail: 4 })).toEqual(['6']);
  });

  it("keeps Docker's order when the clock was put back", async () => {
    const records = [-30, -20, -15, -10, -90].map((minutes, index) => ({
      log: `${index}\n`,
      time: start + BigInt(minutes * 60) * second,
    }));
    log.write(...records);
    expect(await read({ since: start - 1_200n * second })).toEqual(['1', '2', '3', '4']);
    expect(await read({ until: start - 1_000n * second })).toEqual(['0', '1']);
    expect(await read({ since: start - 1_200n * second, tail: 2 })).toEqual(['3', '4']);
  });

  it('passes over damage, wherever it is', async () => {
    log.raw(Buffer.alloc(100_000));
    log.write('1');
    log.raw('\u0000noise\n{"log":"half');
    log.write('2');
    log.rotate(5);
    log.raw('{"log":"cut off');
    log.rotate(5);
    log.write('3');
    log.raw(recordLine({ log: '4\n' }).trimEnd());
    expect(await read()).toEqual(['1', '2', '3', '4']);
    for (const tail of [1, 2, 3, 4, 5]) expect(await read({ tail })).toEqual(lines(1, 4).slice(-tail));
  });

  it('gives what can be had of a compressed file that is damaged', async () => {
    log.write(...lines(1, 20_000));
    log.rotate(5);
    compress(1);
    truncateSync(`${log.path}.1.gz`, 30_000);
    log.write('last');
    const all = await read();
    expect(all.length).toBeGreaterThan(1_000);
    expect(all).toEqual([...lines(1, all.length - 1), 'last']);
    expect((await read({ tail: 2 })).at(-1)).toBe('last');
    writeFileSync(`${log.path}.1.gz`, 'not gzip at all');
    expect(await read()).toEqual(['last']);
  });

  it('reads what was there when it began, and no more', async () => {
    log.write(...lines(1, 3));
    const seen: string[] = [];
    for await (const entry of jsonFileDriver().driver.read(log.container, {}, Promise.resolve())) {
      seen.push(textOf(entry));
      log.write('later');
    }
    expect(seen).toEqual(lines(1, 3));
  });

  it('finds no more and no less while files are rotated under it', async () => {
    log.write(...lines(1, 2));
    for (const step of lines(3, 40)) {
      log.rotate(5);
      log.write(step);
      const seen = await Promise.all([read(), read({ tail: 3 })]);
      const all = seen[0] ?? [];
      expect(all).toEqual(lines(Number(step) - all.length + 1, Number(step)));
      expect(all.length).toBeGreaterThanOrEqual(Math.min(5, Number(step)));
      expect(seen[1]).toEqual(lines(Number(step) - 2, Number(step)));
    }
  });

  it('follows no symbolic link', async () => {
    log.write('1');
    renameSync(log.path, `${log.path}.elsewhere`);
    const { symlinkSync } = await import('node:fs');
    symlinkSync(`${log.path}.elsewhere`, log.path);
    await expect(read()).rejects.toThrow(/ELOOP/);
  });

  it('stops with the reason of the signal', async () => {
    log.write(...lines(1, 50_000));
    const abort = new AbortController();
    const reason = new Error('enough');
    const entries = jsonFileDriver().driver.read(log.container, {}, Promise.resolve(), { signal: abort.signal });
    await expect(
      (async () => {
        for await (const entry of entries) if (textOf(entry) === '100') abort.abort(reason);
      })(),
    ).rejects.toBe(reason);
    await expect(
      collect(
        jsonFileDriver().driver.read(log.container, {}, Promise.resolve(), { signal: AbortSignal.abort(reason) }),
      ),
    ).rejects.toBe(reason);
  });

  it('closes its files, whether it is read to the end or left', async () => {
    writeRotated();
    const open = () => readdirSync('/proc/self/fd').filter((fd) => existsSync(`/proc/self/fd/${fd}`)).length;
    const readInEveryWay = async () => {
      await read();
      await read({ tail: 5 });
      for await (const _ of jsonFileDriver({ maxFile: 5 }).driver.read(
        log.container,
        { follow: true },
        new Promise(() => {}),
      ))
        break;
    };
    // The first watch opens a descriptor that Node keeps for all.
    await readInEveryWay();
    const before = open();
    for (let round = 0; round < 20; round++) await readInEveryWay();
    expect(open()).toBe(before);
  });

  it('gives the same for any tail as the end of the whole', async () => {
    const record = fc.record({
      log: fc.constantFrom('a\n', 'b\n', 'c', 'd'),
      stream: fc.constantFrom('stdout' as const, 'stderr' as const),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(record, { maxLength: 6 }), fc.boolean()), { minLength: 1, maxLength: 4 }),
        fc.nat(12),
        async (files, tail) => {
          using own = new JsonFileLog();
          for (const [index, [records, isCompressed]] of files.entries()) {
            if (index > 0) own.rotate(5);
            own.write(...records);
            if (index > 0 && isCompressed) {
              writeFileSync(`${own.path}.1.gz`, gzipSync(readFileSync(`${own.path}.1`)));
              unlinkSync(`${own.path}.1`);
            }
          }
          const { driver } = jsonFileDriver({ maxFile: 5 });
          const all = await collect(driver.read(own.container, {}, Promise.resolve()));
          const some = await collect(driver.read(own.container, { tail }, Promise.resolve()));
          expect(some).toEqual(all.slice(all.length - some.length));
          const ends = some.filter((entry) => !entry.partial).length + (some.at(-1)?.partial === true ? 1 : 0);
          expect(ends).toBe(
            Math.min(tail, all.filter((entry) => !entry.partial).length + (all.at(-1)?.partial === true ? 1 : 0)),
          );
          if (some.length < all.length && some.length > 0)
            expect(all[all.length - some.length - 1]?.partial).toBe(false);
        },
      ),
      { numRuns: 150 },
    );
  });
});
