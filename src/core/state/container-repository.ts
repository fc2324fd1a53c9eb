import { isDeepStrictEqual } from 'node:util';
import { HakoError } from '../../base/errors.ts';
import type { ContainerId } from '../../base/ids.ts';
import {
  type ContainerRecord,
  isSameRun,
  type SettledRecord,
  settledSchema,
  stateSchema,
} from '../../container/record.ts';
import type { ContainerOutline, ContainerRepository } from '../../container/repository.ts';
import { ContainerList } from './container-list.ts';
import type { Database } from './database.ts';
import type { EventLog } from './event-log.ts';
import type { Quarantine } from './quarantine.ts';

/** Records kept parsed; more than one machine has. What is over that is parsed each time. */
const parsedLimit = 20_000;

interface Parsed {
  readonly text: string;
  readonly settled: SettledRecord;
  readonly stateText: string;
  readonly record: ContainerRecord;
}

/** Containers' records in the state store. One that does not read is put into `quarantine` and passed over. */
export class SqliteContainerRepository implements ContainerRepository {
  readonly #db: Database;
  readonly #quarantine: Quarantine;
  readonly #events: Pick<EventLog, 'before'>;
  readonly #parsed = new Map<string, Parsed>();
  /** How states stand in the store: parsed ones may have their fields in another order. */
  readonly #texts = new WeakMap<ContainerRecord['state'], string>();
  readonly #list: ContainerList;

  constructor(db: Database, quarantine: Quarantine, events: Pick<EventLog, 'before'>) {
    this.#db = db;
    this.#quarantine = quarantine;
    this.#events = events;
    this.#list = new ContainerList(db, (row) => this.#read(row));
  }

