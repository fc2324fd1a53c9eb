import { setTimeout as sleep } from 'node:timers/promises';
import { raceSignal } from '../../base/signal.ts';
import type { HistoryEvent } from '../../contracts/events.ts';
import { FileWatch } from '../../log/file-watch.ts';
import type { EventLog } from '../state/event-log.ts';
import { type EventsOptions, matchesEvent, parseEventsOptions } from './event-query.ts';

const batch = 256;
/** Changes of the store that come closer together than this are looked at together, in milliseconds. */
const gatherFor = 5;

/** Reads a root's history, and what is added to it by whichever process. */
export class EventStream {
  readonly #log: EventLog;
  readonly #journal: string;
  readonly #closing: AbortSignal;

  /** @param closing - ends every stream */
  constructor(log: EventLog, database: string, closing: AbortSignal) {
    this.#log = log;
    // What any process commits is written there first.
    this.#journal = `${database}-wal`;
    this.#closing = closing;
  }

  /** The sequence of the newest event. */
  last(): number {
    return this.#log.lastSequence();
  }

  /** The events from this call on, or from `since`. @throws HakoError `HAKO_ERR_INVALID_OPTION` */
  read(options: EventsOptions): AsyncIterable<HistoryEvent> {
    const { since, until, filters, signal } = parseEventsOptions(options);
    const isPast = since !== undefined || until !== undefined;
    const from = { sequence: isPast ? 0 : this.#log.lastSequence(), since: since?.getTime() ?? 0 };
    const end = until?.getTime() ?? Number.POSITIVE_INFINITY;
    const all = this.#follow(from, end, signal);
    return (async function* () {
      for await (const event of all) if (matchesEvent(event, filters)) yield event;
    })();
  }

  /** The latest end of a container, also of one that is no more. */
  lastEnd(id: string): HistoryEvent | null {
    return this.#log.latest(id, 'die');
  }

  /** What happens to containers after the event with that sequence. */
  async *containersAfter(sequence: number, signal: AbortSignal): AsyncGenerator<HistoryEvent> {
    const all = this.#follow({ sequence, since: 0 }, Number.POSITIVE_INFINITY, signal);
    for await (const event of all) if (event.type === 'container') yield event;
  }

  async *#follow(
    from: { readonly sequence: number; readonly since: number },
    until: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<HistoryEvent> {
    using watch = new FileWatch(this.#journal, () => {});
    let { sequence } = from;
    while (!this.#closing.aborted) {
      signal?.throwIfAborted();
      const isOver = Date.now() > until;
      const events = this.#log.after(sequence, from.since, batch);
      for (const event of events) {
        sequence = event.sequence;
        if (event.time.getTime() <= until) yield event;
      }
      if (events.length === batch) continue;
      if (isOver) return;
      await this.#change(watch, until, signal);
    }
  }

  async #change(watch: FileWatch, until: number, signal: AbortSignal | undefined): Promise<void> {
    const ends = [this.#closing, ...(signal === undefined ? [] : [signal])];
    try {
      await raceSignal(
        (async () => {
          await watch.wait(Math.max(0, until - Date.now()));
          await sleep(gatherFor);
        })(),
        AbortSignal.any(ends),
      );
    } catch {
      watch.notify();
      signal?.throwIfAborted();
    }
  }
}
