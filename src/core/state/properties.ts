import type { Database } from './database.ts';

/** What is true of a whole root. */
export class Properties {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  get(name: 'storage'): string | null {
    const row = this.#db.get('SELECT value FROM properties WHERE name = ?', name);
    return row === undefined ? null : String(row['value']);
  }

  /** @returns what it is from now on: the first of all processes that settles it decides */
  settle(name: 'storage', value: string): string {
    this.#db.run('INSERT OR IGNORE INTO properties (name, value) VALUES (?, ?)', name, value);
    return this.get(name) ?? value;
  }
}
