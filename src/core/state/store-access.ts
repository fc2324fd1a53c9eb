import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { HakoError } from '../../base/errors.ts';
import { loadSqlite } from './sqlite.ts';

/** Milliseconds. */
const patience = 10_000;
const betweenLooks = 10;
/** How long it is taken for free that was so when it was last looked at. */
const freeFor = 5;

/**
 * Waits while somebody else has the store to themselves, without holding up the main thread, on which every statement
 * runs. That lasts microseconds with hako's own transactions; a person's sqlite3(1) or a stopped process takes its time.
 */
export class StoreAccess implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  #freeUntil = 0;

  constructor(path: string) {
    this.#path = path;
    const { DatabaseSync } = loadSqlite();
    // A connection that does not wait at all.
    this.#db = new DatabaseSync(path, { timeout: 0 });
  }

  /**
   * Null: it is free now.
   *
   * @throws HakoError `HAKO_ERR_STATE_UNAVAILABLE`, in the promise, when it does not come free
   */
  free(): Promise<void> | null {
    if (performance.now() < this.#freeUntil) return null;
    if (!this.isFree()) return this.#whenFree();
    this.#freeUntil = performance.now() + freeFor;
    return null;
  }

  async #whenFree(): Promise<void> {
    for (let waited = 0; waited < patience; waited += betweenLooks) {
      await sleep(betweenLooks);
      if (this.isFree()) return;
    }
    throw new HakoError(
      'STATE_UNAVAILABLE',
      `The state store ${this.#path} has been kept busy by another process for ${patience / 1000} seconds. End that, and try again.`,
      { path: this.#path },
    );
  }

  isFree(): boolean {
    // One that is closed, or broken, is the next statement's to tell of.
    if (!this.#db.isOpen) return true;
    try {
      this.#db.exec('BEGIN IMMEDIATE; ROLLBACK');
      return true;
    } catch (error) {
      return ((error as { errcode?: number }).errcode ?? 0) % 256 !== SQLITE_BUSY;
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

// sqlite.org/rescode.html
const SQLITE_BUSY = 5;
