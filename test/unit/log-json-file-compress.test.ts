import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compressRotated, removeLeftovers } from '../../plugins/log/json-file/compressor.ts';
import { jsonFileDriver, ProcessLocks } from '../support/json-file-driver.ts';
import { collect, JsonFileLog, textOf } from '../support/json-file-log.ts';

const options = { maxSize: '1k', maxFile: 4, compress: true };
const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
let log: JsonFileLog;
beforeEach(() => {
  log = new JsonFileLog();
});
afterEach(() => log[Symbol.dispose]());

const names = () =>
  readdirSync(log.directory)
    .map((name) => name.replace(`${log.container.id}-json.log`, 'LOG'))
    .sort();
const readAll = async () =>
  (await collect(jsonFileDriver(options).driver.read(log.container, {}, Promise.resolve()))).map(textOf);

describe('compressing rotated files', () => {
  it('compresses all that are not yet, and loses nothing', async () => {
    const { driver, warnings } = jsonFileDriver(options);
    log.write(...lines(1, 100));
    log.rotate(4);
    log.write(...lines(101, 200));
    log.rotate(4);
    log.write(...lines(201, 300));
    await driver.rotated(log.container);
    expect(names()).toEqual(['LOG', 'LOG.1.gz', 'LOG.2.gz', 'log.lock']);
    expect(await readAll()).toEqual(lines(1, 300));
    expect(statSync(`${log.path}.1.gz`).mode & 0o777).toBe(0o640 & ~process.umask());
    expect(warnings).toEqual([]);
    log.rotate(4);
    await driver.rotated(log.container);
    expect(names()).toEqual(['LOG', 'LOG.1.gz', 'LOG.2.gz', 'LOG.3.gz', 'log.lock']);
    expect(await readAll()).toEqual(lines(1, 300));
  });

  it("writes what gzip reads, with Docker's time of the last record in the header", async () => {
    const { driver } = jsonFileDriver(options);
    log.write({ log: 'first\n', time: 1n }, { log: 'last\n', time: 1_451_747_045_100_000_000n });
    const plain = readFileSync(log.path, 'utf8');
    log.rotate(4);
    const { ino } = statSync(`${log.path}.1`);
    await driver.rotated(log.container);
    expect(execFileSync('gzip', ['-dc', `${log.path}.1.gz`], { encoding: 'utf8' })).toBe(plain);
    const bytes = readFileSync(`${log.path}.1.gz`);
    expect(bytes.subarray(0, 10)).toEqual(Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255]));
    expect(bytes.toString('utf8', 12, 12 + bytes.readUInt16LE(10))).toBe(
      `{"lastTime":"2016-01-02T15:04:05.1Z","inode":"${ino}"}`,
    );
  });

  it('compresses a file without a record, too', async () => {
    const { driver, warnings } = jsonFileDriver(options);
    log.raw('noise\n');
    log.rotate(4);
    await driver.rotated(log.container);
    expect(names()).toContain('LOG.1.gz');
    expect(await readAll()).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('finishes what was left undone when a container is started again', async () => {
    const { driver } = jsonFileDriver(options);
    log.write(...lines(1, 100));
    log.rotate(4);
    // Killed between the rename and the unlink: the same file twice.
    await driver.rotated(log.container);
    writeFileSync(`${log.path}.1`, execFileSync('gzip', ['-dc', `${log.path}.1.gz`]));
    log.rotate(4);
    writeFileSync(`${log.path}.1`, '');
    // Killed while it wrote.
    writeFileSync(`${log.path}.0123456789abcdef.tmp`, 'half');
    writeFileSync(join(log.directory, 'other.0123456789abcdef.tmp'), 'not ours');
    expect(await readAll()).toEqual(lines(1, 100));

    const sink = await driver.open(log.container);
    expect(sink).toEqual({
      kind: 'json-file',
      fileName: `${log.container.id}-json.log`,
      maxSize: 1_000,
      maxFiles: 4,
      compress: true,
      attributes: {},
    });
    await driver[Symbol.asyncDispose]();
    expect(names()).toEqual(['LOG', 'LOG.1.gz', 'LOG.2.gz', 'log.lock', 'other.0123456789abcdef.tmp']);
    expect(await readAll()).toEqual(lines(1, 100));
  });

  it('finds its file again when it has been rotated meanwhile', async () => {
    const locks = new ProcessLocks();
    const { driver } = jsonFileDriver(options, locks);
    log.write(...lines(1, 100));
    log.rotate(4);
    const lock = await locks.lock(join(log.directory, 'log.lock'));
    const work = driver.rotated(log.container);
    while (!names().some((name) => name.endsWith('.tmp'))) await new Promise((resolve) => setTimeout(resolve, 1));
    log.write(...lines(101, 200));
    log.rotate(4);
    await lock?.[Symbol.asyncDispose]();
    await work;
    expect(names()).toEqual(['LOG', 'LOG.1', 'LOG.2.gz', 'log.lock']);
    expect(await readAll()).toEqual(lines(1, 200));
  });

  it('gives up on a file that has been rotated away meanwhile', async () => {
    const locks = new ProcessLocks();
    const { driver, warnings } = jsonFileDriver({ ...options, maxFile: 2 }, locks);
    log.write('1');
    log.rotate(2);
    const lock = await locks.lock(join(log.directory, 'log.lock'));
    const work = driver.rotated(log.container);
    while (!names().some((name) => name.endsWith('.tmp'))) await new Promise((resolve) => setTimeout(resolve, 1));
    log.write('2');
    log.rotate(2);
    await lock?.[Symbol.asyncDispose]();
    await work;
    expect(names()).toEqual(['LOG', 'LOG.1', 'log.lock']);
    expect(warnings).toEqual([]);
  });

  it('may run in two processes at once', async () => {
    const locks = new ProcessLocks();
    log.write(...lines(1, 5_000));
    log.rotate(4);
    log.write(...lines(5_001, 10_000));
    log.rotate(4);
    const drivers = [jsonFileDriver(options, locks), jsonFileDriver(options, locks)];
    await Promise.all(drivers.map(({ driver }) => driver.rotated(log.container)));
    expect(drivers.flatMap(({ warnings }) => warnings)).toEqual([]);
    expect(names()).toEqual(['LOG', 'LOG.1.gz', 'LOG.2.gz', 'log.lock']);
    expect(await readAll()).toEqual(lines(1, 10_000));
  });

  it('gives up quietly when somebody has cleaned its work away', async () => {
    const locks = new ProcessLocks();
    const { driver, warnings } = jsonFileDriver(options, locks);
    log.write('1');
    log.rotate(4);
    const lock = await locks.lock(join(log.directory, 'log.lock'));
    const work = driver.rotated(log.container);
    while (!names().some((name) => name.endsWith('.tmp'))) await new Promise((resolve) => setTimeout(resolve, 1));
    await removeLeftovers(log.path);
    await lock?.[Symbol.asyncDispose]();
    await work;
    expect(warnings).toEqual([]);
    expect(names()).toEqual(['LOG', 'LOG.1', 'log.lock']);
  });

  it('stays behind with a warning, and whole, when the disk or the lock refuses', async () => {
    const { driver, warnings } = jsonFileDriver(options, {
      lock: async () => Promise.reject(new Error('no lock here')),
    } as unknown as ProcessLocks);
    log.write('1');
    log.rotate(4);
    await driver.rotated(log.container);
    expect(warnings).toEqual([expect.stringMatching(/could not be compressed.*no lock here/)]);
    expect(names()).toEqual(['LOG', 'LOG.1']);
    expect(await readAll()).toEqual(['1']);
  });

  it('stops, and leaves nothing behind, when the runtime closes', async () => {
    const { driver, abort, locks, warnings } = jsonFileDriver(options);
    log.write('1');
    log.rotate(4);
    const lock = await locks.lock(join(log.directory, 'log.lock'));
    const work = driver.rotated(log.container);
    while (!names().some((name) => name.endsWith('.tmp'))) await new Promise((resolve) => setTimeout(resolve, 1));
    abort.abort(new Error('closed'));
    await lock?.[Symbol.asyncDispose]();
    await work;
    await expect(compressRotated(log.path, 4, locks, abort.signal)).rejects.toThrow('closed');
    expect(warnings).toEqual([]);
    expect(names().filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('says nothing of a log that is removed meanwhile', async () => {
    const gone = `${log.directory}-gone`;
    const real = new ProcessLocks();
    const { driver, warnings } = jsonFileDriver(options, {
      lock: (path: string) => {
        renameSync(log.directory, gone);
        return real.lock(path);
      },
    } as unknown as ProcessLocks);
    log.write('1');
    log.rotate(4);
    await driver.rotated(log.container);
    rmSync(gone, { recursive: true });
    expect(warnings).toEqual([]);
  });

  it('reads on while files are compressed and rotated all the time', async () => {
    const { driver } = jsonFileDriver(options);
    log.write(...lines(1, 100));
    for (let round = 1; round <= 30; round++) {
      log.rotate(4);
      const work = driver.rotated(log.container);
      log.write(...lines(round * 100 + 1, round * 100 + 100));
      const readers = await Promise.all([readAll(), readAll()]);
      await work;
      for (const all of readers) {
        expect(all.at(-1)).toBe(String(round * 100 + 100));
        expect(all).toEqual(lines(round * 100 + 100 - all.length + 1, round * 100 + 100));
        expect(all.length).toBeGreaterThanOrEqual(Math.min(4, round + 1) * 100);
      }
    }
    expect(existsSync(`${log.path}.4`) || existsSync(`${log.path}.4.gz`)).toBe(false);
  });
});
