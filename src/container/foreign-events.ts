import { setTimeout as sleep } from 'node:timers/promises';
import { hasHakoCode } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { HistoryEvent } from '../contracts/events.ts';
import { exitOfEvent } from './container-event.ts';
import type { EventHub } from './event-hub.ts';
import type { HealthStatus } from './health/health.ts';
import type { ContainerRepository } from './repository.ts';
import type { Supervision } from './supervision.ts';

/** The history of a root, as it goes on. */
export interface HistoryFeed {
  /** Of the newest event. */
  last(): number;
  /** What happens to containers after an event, until `signal` is aborted. */
  read(after: number, signal: AbortSignal): AsyncIterable<HistoryEvent>;
}

/** Milliseconds. */
const betweenTries = 200;

interface Followed {
  listeners: number;
  /** What comes after it is news. */
  readonly since: number;
  /** When runs began whose end was told, and is still to come in the history. */
  readonly told: Set<string>;
  /** Those whose end the history has told, and a session of this process is to tell. */
  readonly awaited: Set<string>;
}

/** Lets listeners hear of what other processes do to a container: runs that they start, and its health. */
export class ForeignEvents {
  readonly #repository: ContainerRepository;
  readonly #supervision: Supervision;
  readonly #hub: EventHub;
  readonly #feed: HistoryFeed;
  readonly #isKept: (id: ContainerId) => boolean;
  readonly #followed = new Map<ContainerId, Followed>();
  #reading: AbortController | undefined;

  /** @param isKept - whether this process checks a container's health */
  constructor(
    repository: ContainerRepository,
    supervision: Supervision,
    hub: EventHub,
    feed: HistoryFeed,
    isKept: (id: ContainerId) => boolean,
  ) {
    this.#repository = repository;
    this.#supervision = supervision;
    this.#hub = hub;
    this.#feed = feed;
    this.#isKept = isKept;
  }

  /** @returns what ends it */
  follow(id: ContainerId): () => void {
    const followed = this.#followed.get(id) ?? {
      listeners: 0,
      since: this.#feed.last(),
      told: new Set<string>(),
      awaited: new Set<string>(),
    };
    this.#followed.set(id, followed);
    followed.listeners++;
    if (this.#reading === undefined) {
      this.#reading = new AbortController();
      void this.#read(this.#feed.last(), this.#reading.signal);
    }
    return () => {
      followed.listeners--;
      if (followed.listeners > 0 || this.#followed.get(id) !== followed) return;
      this.#followed.delete(id);
      this.#stopIfIdle();
    };
  }

  /** An end that this process's own session has told of. */
  told(id: ContainerId, startedAt: string): void {
    const followed = this.#followed.get(id);
    if (followed !== undefined && !followed.awaited.delete(startedAt)) followed.told.add(startedAt);
  }

  ids(): Iterable<ContainerId> {
    return this.#followed.keys();
  }

  forget(id: ContainerId): void {
    this.#followed.delete(id);
    this.#stopIfIdle();
  }

  #stopIfIdle(): void {
    if (this.#followed.size > 0) return;
    this.#reading?.abort();
    this.#reading = undefined;
  }

  /** While the store cannot be read, it is tried again: what happens meanwhile stands in the history. */
  async #read(last: number, signal: AbortSignal): Promise<void> {
    for (let heard = last; !signal.aborted; ) {
      try {
        for await (const event of this.#feed.read(heard, signal)) {
          await this.#happened(event);
          heard = event.sequence;
        }
        // The runtime has closed.
        return;
      } catch (error) {
        if (signal.aborted || hasHakoCode(error, 'HAKO_ERR_RUNTIME_CLOSED')) return;
        await sleep(betweenTries, null, { signal, ref: false }).catch(() => {});
      }
    }
  }

  async #happened({ id: text, sequence, action, attributes }: HistoryEvent): Promise<void> {
    const id = text as ContainerId;
    const followed = this.#followed.get(id);
    if (followed === undefined || sequence <= followed.since) return;
    if (action === 'start') await this.#started(id);
    else if (action === 'die') this.#died(id, followed, attributes);
    else if (action === 'health_status' && !this.#isKept(id))
      this.#hub.healthChanged(id, attributes['status'] as HealthStatus);
  }

  /** With a session of its own this process hears of the end from whoever knows it first. */
  async #started(id: ContainerId): Promise<void> {
    const record = this.#repository.find(id);
    if (record?.state.status === 'running') await this.#supervision.find(record).catch(() => null);
  }

  /** Of a run that was over before it could be joined. */
  #died(id: ContainerId, followed: Followed, attributes: HistoryEvent['attributes']): void {
    const { startedAt = '' } = attributes;
    const exit = exitOfEvent(attributes);
    if (followed.told.delete(startedAt) || exit === null) return;
    if (this.#supervision.isLive(id, startedAt)) {
      followed.awaited.add(startedAt);
      return;
    }
    this.#hub.exited(id, exit);
  }
}
