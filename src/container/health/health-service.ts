import type { ContainerId } from '../../base/ids.ts';
import { isPaused } from '../pausing.ts';
import type { ContainerRecord } from '../record.ts';
import { optionsOf } from '../record-options.ts';
import type { Supervised } from '../supervision.ts';
import { type ContainerHealth, type HealthStatus, newHealth } from './health.ts';
import type { HealthRepository } from './health-repository.ts';
import { monitor } from './monitor.ts';
import type { HealthCall } from './options.ts';
import { type HealthPlan, healthPlan } from './plan.ts';
import type { Prober } from './prober.ts';

export interface HealthListener {
  changed(supervised: Supervised, status: HealthStatus): void;
  /** Something that nobody waits for went wrong. */
  warn(message: string, cause?: unknown): void;
}

/** Looks after the health of the containers that this process keeps. */
export class HealthService {
  readonly #repository: HealthRepository;
  readonly #prober: Prober;
  readonly #listener: HealthListener;
  /** Functions of this process's user, that no record can hold. */
  readonly #calls = new Map<ContainerId, HealthCall>();

  constructor(repository: HealthRepository, prober: Prober, listener: HealthListener) {
    this.#repository = repository;
    this.#prober = prober;
    this.#listener = listener;
  }

  setCall(id: ContainerId, call: HealthCall): void {
    this.#calls.set(id, call);
  }

  forget(id: ContainerId): void {
    this.#calls.delete(id);
  }

  /** Null for a container without a health check, and for one that has not run. */
  find(record: ContainerRecord): ContainerHealth | null {
    return planOf(record) === null ? null : this.#repository.find(record.id);
  }

  /** Checks a running container's health until `signal` is aborted; one that was found running goes on as it was. */
  async follow(supervised: Supervised, signal: AbortSignal): Promise<void> {
    const { record, owned } = supervised;
    const plan = planOf(record);
    if (plan === null || record.state.status !== 'running') return;
    const call = this.#calls.get(record.id);
    if (plan.probe.kind === 'call' && call === undefined) {
      this.#listener.warn(
        `The health of container '${record.name}' is not checked: the function for it is in the process that made it.`,
      );
      return;
    }
    const from = (owned ? null : this.#repository.find(record.id)) ?? newHealth;
    if (owned) this.#repository.put(record.id, from);
    let { status } = from;
    const checked = (health: ContainerHealth): void => {
      this.#repository.put(record.id, health);
      if (health.status === status) return;
      status = health.status;
      this.#listener.changed(supervised, status);
    };
    const probe = (late: AbortSignal) => this.#prober.probe(supervised, plan.probe, call, late);
    const startedAt = new Date(record.state.startedAt);
    await monitor({ plan, startedAt, isPaused: () => isPaused(record), probe, checked }, from, signal);
  }
}

export function planOf(record: ContainerRecord): HealthPlan | null {
  const { options, imageDefaults } = record;
  // All of the options are not parsed for that: most containers have no health check.
  const asks = typeof options === 'object' && options !== null && 'healthcheck' in options;
  return asks || imageDefaults.healthcheck !== undefined
    ? healthPlan(optionsOf(record).healthcheck, imageDefaults)
    : null;
}
