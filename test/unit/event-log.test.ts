import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Database } from '../../src/core/state/database.ts';
import { EventLog } from '../../src/core/state/event-log.ts';
import { Quarantine } from '../../src/core/state/quarantine.ts';

let directory = '';
let database: Database;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-events-'));
  database = new Database(join(directory, 'hako.db'));
});
afterEach(() => {
  database[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

const insertContainer = (record: string, state: string) =>
  database.run("INSERT INTO containers VALUES ('c1', 'name', 1, 'image', ?, ?)", record, state);

it('remembers a bounded number of events, the newest', () => {
  using log = new EventLog(database, () => {});
  for (let at = 0; at < 9_000; at++) log.record({ type: 'image', action: 'import', id: String(at), name: '' });
  const last = log.lastSequence();
  expect(last).toBe(9_000);
  const kept = log.after(0, 0, 20_000);
  expect(kept.length).toBeLessThanOrEqual(8192 + 256);
  expect(kept.length).toBeGreaterThanOrEqual(8192);
  expect(kept.at(-1)).toMatchObject({ id: '8999', sequence: 9_000 });
});

it('writes what waits before the change that comes after it', () => {
  insertContainer('{"image":{"name":"app"},"options":{"labels":{"a":"1"}}}', '{"status":"created"}');
  using log = new EventLog(database, () => {});
  log.record({ type: 'container', action: 'kill', id: 'c1', name: 'name', attributes: { signal: '9' } });
  const set = (status: string) =>
    database.run('UPDATE containers SET state = ?', JSON.stringify({ status, exitCode: 0 }));
  log.before(() => set('starting'));
  log.before(() => set('running'));
  log.before(() => set('exited'));
  expect(log.after(0, 0, 10).map(({ action }) => action)).toEqual(['create', 'kill', 'start', 'die']);
  expect(log.after(3, 0, 10)).toMatchObject([
    { id: 'c1', name: 'name', image: 'app', labels: { a: '1' }, attributes: { exitCode: '0' } },
  ]);
});

it('keeps events whose transaction has come to nothing, once and in order', () => {
  insertContainer('{}', '{"status":"created"}');
  using log = new EventLog(database, (message) => expect.fail(message));
  const record = (id: string) => log.record({ type: 'image', action: 'import', id, name: '' });
  const insertAgain = () => insertContainer('{}', '{"status":"created"}');
  for (const id of ['1', '2']) record(id);
  expect(() => log.before(insertAgain)).toThrow('UNIQUE');
  record('3');
  const outer = () =>
    database.transaction(() => {
      log.before(() => database.run("UPDATE containers SET name = 'other'"));
      throw new Error('on second thoughts');
    });
  expect(outer).toThrow('on second thoughts');
  record('4');
  log.lastSequence();
  const kept = log.after(0, 0, 10).filter(({ type }) => type === 'image');
  expect(kept.map(({ id }) => id)).toEqual(['1', '2', '3', '4']);
});

it('says what could not be recorded, and goes on', () => {
  const warn = vi.fn();
  using log = new EventLog(database, warn);
  database.run('ALTER TABLE events RENAME TO elsewhere');
  log.record({ type: 'image', action: 'import', id: '1', name: '' });
  expect(() => log.lastSequence()).toThrow();
  expect(warn).toHaveBeenCalledOnce();
  database.run('ALTER TABLE elsewhere RENAME TO events');
  log.record({ type: 'image', action: 'import', id: '2', name: '' });
  expect(log.lastSequence()).toBe(1);
});

it('lets a record that does not read be put aside', () => {
  insertContainer('{}', '{"status":"created"}');
  for (const broken of ['record', 'state']) {
    database.run(`UPDATE containers SET ${broken} = 'no JSON'`);
    new Quarantine(database, () => {}).take('containers', { id: 'c1' }, new Error('unreadable'));
    expect(database.get('SELECT count(*) AS count FROM containers')).toEqual({ count: 0 });
    insertContainer('{}', '{"status":"removing"}');
  }
});
