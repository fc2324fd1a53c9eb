import { setTimeout as sleep } from 'node:timers/promises';
import { HakoError } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { type CgroupReader, type Pressure, type ResourceUsage, readPressure, readUsage } from '../cgroup/index.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { groupsOf } from './control-groups.ts';
import { type HostFigures, readHostFigures } from './host-figures.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerRepository } from './repository.ts';
import type { Supervision } from './supervision.ts';

/** What there is to read of a container at one moment. @public */
export interface StatsReading extends ResourceUsage {
  /** When it was read. */
  readonly time: Date;
  /** The host's figures at the same time. */
  readonly host: HostFigures;
}

/**
 * What a container uses, and how hard it is pressed for it. A figure that this host does not keep is null, never 0.
 *
 * @public
 */
export interface ContainerStats extends StatsReading {
  readonly id: ContainerId;
  readonly name: string;
  /** The reading before this one; null for the first. */
  readonly previous: StatsReading | null;
  /** Percent of one CPU since the previous reading, as `docker stats` counts: two busy CPUs are 200. */
  readonly cpuPercent: number | null;
  /** Percent of the limit, or of the machine's memory when there is none. */
  readonly memoryPercent: number | null;
  /** Null where the kernel keeps none. */
  readonly pressure: Pressure | null;
}

/** How often to look. @public */
export interface StatsOptions extends OperationOptions {
  /**
   * Seconds between two readings. For `watchStats` 1 by default; for `stats`, it makes two readings instead of one, so
   * that there is a `cpuPercent`.
   */
  readonly interval?: number;
}

/** Reads what containers use. Nothing is kept between two readings but the first of them. */
export class StatsReader {
  readonly #host: CgroupHost;
  readonly #repository: ContainerRepository;
  readonly #supervision: Supervision;
  readonly #files: CgroupReader;

  constructor(host: CgroupHost, repository: ContainerRepository, supervision: Supervision, files: CgroupReader) {
    this.#host = host;
    this.#repository = repository;
    this.#supervision = supervision;
    this.#files = files;
  }

  async read(record: ContainerRecord, { interval, signal }: StatsOptions): Promise<ContainerStats> {
    await this.#supervision.require(record);
    const first = await this.#read(record, null);
    if (interval === undefined) return first;
    await sleep(interval * 1000, undefined, signal === undefined ? {} : { signal }).catch(reasonOf(signal));
    return this.#read(record, first);
  }

  /** Ends when the container does. Nothing is read while nobody asks. */
  async *watch(record: ContainerRecord, { interval = 1, signal }: StatsOptions): AsyncGenerator<ContainerStats> {
    const { ended } = await this.#supervision.require(record);
    const over = new AbortController();
    const end = () => over.abort();
    ended.then(end, end);
    const either = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
    let previous: ContainerStats | null = null;
    for (let due = performance.now(); ; due = Math.max(due + interval * 1000, performance.now())) {
      await sleep(Math.max(0, due - performance.now()), undefined, { signal: either }).catch(reasonOf(signal));
      if (over.signal.aborted) return;
      previous = await this.#read(record, previous);
      yield previous;
    }
  }

  async #read(record: ContainerRecord, before: ContainerStats | null): Promise<ContainerStats> {
    const groups = groupsOf(this.#repository.find(record.id));
    if (groups.length === 0) throw this.#nothingToRead(record);
    const [usage, pressure, host] = await Promise.all([
      readUsage(groups, this.#files),
      readPressure(groups, this.#files),
      readHostFigures(this.#files),
    ]);
    const previous: StatsReading | null = before === null ? null : readingOf(before);
    const { total, usage: used, limit } = usage.memory;
    return {
      id: record.id,
      name: record.name,
      time: new Date(),
      ...usage,
      host,
      previous,
      cpuPercent: previous === null ? null : cpuPercent(usage, host, previous),
      memoryPercent:
        used === null || total === null ? null : (100 * used) / Math.min(limit ?? host.memory, host.memory),
      pressure,
    };
  }

  #nothingToRead({ name, state }: ContainerRecord): HakoError {
    if (state.status !== 'running')
      return new HakoError('CONTAINER_NOT_RUNNING', `Container '${name}' is not running. Start it first.`);
    const reason = this.#host.missing['memory'] ?? 'no control group hierarchy is mounted';
    return new HakoError(
      'HOST_UNSUPPORTED',
      `What container '${name}' uses is not known, because it is in no control group: ${reason}.`,
    );
  }
}

/** How docker's own client counts (docker/cli, calculateCPUPercentUnix). */
function cpuPercent(usage: ResourceUsage, host: HostFigures, previous: StatsReading): number | null {
  if (usage.cpu.usage === null || previous.cpu.usage === null) return null;
  const machine = host.cpuTime - previous.host.cpuTime;
  return machine <= 0 ? 0 : ((usage.cpu.usage - previous.cpu.usage) / machine) * host.onlineCpus * 100;
}

function readingOf({ time, memory, cpu, pids, io, host }: ContainerStats): StatsReading {
  return { time, memory, cpu, pids, io, host };
}

/** A sleep that was cut short has an error of its own; callers get the reason that they gave. */
function reasonOf(signal: AbortSignal | undefined): () => void {
  return () => signal?.throwIfAborted();
}
