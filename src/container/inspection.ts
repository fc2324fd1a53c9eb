import { z } from 'zod';
import { hasHakoCode } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { Degradation } from '../contracts/isolation.ts';
import type { PluginReference } from '../contracts/plugin-definition.ts';
import type { IsolationPlan } from '../contracts/privilege-mode.ts';
import type { ActiveKey, StorageDriver } from '../contracts/storage-driver.ts';
import type { LogService } from '../log/log-service.ts';
import { type ContainerState, containerState } from './container-state.ts';
import type { ContainerHealth, HealthStatus } from './health/health.ts';
import type { HealthService } from './health/health-service.ts';
import type { IsolationPlanner } from './isolation.ts';
import { lifeOf } from './keeping/life.ts';
import { loggedContainer } from './logged-container.ts';
import { type ContainerSettings, containerOptions } from './options.ts';
import { isPaused } from './pausing.ts';
import { type ProcessPrivileges, processPrivileges } from './process-privileges.ts';
import type { ContainerRecord } from './record.ts';
import { optionsOf } from './record-options.ts';
import { commandOf } from './spec/index.ts';
import type { StateReader } from './state-reader.ts';

/** What `list()` tells of a container. @public */
export interface ContainerSummary {
  readonly id: ContainerId;
  readonly name: string;
  readonly image: { readonly id: string; readonly name: string };
  readonly command: readonly string[];
  readonly createdAt: Date;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: ContainerState;
  /** Null: it has no health check, or has not run. */
  readonly health: HealthStatus | null;
}

/** How a container is kept apart: what it is granted, what of that cannot be had here, and what it really has. @public */
export interface ContainerIsolation extends IsolationPlan {
  /** All of it: what the privilege mode could not give, and what control groups could not. */
  readonly degraded: readonly Degradation[];
  /** What the kernel says that the container's first process has; null while it does not run. */
  readonly process: ProcessPrivileges | null;
}

/** Everything that is known of a container. @public */
export interface ContainerInspection extends Omit<ContainerSummary, 'health'> {
  /** Null: it has no health check, or has not run. */
  readonly health: ContainerHealth | null;
  /** By its restart policy, since somebody started it. */
  readonly restartCount: number;
  /** As they were given. */
  readonly options: ContainerSettings;
  readonly mode: Omit<PluginReference, 'kind'>;
  readonly log: Omit<PluginReference, 'kind'>;
  readonly isolation: ContainerIsolation;
  /** The storage driver and its paths, in Docker's words. */
  readonly graphDriver: { readonly name: string; readonly data: Readonly<Record<string, string>> };
  /** Empty when the log driver has no file to show. */
  readonly logPath: string;
}

/** Puts together what is told of containers. */
export class Inspector {
  readonly #states: StateReader;
  readonly #planner: IsolationPlanner;
  readonly #storage: { readonly name: string; readonly driver: StorageDriver };
  readonly #logs: LogService;
  readonly #summaries = new WeakMap<ContainerRecord, ContainerSummary>();
  readonly #health: HealthService;

  constructor(
    states: StateReader,
    planner: IsolationPlanner,
    storage: { readonly name: string; readonly driver: StorageDriver },
    logs: LogService,
    health: HealthService,
  ) {
    this.#states = states;
    this.#planner = planner;
    this.#storage = storage;
    this.#logs = logs;
    this.#health = health;
  }

  /** One that has been told before of the very same record is given again: most of those in a long list are at rest. */
  summary(claimed: ContainerRecord): ContainerSummary {
    const record = this.#states.refresh(claimed);
    let summary = this.#summaries.get(record);
    if (summary === undefined) {
      summary = Object.freeze(summaryOf(record));
      this.#summaries.set(record, summary);
    }
    const now = isPaused(record) ? { ...summary, state: containerState(record.state, true) } : summary;
    const health = this.#health.find(record);
    return health === null ? now : { ...now, health: health.status };
  }

  /** One that is still being made may have no snapshot yet. */
  async #describe({ id, state }: ContainerRecord): Promise<Readonly<Record<string, string>>> {
    try {
      return await this.#storage.driver.describe(id as string as ActiveKey);
    } catch (error) {
      if (state.status === 'creating' && hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_NOT_FOUND')) return {};
      throw error;
    }
  }

  async inspect(record: ContainerRecord): Promise<ContainerInspection> {
    const [{ plan, degraded }, data, logPath] = await Promise.all([
      this.#planner.plan(record.id, record.mode, optionsOf(record)),
      this.#describe(record),
      this.#logs.path(loggedContainer(record, this.#states.directory(record.id))),
    ]);
    const summary = this.summary(record);
    return {
      ...summary,
      health: this.#health.find(record),
      restartCount: lifeOf(record.state)?.restarts ?? 0,
      options: record.options as ContainerSettings,
      mode: record.mode,
      log: record.log,
      isolation: {
        ...plan,
        degraded,
        process: summary.state.status === 'running' ? processPrivileges(summary.state.pid) : null,
      },
      graphDriver: { name: this.#storage.name, data },
      logPath,
    };
  }
}

const { command, entrypoint, labels } = containerOptions.shape;
/** The few that a list tells of: to parse all of them of ten thousand containers takes its time. */
const summaryOptions = z.object({ command, entrypoint, labels });

function summaryOf(record: ContainerRecord): ContainerSummary {
  const { id, name, image, createdAt, state, imageDefaults } = record;
  const options = summaryOptions.parse(record.options);
  return {
    id,
    name,
    image,
    command: commandOf(options, imageDefaults),
    createdAt: new Date(createdAt),
    labels: { ...imageDefaults.labels, ...options.labels },
    state: containerState(state, false),
    health: null,
  };
}