  insert(container: ContainerRecord): ContainerRecord {
    const { state, ...record } = container;
    const text = JSON.stringify(record);
    const stateText = JSON.stringify(state);
    try {
      this.#db.run(
        'INSERT INTO containers (id, name, created_at, image_id, record, state) VALUES (?, ?, ?, ?, ?, ?)',
        container.id,
        container.name,
        Date.parse(container.createdAt),
        container.image.id,
        text,
        stateText,
      );
    } catch (cause) {
      throw nameInUse(cause, container.name);
    }
    this.#list.changed(container.id);
    return this.#remember(container.id, text, JSON.parse(text) as SettledRecord, stateText, state);
  }

  rename(id: ContainerId, name: string): void {
    try {
      this.#events.before(() =>
        this.#db.run(
          "UPDATE containers SET name = ?, record = json_set(record, '$.name', ?) WHERE id = ?",
          name,
          name,
          id,
        ),
      );
    } catch (cause) {
      throw nameInUse(cause, name);
    }
    this.#list.changed(id);
  }

  changeState({ id, state }: Pick<ContainerRecord, 'id' | 'state'>, to: ContainerRecord['state']): boolean {
    const from = this.#texts.get(state) ?? JSON.stringify(state);
    const stateText = JSON.stringify(to);
    const write = () => this.#db.run('UPDATE containers SET state = ? WHERE id = ? AND state = ?', stateText, id, from);
    const changed = to.status === 'removing' ? this.#vital(write) : this.#events.before(write);
    if (changed !== 1) return false;
    this.#list.changed(id);
    this.#texts.set(to, stateText);
    const known = this.#parsed.get(id);
    if (known !== undefined) this.#remember(id, known.text, known.settled, stateText, to);
    return true;
  }

  reviseState(
    id: ContainerId,
    change: (state: ContainerRecord['state']) => ContainerRecord['state'] | null,
  ): ContainerRecord | null {
    return this.#db.transaction(() => {
      const record = this.find(id);
      const state = record === null ? null : change(record.state);
      if (record === null || state === null) return null;
      const text = JSON.stringify(state);
      this.#events.before(() => this.#db.run('UPDATE containers SET state = ? WHERE id = ?', text, id));
      this.#list.changed(id);
      this.#texts.set(state, text);
      return { ...record, state };
    });
  }

  changeOptions(record: ContainerRecord, options: ContainerRecord['options']): boolean {
    return this.#db.transaction(() => {
      const current = this.find(record.id);
      if (current === null || !isSameRun(current.state, record.state)) return false;
      if (!isDeepStrictEqual(current.options, record.options)) return false;
      const { state: _, ...settled } = current;
      this.#db.run('UPDATE containers SET record = ? WHERE id = ?', JSON.stringify({ ...settled, options }), record.id);
      this.#list.changed(record.id);
      return true;
    });
  }

  find(id: ContainerId): ContainerRecord | null {
    return this.#read(this.#db.get('SELECT id, record, state FROM containers WHERE id = ?', id));
  }

  resolve(nameOrId: string): ContainerRecord | null {
    const byName = this.#read(
      this.#db.get('SELECT id, record, state FROM containers WHERE name = ? OR id = ?', nameOrId, nameOrId),
    );
    if (byName !== null || !/^[0-9a-f]{4,63}$/.test(nameOrId)) return byName;
    const rows = this.#db.all(
      'SELECT id, record, state FROM containers WHERE id >= ? AND id < ? LIMIT 2',
      nameOrId,
      `${nameOrId}g`,
    );
    if (rows.length > 1)
      throw new HakoError('INVALID_NAME', `More than one container's id begins with '${nameOrId}'. Write more of it.`);
    return this.#read(rows[0]);
  }

  async list(): Promise<readonly ContainerRecord[]> {
    const records = await this.#list.records();
    // Those that other processes have removed.
    if (this.#parsed.size > records.length) {
      const there = new Set<string>(records.map(({ id }) => id));
      for (const id of this.#parsed.keys()) if (!there.has(id)) this.#parsed.delete(id);
    }
    return records;
  }

  outline(after: ContainerId | '', limit: number): readonly ContainerOutline[] {
    return this.#db
      .all(
        `SELECT id, ${valid('state', '$.status')} AS status, ${valid('record', '$.options.ephemeral')} AS ephemeral,
           ${valid('state', '$.life')} AS life FROM containers WHERE id > ? ORDER BY id LIMIT ?`,
        after,
        limit,
      )
      .map(({ id, status, ephemeral, life }) => ({
        id: id as ContainerId,
        status: status as ContainerOutline['status'],
        ephemeral: ephemeral === 1,
        kept: life !== null,
      }));
  }

  usesImage(imageId: string): boolean {
    return this.#db.get('SELECT 1 FROM containers WHERE image_id = ? LIMIT 1', imageId) !== undefined;
  }

  delete(id: ContainerId, passed: readonly ContainerRecord['state'][] = []): boolean {
    // For the triggers, which write the history.
    const pass = () => {
      for (const state of passed)
        this.#db.run('UPDATE containers SET state = ? WHERE id = ?', JSON.stringify(state), id);
      return this.#db.run('DELETE FROM containers WHERE id = ?', id);
    };
    const deleted = this.#vital(() => this.#db.transaction(pass));
    this.#db.madeRoom();
    this.#parsed.delete(id);
    this.#list.changed(id);
    return deleted > 0;
  }

  #vital<T>(write: () => T): T {
    return this.#db.vital(() => this.#events.before(write));
  }

  #read(row: Record<string, unknown> | undefined): ContainerRecord | null {
    if (row === undefined) return null;
    try {
      return this.#parse(String(row['id']), String(row['record']), String(row['state']));
    } catch (error) {
      this.#quarantine.take('containers', row, error);
      return null;
    }
  }

  /** What has not changed is not parsed again: a start reads its record half a dozen times, a list all there are. */
  #parse(id: string, text: string, stateText: string): ContainerRecord {
    const known = this.#parsed.get(id);
    if (known?.text === text && known.stateText === stateText) return known.record;
    const settled = known?.text === text ? known.settled : settledSchema.parse(JSON.parse(text));
    return this.#remember(id, text, settled, stateText, stateSchema.parse(JSON.parse(stateText)));
  }

  #remember(
    id: string,
    text: string,
    settled: SettledRecord,
    stateText: string,
    state: ContainerRecord['state'],
  ): ContainerRecord {
    const record = { ...settled, state };
    this.#texts.set(state, stateText);
    if (this.#parsed.size < parsedLimit || this.#parsed.has(id))
      this.#parsed.set(id, { text, settled, stateText, record });
    return record;
  }
}

/** A field of a column; null where that is no JSON, which is for whoever reads the whole record to deal with. */
function valid(column: 'record' | 'state', path: string): string {
  return `CASE WHEN json_valid(${column}) THEN ${column} ->> '${path}' END`;
}

function nameInUse(cause: unknown, name: string): unknown {
  if (!String((cause as Error).message).includes('containers.name')) return cause;
  return new HakoError(
    'CONTAINER_NAME_IN_USE',
    `There is a container named '${name}' already. Remove it, or choose another name.`,
    { cause },
  );
}
