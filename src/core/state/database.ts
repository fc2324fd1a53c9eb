import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { HakoError } from '../../base/errors.ts';
import { migrations } from './migrations.ts';

/** How long a statement waits for another process's write before it gives up, in milliseconds. */
const busyTimeout = 10_000;

/**
 * The state store: SQLite in WAL mode, so that several processes read and write one root at once.
 *
 * `synchronous` is NORMAL: a crash of the process loses nothing, a power cut may lose the last transactions but
 * never the database's integrity (sqlite.org/wal.html). That suits what is kept here: after a reboot no container
 * runs, and images are re-read from their own fsynced files.
 */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @throws HakoError `HAKO_ERR_STATE_CORRUPT`, `HAKO_ERR_STATE_TOO_NEW` */
  constructor(path: string) {
    try {
      // Records hold environments, and so secrets. SQLite gives its other files the mode of this one.
      closeSync(openSync(path, constants.O_CREAT | constants.O_RDWR, 0o600));
      chmodSync(path, 0o600);
      this.#db = new DatabaseSync(path);
      this.#db.exec(
        `PRAGMA busy_timeout = ${busyTimeout}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON`,
      );
    } catch (cause) {
      throw new HakoError(
        'STATE_CORRUPT',
        `The state store ${path} cannot be opened: ${(cause as Error).message}. Move the file away to start with an empty one.`,
        {
          cause,
          path,
        },
      );
    }
    this.#migrate(path);
  }

  /** Prepared once and kept: the store is on the path of every start. */
  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  get(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#statement(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#statement(sql).all(...values);
  }

  /** Runs `body` as one write transaction, or as part of the one that is open; it must not wait for anything. */
  transaction<T>(body: () => T): T {
    if (this.#db.isTransaction) return body();
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = body();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #version(): number {
    return Number(this.#db.prepare('PRAGMA user_version').get()?.['user_version']);
  }

  #migrate(path: string): void {
    if (this.#version() > migrations.length) {
      throw new HakoError(
        'STATE_TOO_NEW',
        `The state store ${path} was written by a newer hako (schema ${this.#version()}, this one knows ${migrations.length}). Upgrade libhako.`,
        {
          path,
        },
      );
    }
    if (this.#version() === migrations.length) return;
    this.transaction(() => {
      // Read again under the lock: another process may have migrated meanwhile.
      for (let version = this.#version(); version < migrations.length; version++) {
        this.#db.exec(migrations[version] ?? '');
        this.#db.exec(`PRAGMA user_version = ${version + 1}`);
      }
    });
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#db.close();
  }
}
