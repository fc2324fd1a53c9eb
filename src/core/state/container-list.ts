import { Breather } from '../../base/breather.ts';
import type { ContainerId } from '../../base/ids.ts';
import type { ContainerRecord } from '../../container/record.ts';
import type { Database } from './database.ts';

type Row = Record<string, unknown>;

interface Listed {
  readonly createdAt: number;
  readonly record: ContainerRecord;
}

/** Rows that are read at a time. */
const slice = 50;

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
  #reading: Promise<void> | undefined;
  /** What this process has changed since the reading began. */
  #during: Set<string> | undefined;

  /** @param read - parses a row, or puts it aside and gives null */
  constructor(db: Database, read: (row: Row | undefined) => ContainerRecord | null) {
    this.#db = db;
    this.#read = read;
  }

  /** This process has written, or removed, a record. */
  changed(id: ContainerId): void {
    if (this.#version !== null) this.#changed.add(id);
    this.#during?.add(id);
  }

  /** What there was when this was called, and what there is by now. */
  async records(): Promise<readonly ContainerRecord[]> {
    // It may have passed by what was changed before this call.
    while (this.#reading !== undefined) await this.#reading.catch(() => {});
    // First: what others change from here on is seen the next time.
    const version = this.#db.dataVersion();
    if (version !== this.#version) {
      this.#reading = this.#readAll(version);
      try {
        await this.#reading;
      } finally {
        this.#reading = undefined;
      }
    }
    this.#readChanged(this.#changed);
    return this.#listed.map(({ record }) => record);
  }

  /** In slices: ten thousand records are half a second's work. */
  async #readAll(version: number): Promise<void> {
    const breather = new Breather();
    const during = new Set<string>();
    this.#during = during;
    const listed: Listed[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const rows = this.#db.all(`SELECT ${columns} FROM containers WHERE id > ? ORDER BY id LIMIT ${slice}`, after);
      for (const row of rows) {
        const each = this.#listedOf(row);
        if (each !== null) listed.push(each);
      }
      after = rows.length < slice ? null : String(rows.at(-1)?.['id']);
      if (breather.isDue) await breather.pause();
    }
    // To order them takes a turn of its own, and what is made of them another.
    await breather.pause();
    this.#listed = listed.sort((one, other) => (isBefore(one, other) ? -1 : 1));
    this.#version = version;
    this.#during = undefined;
    this.#changed.clear();
    this.#readChanged(during);
    await breather.pause();
  }

  #readChanged(changed: Set<string>): void {
    if (changed.size === 0) return;
    this.#listed = this.#listed.filter(({ record }) => !changed.has(record.id));
    for (const id of changed) {
      const listed = this.#listedOf(this.#db.get(`SELECT ${columns} FROM containers WHERE id = ?`, id));
      if (listed !== null) this.#listed.splice(this.#placeOf(listed), 0, listed);
    }
    changed.clear();
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
