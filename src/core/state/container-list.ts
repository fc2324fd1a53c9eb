import type { ContainerId } from '../../base/ids.ts';
import type { ContainerRecord } from '../../container/record.ts';
import type { Database } from './database.ts';

type Row = Record<string, unknown>;

interface Listed {
  readonly createdAt: number;
  readonly record: ContainerRecord;
}

const columns = 'id, created_at, record, state';

/**
 * All records, the newest first, without reading all of them anew each time: what this process has changed is read by
 * itself, and everything only when another one has changed something.
 */
export class ContainerList {
  readonly #db: Database;
  readonly #read: (row: Row | undefined) => ContainerRecord | null;
  #listed: Listed[] = [];
  /** Of the database as others see it when the list was read; null: it never was. */
  #version: number | null = null;
  readonly #changed = new Set<string>();

  /** @param read - parses a row, or puts it aside and gives null */
  constructor(db: Database, read: (row: Row | undefined) => ContainerRecord | null) {
    this.#db = db;
    this.#read = read;
  }

  /** This process has written, or removed, a record. */
  changed(id: ContainerId): void {
    if (this.#version !== null) this.#changed.add(id);
  }

  records(): readonly ContainerRecord[] {
    // First: what others change from here on is seen the next time.
    const version = this.#db.dataVersion();
    if (version === this.#version) this.#readChanged();
    else this.#readAll();
    this.#changed.clear();
    this.#version = version;
    return this.#listed.map(({ record }) => record);
  }

  #readAll(): void {
    const rows = this.#db.all(`SELECT ${columns} FROM containers ORDER BY created_at DESC, id`);
    this.#listed = rows.map((row) => this.#listedOf(row)).filter((each) => each !== null);
  }

  #readChanged(): void {
    if (this.#changed.size === 0) return;
    this.#listed = this.#listed.filter(({ record }) => !this.#changed.has(record.id));
    for (const id of this.#changed) {
      const listed = this.#listedOf(this.#db.get(`SELECT ${columns} FROM containers WHERE id = ?`, id));
      if (listed !== null) this.#listed.splice(this.#placeOf(listed), 0, listed);
    }
  }

  #listedOf(row: Row | undefined): Listed | null {
    const record = this.#read(row);
    return record === null ? null : { createdAt: Number(row?.['created_at']), record };
  }

  /** The first place whose record comes after this one. */
  #placeOf(listed: Listed): number {
    let [low, high] = [0, this.#listed.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.#listed[middle];
      if (at !== undefined && isBefore(at, listed)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isBefore(one: Listed, other: Listed): boolean {
  return one.createdAt === other.createdAt ? one.record.id < other.record.id : one.createdAt > other.createdAt;
}
