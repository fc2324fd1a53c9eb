import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HakoError } from 'libhako';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Database } from '../../src/core/state/database.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-database-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function failureOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

it('tells what SQLite says in words, and leaves constraints to whoever set them', () => {
  using database = new Database(join(directory, 'hako.db'));
  const insert = () => database.run("INSERT INTO leases (id, purpose, holder) VALUES ('a', 'test', '{}')");
  insert();
  expect(failureOf(insert)).not.toBeInstanceOf(HakoError);
  expect(failureOf(insert)).toMatchObject({ message: expect.stringContaining('UNIQUE') });
  database.run(`PRAGMA max_page_count = ${database.get('PRAGMA page_count')?.['page_count']}`);
  const fill = () => {
    for (let id = 0; id < 100; id++)
      database.run("INSERT INTO leases (id, purpose, holder) VALUES (?, ?, '{}')", String(id), 'x'.repeat(8192));
  };
  expect(failureOf(() => database.transaction(fill))).toMatchObject({ code: 'HAKO_ERR_STATE_UNAVAILABLE' });
  // The transaction is over, and nothing of it is there.
  expect(database.get('SELECT count(*) AS count FROM leases')).toEqual({ count: 1 });
  database.transaction(() => database.run("DELETE FROM leases WHERE id = 'a'"));
  expect(database.get('SELECT count(*) AS count FROM leases')).toEqual({ count: 0 });
});

it('says that it is closed', () => {
  const database = new Database(join(directory, 'hako.db'));
  database[Symbol.dispose]();
  expect(failureOf(() => database.get('SELECT 1'))).toMatchObject({ code: 'HAKO_ERR_RUNTIME_CLOSED' });
  expect(failureOf(() => database.transaction(() => {}))).toMatchObject({ code: 'HAKO_ERR_RUNTIME_CLOSED' });
});

it('says of one that cannot be opened that it is not to be had, not that it is damaged', () => {
  const path = join(directory, 'hako.db');
  mkdirSync(path);
  expect(failureOf(() => new Database(path))).toMatchObject({ code: 'HAKO_ERR_STATE_UNAVAILABLE', path });
});

it('refuses a file that is no database', () => {
  const path = join(directory, 'hako.db');
  writeFileSync(path, 'no database, but long enough to be looked at as one. '.repeat(100));
  expect(failureOf(() => new Database(path))).toMatchObject({ code: 'HAKO_ERR_STATE_CORRUPT', path });
});
