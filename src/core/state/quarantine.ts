import type { QuarantinedRecords } from '../../container/quarantined.ts';
import type { QuarantinedRecord } from '../info.ts';
import type { Database } from './database.ts';

const ofContainers = (statement: string): string => `${statement} quarantine WHERE kind = 'containers' AND id = ?`;

/** Where records go that do not read: kept for a person to look at, out of everybody's way. */
export class Quarantine implements QuarantinedRecords {
  readonly #db: Database;
  readonly #warn: (message: string) => void;

  constructor(db: Database, warn: (message: string) => void) {
    this.#db = db;
    this.#warn = warn;
  }

  /** Puts the row of `table` with this id aside, and tells the runtime's user. */
  take(table: 'containers' | 'images', row: Readonly<Record<string, unknown>>, error: unknown): void {
    const id = String(row['id']);
    const reason = (error as Error).message;
    this.#db.transaction(() => {
      this.#db.run(
        'INSERT INTO quarantine (kind, id, content, reason, found_at) VALUES (?, ?, ?, ?, ?)',
        table,
        id,
        JSON.stringify(row),
        reason,
        Date.now(),
      );
      this.#db.run(`DELETE FROM ${table} WHERE id = ?`, id);
    });
    this.#warn(
      `The record ${id} of ${table} cannot be read and was put aside (table quarantine of the state store): ${reason}`,
    );
  }

  /** Of containers. */
  find(id: string): unknown {
    const row = this.#db.get(`${ofContainers('SELECT content FROM')} ORDER BY found_at DESC LIMIT 1`, id);
    return row === undefined ? null : JSON.parse(String(row['content']));
  }

  forget(id: string): void {
    this.#db.run(ofContainers('DELETE FROM'), id);
  }

  /** What has been put aside, the latest first. */
  list(): readonly QuarantinedRecord[] {
    return this.#db
      .all('SELECT kind, id, reason, found_at FROM quarantine ORDER BY found_at DESC')
      .map(({ kind, id, reason, found_at }) => ({
        kind: kind === 'images' ? 'image' : 'container',
        id: String(id),
        reason: String(reason),
        foundAt: new Date(Number(found_at)),
      }));
  }
}
