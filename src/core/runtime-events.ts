import { Emitter } from '../base/emitter.ts';
import type { RuntimeEvents } from '../contracts/events.ts';

/** Enough to tell what happened, bounded for a runtime to which nobody listens. */
const mostKept = 100;

/**
 * The events of a runtime. Warnings that come while nobody listens, as they do while it opens, are kept for the first
 * who does.
 */
export class RuntimeEventBus extends Emitter<RuntimeEvents> {
  readonly #unheard: RuntimeEvents['warning'][] = [];

  override emit<Event extends keyof RuntimeEvents>(event: Event, ...values: RuntimeEvents[Event]): boolean {
    const heard = super.emit(event, ...values);
    if (!heard && event === 'warning') {
      this.#unheard.push(values as RuntimeEvents['warning']);
      if (this.#unheard.length > mostKept) this.#unheard.shift();
    }
    return heard;
  }

  override on<Event extends keyof RuntimeEvents>(
    event: Event,
    listener: (...values: RuntimeEvents[Event]) => void,
  ): void {
    super.on(event, listener);
    // Afterwards: the caller may have more to set up.
    if (event === 'warning' && this.#unheard.length > 0)
      queueMicrotask(() => {
        for (const warning of this.#unheard.splice(0)) super.emit('warning', ...warning);
      });
  }
}
