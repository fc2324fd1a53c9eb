import { hasHakoCode } from '../../base/errors.ts';
import type { Gate } from '../../base/gate.ts';
import type { ContainerId } from '../../base/ids.ts';
import type { ContainerLauncher } from '../container-launcher.ts';
import type { ContainerRecord, RecordedState } from '../record.ts';
import { optionsOf } from '../record-options.ts';
import type { ContainerRepository } from '../repository.ts';
import type { RestartPolicy } from '../restart/options.ts';
import { mayRestart, nextDelay } from '../restart/policy.ts';
import { notRestarting, type StateReader } from '../state-reader.ts';
import { isStopped } from './life.ts';

/** Docker's exit code of a container of whose end nothing is known. */
const unknownExitCode = 255;

/** Milliseconds until a restart is tried again that could neither be made nor be given up, as on a full disk. */
const tryAgainAfter = 10_000;

export interface RestarterParts {
  readonly repository: ContainerRepository;
  readonly states: StateReader;
  readonly launcher: ContainerLauncher;
  /** Of the runtime. */
  readonly gate: Gate;
  warn(message: string, cause?: unknown): void;
}

/**
 * Starts containers again after their end, when their policy wants it and nobody has stopped them. What is to come is
 * in the record (`restarting`): whoever stops or removes the container meanwhile changes that, and nothing comes of it.
 */
export class Restarter {
  readonly #parts: RestarterParts;
  readonly #timers = new Map<ContainerId, NodeJS.Timeout>();
  /** Ended for that, and so a failure whatever they exited with. */
  readonly #unhealthy = new Set<ContainerId>();

  constructor(parts: RestarterParts) {
    this.#parts = parts;
  }

  /** The container is about to be ended because it is unhealthy. */
  condemn(id: ContainerId): void {
    this.#unhealthy.add(id);
  }

  ended(id: ContainerId): void {
    const { repository, states } = this.#parts;
    const failed = this.#unhealthy.delete(id);
    const found = repository.find(id);
    if (found === null) return;
    states.refresh(found);
    const policy = optionsOf(found).restart;
    const record = repository.reviseState(id, (state) => afterEnd(state, policy, failed));
    if (record?.state.status !== 'restarting') return;
    // The clock may have been set since it ended.
    const wait = Math.min(Date.parse(record.state.restartAt) - Date.now(), record.state.life.delay);
    this.#restartAfter(Math.max(0, wait), record);
  }

  /** What was to come does not. */
  cancel(id: ContainerId): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#unhealthy.delete(id);
  }

  #restartAfter(wait: number, record: ContainerRecord): void {
    this.#timers.set(
      record.id,
      setTimeout(() => void this.#restart(record), wait),
    );
  }

  async #restart(record: ContainerRecord): Promise<void> {
    const { id, name } = record;
    const { repository, launcher, gate, warn } = this.#parts;
    this.#timers.delete(id);
    try {
      await gate.pass(async () => {
        const found = repository.find(id);
        if (found?.state.status === 'restarting') await launcher.start(found, {}, found.state.life);
      });
    } catch (error) {
      if (hasHakoCode(error, 'HAKO_ERR_RUNTIME_CLOSED') || hasHakoCode(error, 'HAKO_ERR_CONTAINER_ALREADY_STARTED'))
        return;
      const isLeft = this.#leave(id);
      if (!isLeft) this.#restartAfter(tryAgainAfter, record);
      const outcome = isLeft ? 'is left as it is' : `is tried again in ${tryAgainAfter / 1000} s`;
      warn(`Container '${name}' could not be started again and ${outcome}: ${(error as Error).message}`, error);
    }
  }

  /** @returns false when that cannot be written */
  #leave(id: ContainerId): boolean {
    try {
      this.#parts.repository.reviseState(id, (state) => (state.status === 'restarting' ? notRestarting(state) : null));
      return true;
    } catch {
      return false;
    }
  }
}

/** What comes after the end of a container; null: nothing. */
function afterEnd(state: RecordedState, policy: RestartPolicy, isCondemned: boolean): RecordedState | null {
  if (state.status !== 'exited' && state.status !== 'lost') return null;
  const { life, startedAt } = state;
  if (life === undefined || isStopped(life, policy.policy)) return null;
  const end =
    state.status === 'exited'
      ? state
      : { exitCode: unknownExitCode, signal: 0, oomKilled: false, finishedAt: new Date().toISOString() };
  const failed = isCondemned || end.exitCode !== 0;
  if (!mayRestart(policy, { failed, restarts: life.restarts })) return null;
  const { exitCode, signal, oomKilled, finishedAt } = end;
  const ranFor = startedAt === null ? 0 : Date.parse(finishedAt) - Date.parse(startedAt);
  const delay = nextDelay(life.delay, ranFor);
  return {
    status: 'restarting',
    startedAt,
    exitCode,
    signal,
    oomKilled,
    finishedAt,
    restartAt: new Date(Date.parse(finishedAt) + delay).toISOString(),
    life: { ...life, restarts: life.restarts + 1, delay, stopped: null },
  };
}
