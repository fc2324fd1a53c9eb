import { currentBootId, ownIdentity } from '../../host/process-identity.ts';
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

  /**
   * The record from then on. A restart that has begun is waited for; a container that nobody keeps is left alone.
   *
   * @param isToGoOn - whoever halts it starts it again
   */
  async halt(record: ContainerRecord, signal?: AbortSignal, isToGoOn = false): Promise<ContainerRecord> {
    const atRest = (state: RecordedState) => halted(state, isToGoOn);
    let current = record;
    while (lifeOf(current.state) !== undefined) {
      const isStarting = this.#states.refresh(current).state.status === 'starting';
      const revised = isStarting ? null : this.#repository.reviseState(record.id, atRest);
      if (revised !== null) {
        this.#restarter.cancel(record.id);
        return revised;
      }
      await pauseForStart(signal);
      const next = this.#repository.find(record.id);
      if (next === null) break;
      current = next;
    }
    return current;
  }
}

function halted(state: RecordedState, isToGoOn: boolean): RecordedState | null {
  const life = lifeOf(state);
  // One that is being started goes on to its next state with the life that it began with.
  if (life === undefined || state.status === 'starting') return null;
  const { restartedBy: _, ...before } = life;
  const stopped = { ...before, stopped: currentBootId(), ...(isToGoOn ? { restartedBy: ownIdentity() } : {}) };
  const ended = state.status === 'restarting' ? notRestarting(state) : state;
  return { ...ended, life: stopped } as RecordedState;
}
