import { EventEmitter } from 'eventemitter3';
import type { ContainerId } from '../base/ids.ts';
import type { ExitResult } from '../contracts/events.ts';

/** The events of one container, with the arguments of their listeners. @public */
export interface ContainerEvents {
  exit: [ExitResult];
}

/** One emitter for each container that somebody listens to, whatever handle they hold. */
export class EventHub {
  readonly #emitters = new Map<ContainerId, EventEmitter<ContainerEvents>>();

  emitter(id: ContainerId): EventEmitter<ContainerEvents> {
    let emitter = this.#emitters.get(id);
    if (emitter === undefined) {
      emitter = new EventEmitter();
      this.#emitters.set(id, emitter);
    }
    return emitter;
  }

  exited(id: ContainerId, exit: ExitResult): void {
    this.#emitters.get(id)?.emit('exit', exit);
  }

  forget(id: ContainerId): void {
    this.#emitters.delete(id);
  }
}
