import { currentBootId } from '../../host/process-identity.ts';
import type { ContainerRecord, RecordedState } from '../record.ts';
import type { ContainerRepository } from '../repository.ts';
import { pauseForStart } from '../start-pause.ts';
import { notRestarting, type StateReader } from '../state-reader.ts';
import { lifeOf } from './life.ts';
import type { Restarter } from './restarter.ts';

/** Writes down that somebody wants a container to be at rest, so that no policy in any process starts it again. */
export class Halter {
  readonly #repository: ContainerRepository;
  readonly #states: StateReader;
  readonly #restarter: Restarter;

  constructor(repository: ContainerRepository, states: StateReader, restarter: Restarter) {
    this.#repository = repository;
    this.#states = states;
    this.#restarter = restarter;
  }

  /** The record from then on. A restart that has begun is waited for; a container without a policy is left alone. */
  async halt(record: ContainerRecord, signal?: AbortSignal): Promise<ContainerRecord> {
    let current = record;
    while (lifeOf(current.state) !== undefined) {
      const isStarting = this.#states.refresh(current).state.status === 'starting';
      const halted = isStarting ? null : this.#repository.reviseState(record.id, atRest);
      if (halted !== null) {
        this.#restarter.cancel(record.id);
        return halted;
      }
      await pauseForStart(signal);
      const next = this.#repository.find(record.id);
      if (next === null) break;
      current = next;
    }
    return current;
  }
}

function atRest(state: RecordedState): RecordedState | null {
  const life = lifeOf(state);
  // One that is being started goes on to its next state with the life that it began with.
  if (life === undefined || state.status === 'starting') return null;
  const halted = { ...life, stopped: currentBootId() };
  const ended = state.status === 'restarting' ? notRestarting(state) : state;
  return { ...ended, life: halted } as RecordedState;
}
