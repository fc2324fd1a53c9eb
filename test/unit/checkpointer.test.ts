import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Checkpointer } from '../../src/core/state/checkpointer.ts';
import { Database } from '../../src/core/state/database.ts';

const machine = vi.hoisted(() => ({ hasNoThread: false }));
vi.mock(import('node:worker_threads'), async (original) => {
  const { Worker, ...others } = await original();
  class ScarceWorker extends Worker {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      // Node's own, where pthread_create(3) fails.
      if (machine.hasNoThread) throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
      super(...given);
    }
  }
  return { ...others, Worker: ScarceWorker };
});

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-checkpointer-'));
  path = join(directory, 'hako.db');
  warnings = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

const threads = (): number => readdirSync('/proc/self/task').length;
let warnings: string[] = [];
const warn = (message: string): void => void warnings.push(message);

/** So many commits of ten pages or so each. */
function commit(database: Database, count: number): void {
  for (let done = 0; done < count; done++)
    database.run("INSERT INTO leases (id, purpose, holder) VALUES (?, ?, '{}')", randomUUID(), 'x'.repeat(40_000));
}

function autocheckpoint(database: Database): unknown {
  return database.get('PRAGMA wal_autocheckpoint')?.['wal_autocheckpoint'];
}

it('brings commits into the database while no statement does, and ends its thread', async () => {
  using database = new Database(path);
  const before = threads();
  {
    await using _ = new Checkpointer(database, path, warn);
    const empty = statSync(path).size;
    commit(database, 200);
    // More than SQLite by itself lets gather, and none of it moved by this thread.
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(2000 * 4096);
    expect(statSync(path).size).toBe(empty);
    commit(database, 60);
    await expect.poll(() => statSync(path).size, { timeout: 20_000 }).toBeGreaterThan(200 * 40_000);
    expect(threads()).toBe(before + 1);
    // The log begins anew, within its limit.
    const sizeAfterNext = () => {
      commit(database, 1);
      return statSync(`${path}-wal`).size;
    };
    // A checkpoint that others have overtaken is followed by the next one only so many commits later.
    await expect.poll(sizeAfterNext, { timeout: 15_000, interval: 2 }).toBeLessThanOrEqual(4 << 20);
  }
  expect(threads()).toBe(before);
  expect(autocheckpoint(database)).toBe(1000);
  expect(warnings).toEqual([]);
});

it('starts no thread for a few commits', async () => {
  using database = new Database(path);
  const before = threads();
  await using _ = new Checkpointer(database, path, warn);
  commit(database, 100);
  expect(threads()).toBe(before);
});

it('leaves checkpoints to SQLite where the thread cannot work, and says so', async () => {
  using database = new Database(path);
  await using _ = new Checkpointer(database, join(directory, 'absent/hako.db'), warn);
  expect(autocheckpoint(database)).toBe(16_384);
  commit(database, 300);
  await expect.poll(() => autocheckpoint(database), { timeout: 20_000 }).toBe(1000);
  expect(warnings).toEqual([expect.stringContaining('on the main thread')]);
});

it('fails no commit where there can be no thread, and says so', async () => {
  using database = new Database(path);
  await using _ = new Checkpointer(database, path, warn);
  machine.hasNoThread = true;
  expect(() => commit(database, 300)).not.toThrow();
  machine.hasNoThread = false;
  expect(autocheckpoint(database)).toBe(1000);
  expect(warnings).toEqual([expect.stringContaining('on the main thread')]);
});
