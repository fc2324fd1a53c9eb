import { HakoError } from '../../base/errors.ts';
import type { ContainerId } from '../../base/ids.ts';
import { firstFree, type IdRangeRepository } from '../../container/id-ranges.ts';
import type { SubordinateRange } from '../../contracts/host-info.ts';
import type { IdRange } from '../../contracts/isolation.ts';
import type { IdPool } from '../../contracts/privilege-mode.ts';
import type { Database } from './database.ts';

/** `container_id`: the range is free again with the record. */
export const idRangeSchema = `
  CREATE TABLE id_ranges (
    container_id TEXT PRIMARY KEY REFERENCES containers (id) ON DELETE CASCADE,
    start INTEGER NOT NULL,
    size INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** {@link IdRangeRepository} in the state store: one write lock for all processes on the root. */
export class SqliteIdRangeRepository implements IdRangeRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  find(id: ContainerId): IdRange | null {
    const row = this.#db.get('SELECT start, size FROM id_ranges WHERE container_id = ?', id);
    return row === undefined ? null : toRange(row);
  }

  allocate(id: ContainerId, pool: IdPool, others: readonly SubordinateRange[]): IdRange {
    return this.#db.transaction(() => {
      const taken = this.#db.all('SELECT start, size FROM id_ranges').map(toRange);
      const range = firstFree(pool, [...taken, ...others]);
      if (range === null)
        throw new HakoError(
          'IDS_EXHAUSTED',
          `No ${pool.perContainer} ids are free in the pool from ${pool.start} to ${pool.start + pool.size - 1}: ${taken.length} containers have theirs. Remove some, give containers fewer (idsPerContainer), or a larger pool (idPool).`,
        );
      this.#db.run('INSERT INTO id_ranges (container_id, start, size) VALUES (?, ?, ?)', id, range.start, range.size);
      return range;
    });
  }
}

function toRange(row: Record<string, unknown>): IdRange {
  return { start: Number(row['start']), size: Number(row['size']) };
}
