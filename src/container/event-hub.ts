import { Emitter } from '../base/emitter.ts';
import type { ContainerId } from '../base/ids.ts';
import type { ExitResult, OomKills } from '../contracts/events.ts';
import type { HealthStatus } from './health/health.ts';

/** The events of one container, with the arguments of their listeners. @public */
export interface ContainerEvents {
  /** A run has ended. */
  exit: [ExitResult];
  /** The kernel has killed a process of it for want of memory; the container may go on. */
  oom: [OomKills];
  /** Its health check has come to another result than before. */
  health: [HealthStatus];
}

/** One emitter for each container that somebody listens to, whatever handle they hold. */
export class EventHub {
  readonly #emitters = new Map<ContainerId, Emitter<ContainerEvents>>();

  /** @returns what ends the subscription */
  subscribe<Event extends keyof ContainerEvents>(
    id: ContainerId,
    event: Event,
    listener: (...values: ContainerEvents[Event]) => void,
  ): () => void {
    const emitter = this.#emitters.get(id) ?? new Emitter<ContainerEvents>();
    this.#emitters.set(id, emitter);
    emitter.on(event, listener);
    return () => {
      emitter.off(event, listener);
      if (!emitter.isHeard && this.#emitters.get(id) === emitter) this.#emitters.delete(id);
    };
  }

  oom(id: ContainerId, oom: OomKills): void {
    this.#emitters.get(id)?.emit('oom', oom);
  }

  exited(id: ContainerId, exit: ExitResult): void {
    this.#emitters.get(id)?.emit('exit', exit);
  }

  healthChanged(id: ContainerId, status: HealthStatus): void {
    this.#emitters.get(id)?.emit('health', status);
  }

  ids(): Iterable<ContainerId> {
    return this.#emitters.keys();
  }

  forget(id: ContainerId): void {
    this.#emitters.delete(id);
  }
}
