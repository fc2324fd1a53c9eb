import { EventEmitter } from 'eventemitter3';

/**
 * Events for listeners of strangers: what one of them throws is an uncaught exception of the process, as with timers,
 * and not a failure of whoever had something to tell.
 */
export class Emitter<Events extends Record<keyof Events, unknown[]>> {
  readonly #emitter = new EventEmitter<Record<string, unknown[]>>();

  /** @returns whether anybody listens */
  emit<Event extends keyof Events & string>(event: Event, ...values: Events[Event]): boolean {
    const listeners = this.#emitter.listeners(event);
    for (const listener of listeners) {
      try {
        listener(...values);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    return listeners.length > 0;
  }

  on<Event extends keyof Events & string>(event: Event, listener: (...values: Events[Event]) => void): void {
    this.#emitter.on(event, listener as (...values: unknown[]) => void);
  }

  off<Event extends keyof Events & string>(event: Event, listener: (...values: Events[Event]) => void): void {
    this.#emitter.off(event, listener as (...values: unknown[]) => void);
  }

  get isHeard(): boolean {
    return this.#emitter.eventNames().length > 0;
  }
}
