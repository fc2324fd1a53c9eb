import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { HakoError, hasHakoCode } from '../../base/errors.ts';
import { runtimeClosed } from '../closed.ts';
import { migrations } from './migrations.ts';
import { Reserve } from './reserve.ts';
import { loadSqlite } from './sqlite.ts';

// Primary result codes (sqlite.org/rescode.html).
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;

/** Pages of the write-ahead log from which on a commit makes a checkpoint: SQLite's own, and where somebody else sees to it. */
const checkpointAt = { alone: 1000, helped: 16_384 };

/** The write-ahead log's file is cut down to it when it begins anew, in bytes. */
const logSizeLimit = 4 << 20;

/** How long a statement waits for another process's write, on the main thread, in milliseconds. See StoreAccess. */
const busyTimeout = 1_000;

/**
 * The state store: SQLite in WAL mode, so that several processes read and write one root at once.
 *
 * `synchronous` is NORMAL: a crash of the process loses nothing, a power cut may lose the last transactions but
 * never the database's integrity (sqlite.org/wal.html). That suits what is kept here: after a reboot no container
 * runs, and images are re-read from their own fsynced files.
 */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #reserve: Reserve;
  #isReserveGiven = false;
  readonly #statements = new Map<string, StatementSync>();
  /** What is to be taken back with the open transaction. */
  #undone: (() => void)[] = [];
  #committed: (() => void) | null = null;

  /** @throws HakoError `HAKO_ERR_STATE_CORRUPT`, `HAKO_ERR_STATE_TOO_NEW`, `HAKO_ERR_STATE_UNAVAILABLE` */
  constructor(path: string) {
    const { DatabaseSync } = loadSqlite();
    try {
      // Records hold environments, and so secrets. SQLite gives its other files the mode of this one.
      closeSync(openSync(path, constants.O_CREAT | constants.O_RDWR, 0o600));
      chmodSync(path, 0o600);
      this.#db = new DatabaseSync(path);
    } catch (cause) {
      throw unusable(path, cause);
    }
    this.#path = path;
    this.#reserve = new Reserve(`${path}.reserve`);
    this.#reserve.fill();
    try {
      this.#db.exec(
        `PRAGMA busy_timeout = ${busyTimeout}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = ${logSizeLimit}`,
      );
      this.#migrate(path);
    } catch (cause) {
      this.#db.close();
      if (cause instanceof HakoError) throw cause;
      throw unusable(path, cause);
    }
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
    const changes = this.#told(() => Number(this.#statement(sql).run(...values).changes));
    if (changes > 0 && !this.#db.isTransaction) this.#committed?.();
    return changes;
  }

  get(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#told(() => this.#statement(sql).get(...values));
  }

  /** Changes whenever another connection, of this process or another, has committed a change. */
  dataVersion(): number {
    return Number(this.get('PRAGMA data_version')?.['data_version']);
  }

  all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#told(() => this.#statement(sql).all(...values));
  }

  /** SQLite's own failures in words; that of a constraint is for whoever set it. */
  #told<T>(query: () => T): T {
    if (!this.#db.isOpen) throw runtimeClosed();
    try {
      return query();
    } catch (cause) {
      const { code, errcode } = cause as { code?: string; errcode?: number };
      if (code !== 'ERR_SQLITE_ERROR' || primary(errcode) === SQLITE_CONSTRAINT) throw cause;
      throw unusable(this.#path, cause);
    }
  }

  /** A write that has to be possible on a full disk, because it is what room is made by: see {@link Reserve}. */
  vital<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      if (this.#db.isTransaction || !hasHakoCode(error, 'HAKO_ERR_STATE_UNAVAILABLE')) throw error;
      this.#reserve.give();
      this.#isReserveGiven = true;
      return write();
    }
  }

  /** Something was removed from the disk: what {@link vital} has taken of the reserve is put back. */
  madeRoom(): void {
    if (this.#isReserveGiven) this.#isReserveGiven = !this.#reserve.fill();
  }

  /** Runs `body` as one write transaction, or as part of the one that is open; it must not wait for anything. */
  transaction<T>(body: () => T): T {
    if (this.#db.isOpen && this.#db.isTransaction) return body();
    this.#told(() => this.#db.exec('BEGIN IMMEDIATE'));
    try {
      const result = body();
      this.#told(() => this.#db.exec('COMMIT'));
      this.#undone = [];
      this.#committed?.();
      return result;
    } catch (error) {
      // Some failures, a full disk among them, have rolled back by themselves.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      for (const undo of this.#undone.splice(0)) undo();
      throw error;
    }
  }

  /** Calls `undo` if the open transaction, however many bodies it is made of, comes to nothing. */
  onRollback(undo: () => void): void {
    this.#undone.push(undo);
  }

  /** @param committed - told of each commit by whoever sees to checkpoints, unless they fall far behind; null: nobody does */
  leaveCheckpointsTo(committed: (() => void) | null): void {
    if (!this.#db.isOpen) return;
    this.#committed = committed;
    this.#db.exec(`PRAGMA wal_autocheckpoint = ${committed === null ? checkpointAt.alone : checkpointAt.helped}`);
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

/** An extended code says in its upper bytes which kind of the primary one it is. */
function primary(errcode: number | undefined): number | undefined {
  return errcode === undefined ? undefined : errcode & 0xff;
}

function unusable(path: string, cause: unknown): HakoError {
  const { message, errcode } = cause as { message: string; errcode?: number };
  const details = { cause, path };
  switch (primary(errcode)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return new HakoError(
        'STATE_UNAVAILABLE',
        `The state store ${path} is kept busy by another process: ${message}. Try again.`,
        details,
      );
    case SQLITE_FULL:
      return new HakoError(
        'STATE_UNAVAILABLE',
        `The state store ${path} cannot be written: ${message}. Make room on its disk and try again.`,
        details,
      );
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new HakoError(
        'STATE_CORRUPT',
        `The state store ${path} cannot be used: ${message}. If its disk is sound, move the file away to start with an empty one.`,
        details,
      );
    // It may be whole: SQLite says of a disk that is full, too, that it cannot read or write.
    default:
      return new HakoError(
        'STATE_UNAVAILABLE',
        `The state store ${path} cannot be used: ${message}. Look at its disk (room, rights, errors), and try again.`,
        details,
      );
  }
}
