import { hasHakoCode } from '../../base/errors.ts';
import type { Gate } from '../../base/gate.ts';
import type { ContainerId } from '../../base/ids.ts';
import { isAlive, isOwn, ownIdentity } from '../../host/process-identity.ts';
import type { HealthService } from '../health/health-service.ts';
import type { ContainerRecord } from '../record.ts';
import { optionsOf } from '../record-options.ts';
import type { ContainerRepository } from '../repository.ts';
import { notRestarting } from '../state-reader.ts';
import type { Stopper } from '../stopper.ts';
import type { Supervised, Supervision } from '../supervision.ts';
import { isBeingRestarted, isKept, type Life, lifeOf, newLife } from './life.ts';
import type { Restarter } from './restarter.ts';

export interface KeeperParts {
  readonly repository: ContainerRepository;
  readonly supervision: Supervision;
  readonly restarter: Restarter;
  readonly health: HealthService;
  readonly stopper: Stopper;
  /** Of the runtime. */
  readonly gate: Gate;
  /** @throws HakoError `HAKO_ERR_CONTAINER_RUNNING` for one that somebody has started anew */
  removeAtRest(id: ContainerId): Promise<void>;
  warn(message: string, cause?: unknown): void;
}

/**
 * Looks after the containers that ask for more than to be started: checks their health, restarts and removes them when
 * they have ended. The
 * runtime that has started such a container keeps it; one that is detached is taken over when its keeper is gone.
 */
export class Keeper {
  readonly #parts: KeeperParts;
  readonly #kept = new Set<ContainerId>();
  /** What ends the health checks of those that run. */
  readonly #running = new Map<ContainerId, AbortController>();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** Starts a container that is kept from then on, if it needs that: `start` is given what the start has to record. */
  async begin<T>(record: ContainerRecord, start: (life: Life | undefined) => Promise<T>): Promise<T> {
    if (!isKept(record)) return start(undefined);
    const wasKept = this.#kept.has(record.id);
    this.#kept.add(record.id);
    try {
      return await start(newLife());
    } catch (error) {
      // It runs already, and another may keep it.
      if (!wasKept) this.#kept.delete(record.id);
      throw error;
    }
  }

