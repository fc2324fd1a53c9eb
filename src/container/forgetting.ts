import type { ContainerId } from '../base/ids.ts';
import type { ContainerRepository } from './repository.ts';

/** How often this process comes to know a container until it looks which of those that it knows are still there. */
const every = 256;

/** What remembers something of containers for as long as they are there. */
export interface Remembering {
  ids(): Iterable<ContainerId>;
  forget(id: ContainerId): void;
}

/** Forgets containers that other processes have removed, which nobody tells this one of. */
export class Forgetting {
  readonly #repository: ContainerRepository;
  readonly #rooms: readonly Remembering[];
  #met = 0;

  constructor(repository: ContainerRepository, rooms: readonly Remembering[]) {
    this.#repository = repository;
    this.#rooms = rooms;
  }

  /** To be called when something of a container begins to be remembered. */
  met(): void {
    if (++this.#met % every === 0) this.sweep();
  }

  sweep(): void {
    const known = new Set(this.#rooms.flatMap((room) => [...room.ids()]));
    for (const id of known) if (this.#repository.find(id) === null) this.forget(id);
  }

  forget(id: ContainerId): void {
    for (const room of this.#rooms) room.forget(id);
  }
}
