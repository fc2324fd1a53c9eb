import { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import {
  checkCpus,
  checkCpuset,
  controllersOfChange,
  limitWrites,
  type ResourceOptions,
  type Resources,
  resolveResources,
  resourceOptions,
  updateGroups,
} from '../cgroup/index.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { blockDeviceNumber } from '../host/devices.ts';
import { type ControlGroups, groupsOf } from './control-groups.ts';
import { defaultPids } from './isolation.ts';
import { type ContainerSettings, type ParsedContainerOptions, parseContainerOptions } from './options.ts';
import { presentRecord } from './present-record.ts';
import type { ContainerRecord } from './record.ts';
import { optionsOf } from './record-options.ts';
import type { ContainerRepository } from './repository.ts';
import { restartOption } from './restart/options.ts';
import { pauseForStart } from './start-pause.ts';
import type { StateReader } from './state-reader.ts';

/** Limits to change. What is left out stays as it is, `null` takes a limit away. @public */
export type ResourceChanges = { readonly [Name in keyof ResourceOptions]?: ResourceOptions[Name] | null };

/** What of a container can be changed while it runs. @public */
export interface UpdateOptions extends OperationOptions {
  /** At once if it runs, and at each start from now on. */
  readonly resources?: ResourceChanges;
  /** Counts from the next end on. With `'no'`, a restart that is waited for does not come. */
  readonly restart?: ContainerSettings['restart'];
}

export const updateOptions = z.strictObject({
  resources: z
    .strictObject(
      Object.fromEntries(Object.entries(resourceOptions.shape).map(([name, option]) => [name, option.nullable()])),
    )
    .optional(),
  restart: restartOption.optional(),
});

/** Changes the limits of containers, in the kernel and in their records, and what else of their options may change. */
export class ResourceUpdater {
  readonly #host: CgroupHost;
  readonly #repository: ContainerRepository;
  readonly #states: StateReader;
  readonly #groups: ControlGroups;

  constructor(host: CgroupHost, repository: ContainerRepository, states: StateReader, groups: ControlGroups) {
    this.#host = host;
    this.#repository = repository;
    this.#states = states;
    this.#groups = groups;
  }

  /** Several processes may change one container at once: whoever finds its record changed begins anew. */
  async update(id: ContainerId, { resources, restart, signal }: UpdateOptions): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      const record = await this.#settled(id, signal);
      const options = {
        ...(record.options as ContainerSettings),
        ...(resources === undefined ? {} : { resources: merged(record, resources) }),
        ...(restart === undefined ? {} : { restart: structuredClone(restart) }),
      } as unknown as ContainerRecord['options'];
      const before = await this.#limits(optionsOf(record));
      const after = await this.#limits(parseContainerOptions(options));
      // Also for one that does not run: what cannot be had here is refused now.
      limitWrites(this.#host, after);
      checkCpus(after);
      await checkCpuset(this.#host, after);
      const isRunning = record.state.status === 'running';
      if (isRunning) await this.#apply(record, before, after);
      try {
        if (this.#repository.changeOptions(record, options)) return;
      } catch (error) {
        if (isRunning) await this.#apply(record, after, before).catch(() => {});
        throw error;
      }
    }
  }

  /** Not while it is being started: the limits that it is started with have been read. */
  async #settled(id: ContainerId, signal: AbortSignal | undefined): Promise<ContainerRecord> {
    for (;;) {
      const record = this.#states.refresh(presentRecord(this.#repository, id));
      if (record.state.status !== 'starting') return record;
      if (record.state.waiting === true)
        throw new HakoError(
          'CONTAINER_NOT_RUNNING',
          `Container '${record.name}' waits in a pool for a program. Give the pool its limits when you make it.`,
        );
      await pauseForStart(signal);
    }
  }

  async #limits(options: ParsedContainerOptions): Promise<Resources> {
    const resources = await resolveResources(options.resources, blockDeviceNumber);
    const hasPids = this.#host.controllers['pids'] !== undefined;
    return resources.pids !== undefined || !hasPids ? resources : { ...resources, pids: defaultPids };
  }

  async #apply(record: ContainerRecord, before: Resources, after: Resources): Promise<void> {
    let groups = groupsOf(record);
    for (const controller of controllersOfChange(this.#host, before, after))
      groups = await this.#groups.under(record, controller);
    await updateGroups(this.#host, groups, before, after);
  }
}

function merged(record: ContainerRecord, changes: ResourceChanges): ResourceOptions {
  const resources: Record<string, unknown> = { ...(record.options as ContainerSettings).resources };
  // They say the same thing: the one that is given does away with the other.
  const isGiven = (name: keyof ResourceOptions): boolean => changes[name] !== undefined && changes[name] !== null;
  if (isGiven('cpus')) for (const name of ['cpuQuota', 'cpuPeriod']) delete resources[name];
  if (isGiven('cpuQuota') || isGiven('cpuPeriod')) delete resources['cpus'];
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) continue;
    if (value === null) delete resources[name];
    // It is kept, and is not to change with what the caller does to it.
    else resources[name] = structuredClone(value);
  }
  return resources;
}