  /** A container runs that this process has a session with; its record is one that was read when it was found running. */
  adopted(supervised: Supervised): void {
    const { record } = supervised;
    if (this.#kept.has(record.id) && isOwn(lifeOf(record.state)?.keeper)) this.#watch(supervised);
  }

  #watch(supervised: Supervised): void {
    const { record, ended } = supervised;
    const running = new AbortController();
    this.#running.set(record.id, running);
    const tell = (error: unknown) => this.#tell(record, error);
    this.#parts.health.follow(supervised, running.signal).catch(tell);
    const over = () => {
      running.abort();
      if (this.#running.get(record.id) === running) this.#running.delete(record.id);
      this.#over(record).catch(tell);
    };
    ended.then(over, over);
  }

  /** Ends a container that its health check has found unhealthy, if that is wished; its policy starts it again. */
  unhealthy(supervised: Supervised): void {
    const { record } = supervised;
    // Its policy may have been changed since it was found.
    if (!optionsOf(this.#parts.repository.find(record.id) ?? record).restart.onUnhealthy) return;
    this.#parts.restarter.condemn(record.id);
    this.#parts.stopper.end(supervised, {}).catch((error: unknown) => this.#tell(record, error));
  }

  /**
   * A container has another restart policy now. One that runs and needed nobody until now is kept from here on, by this
   * process; one that waits for a restart that is not wanted any more is left as it ended.
   */
  async policyChanged(id: ContainerId): Promise<void> {
    const { repository, supervision } = this.#parts;
    const found = repository.find(id);
    if (found === null) return;
    if (optionsOf(found).restart.policy === 'no') {
      repository.reviseState(id, (state) => (state.status === 'restarting' ? notRestarting(state) : null));
      return;
    }
    const record = repository.reviseState(id, (state) =>
      state.status === 'running' && state.life === undefined ? { ...state, life: newLife() } : null,
    );
    if (record === null) return;
    this.#kept.add(id);
    const supervised = await supervision.find(record);
    if (supervised === null) await this.#over(record);
    else if (!this.#running.has(id)) this.#watch(supervised);
  }

  /** Of a container that nobody keeps any more, found when the root is opened or when another runtime has gone. */
  async takeUp(found: ContainerRecord): Promise<void> {
    const { autoRemove, detached } = optionsOf(found);
    const isOver = found.state.status === 'exited' || found.state.status === 'lost';
    if (!isOver && found.state.status !== 'running') return;
    // Whoever was to start it again is gone.
    if (isOver && autoRemove && this.#kept.has(found.id)) return this.#over(found);
    // One that is not detached ends with the process that has gone.
    if (!detached && !autoRemove) return;
    const record = this.#takeOver(found);
    if (record === null) return;
    if (!isOver) {
      const supervised = await this.#parts.supervision.find(record);
      if (supervised !== null) {
        // It may have been found before, for its log.
        if (!this.#running.has(record.id)) this.#watch(supervised);
        return;
      }
    }
    await this.#over(record);
  }

  /** A container was stopped to be started again, and was not started. */
  async notRestarted({ id }: ContainerRecord): Promise<void> {
    const record = this.#parts.repository.reviseState(id, (state) => {
      const { restartedBy, ...life } = lifeOf(state) ?? {};
      return restartedBy === undefined ? null : ({ ...state, life } as typeof state);
    });
    if (record === null || !optionsOf(record).autoRemove) return;
    if (record.state.status === 'exited' || record.state.status === 'lost')
      await this.#parts.removeAtRest(id).catch((error: unknown) => this.#tell(record, error));
  }

  keeps(id: ContainerId): boolean {
    return this.#kept.has(id);
  }

  ids(): Iterable<ContainerId> {
    return this.#kept;
  }

  forget(id: ContainerId): void {
    this.#kept.delete(id);
    this.#running.delete(id);
    this.#parts.health.forget(id);
    this.#parts.restarter.cancel(id);
  }

  /** Leaves the detached containers to the next that opens the root. */
  close(): void {
    for (const running of this.#running.values()) running.abort();
    this.#running.clear();
    for (const id of this.#kept) {
      this.#parts.restarter.cancel(id);
      this.#parts.repository.reviseState(id, (state) => {
        const life = lifeOf(state);
        return life === undefined ? null : ({ ...state, life: { ...life, keeper: null } } as typeof state);
      });
    }
    this.#kept.clear();
  }

  #takeOver(found: ContainerRecord): ContainerRecord | null {
    const record = this.#parts.repository.reviseState(found.id, (state) => {
      const life = lifeOf(state);
      if (life === undefined || (life.keeper !== null && isAlive(life.keeper))) return null;
      return { ...state, life: { ...life, keeper: ownIdentity() } } as typeof state;
    });
    if (record !== null) this.#kept.add(record.id);
    return record;
  }

  async #over(record: ContainerRecord): Promise<void> {
    const { gate, restarter, repository, removeAtRest } = this.#parts;
    if (gate.signal.aborted || !this.#kept.has(record.id)) return;
    if (!optionsOf(record).autoRemove) restarter.ended(record.id);
    else if (!isBeingRestarted(repository.find(record.id)?.state)) await removeAtRest(record.id);
  }

  #tell({ name }: ContainerRecord, error: unknown): void {
    if (changed.some((code) => hasHakoCode(error, code))) return;
    this.#parts.warn(`Container '${name}' could not be looked after: ${(error as Error).message}`, error);
  }
}

/** Somebody has started or removed it meanwhile, or this runtime closes. */
const changed = ['HAKO_ERR_RUNTIME_CLOSED', 'HAKO_ERR_CONTAINER_NOT_FOUND', 'HAKO_ERR_CONTAINER_RUNNING'] as const;
