import { z } from 'zod';
import type { EventAction, EventRecorder, HistoryEvent, NewEvent } from '../../contracts/events.ts';
import type { Database } from './database.ts';

/** How long an event may wait for others to be written with, in milliseconds. */
const gatherFor = 20;

const texts = z.record(z.string(), z.string()).catch({});
const detailsSchema = z.object({
  name: z.string().catch(''),
  image: z.string().catch(''),
  labels: texts,
  attributes: z.record(z.string(), z.string().nullable()).catch({}),
});

/** The history of a root in the state store. Events are gathered, and written together or with the next change of a record. */
export class EventLog implements EventRecorder, Disposable {
  readonly #db: Database;
  readonly #isFree: () => boolean;
  readonly #warn: (message: string, cause: unknown) => void;
  #waiting: (NewEvent & { readonly time: number })[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param isFree - whether a write would find the store free; one that nobody waits for can wait for that */
  constructor(db: Database, warn: (message: string, cause: unknown) => void, isFree: () => boolean = () => true) {
    this.#db = db;
    this.#isFree = isFree;
    this.#warn = warn;
  }

  record(event: NewEvent): void {
    this.#waiting.push({ ...event, time: Date.now() });
    this.#flushSoon();
  }

  #flushSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#isFree()) this.#flush();
      else this.#flushSoon();
    }, gatherFor).unref();
  }

  /** Runs a write to the store after those of the events that came before it, in one transaction. */
  before<T>(write: () => T): T {
    if (this.#waiting.length === 0) return write();
    return this.#db.transaction(() => {
      this.#write();
      return write();
    });
  }

  /** In order, from the first one after `sequence`. */
  after(sequence: number, since: number, limit: number): readonly HistoryEvent[] {
    return this.#db
      .all('SELECT * FROM events WHERE sequence > ? AND time >= ? ORDER BY sequence LIMIT ?', sequence, since, limit)
      .map(eventOf);
  }

  /** The latest that has happened of that kind to one of them; null: nothing that is remembered. */
  latest(id: string, action: EventAction): HistoryEvent | null {
    const row = this.#db.get(
      'SELECT * FROM events WHERE id = ? AND action = ? ORDER BY sequence DESC LIMIT 1',
      id,
      action,
    );
    return row === undefined ? null : eventOf(row);
  }

  /** Of the newest event; 0: there is none. */
  lastSequence(): number {
    this.#flush();
    return Number(this.#db.get('SELECT max(sequence) AS last FROM events')?.['last'] ?? 0);
  }

  [Symbol.dispose](): void {
    this.#flush();
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    try {
      this.#db.transaction(() => this.#write());
    } catch (cause) {
      this.#warn(`${this.#waiting.length} events could not be recorded: ${(cause as Error).message}`, cause);
      this.#forget();
    }
  }

  /** In a transaction. */
  #write(): void {
    const written = this.#waiting;
    this.#forget();
    // What they tell of has happened, whatever becomes of the change that they are written with.
    this.#db.onRollback(() => {
      this.#waiting.unshift(...written);
      this.#flushSoon();
    });
    for (const { time, type, action, id, name, image = '', labels = {}, attributes = {} } of written) {
      this.#db.run(
        'INSERT INTO events (time, type, action, id, details) VALUES (?, ?, ?, ?, ?)',
        time,
        type,
        action,
        id,
        JSON.stringify({ name, image, labels, attributes }),
      );
    }
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = [];
  }
}

function eventOf(row: Record<string, unknown>): HistoryEvent {
  const { name, image, labels, attributes } = detailsSchema.parse(JSON.parse(String(row['details'])));
  return {
    sequence: Number(row['sequence']),
    time: new Date(Number(row['time'])),
    type: row['type'] as HistoryEvent['type'],
    action: row['action'] as EventAction,
    id: String(row['id']),
    name,
    image,
    labels,
    attributes: Object.fromEntries(
      Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== null),
    ),
  };
}
