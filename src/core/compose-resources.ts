import type { Gate } from '../base/gate.ts';
import type { ContainerId } from '../base/ids.ts';
import { GatheredReads } from '../cgroup/index.ts';
import { containerEvent } from '../container/container-event.ts';
import { ControlGroups } from '../container/control-groups.ts';
import { Pausing } from '../container/pausing.ts';
import type { ContainerRecord } from '../container/record.ts';
import type { ContainerRepository } from '../container/repository.ts';
import { ResourceOperations } from '../container/resource-operations.ts';
import { ResourceUpdater } from '../container/resources.ts';
import type { StateReader } from '../container/state-reader.ts';
import { StatsReader } from '../container/stats.ts';
import type { Supervision } from '../container/supervision.ts';
import type { EventRecorder } from '../contracts/events.ts';
import type { HostInfo } from '../contracts/host-info.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import type { RuntimeEventBus } from './runtime-events.ts';

interface ResourceSurroundings {
  readonly host: HostInfo;
  readonly native: NativeBinding;
  readonly repository: ContainerRepository;
  readonly states: StateReader;
  readonly supervision: Supervision;
  readonly gate: Gate;
  readonly history: EventRecorder;
  readonly events: RuntimeEventBus;
  /** A container's restart policy is another now. */
  keep(id: ContainerId): Promise<void>;
  /** Makes the parents of containers' control groups. */
  openGroups(): Promise<unknown>;
}

/** Puts together what limits containers, holds them and measures them. */
export function composeResources(around: ResourceSurroundings): ResourceOperations {
  const { host, repository, states, supervision, gate, history, events } = around;
  const groups = new ControlGroups(host.cgroup, repository, supervision, around.openGroups);
  const tell = (record: ContainerRecord, action: 'pause' | 'unpause' | 'update') => {
    history.record(containerEvent(record, action));
    events.emit(`container:${action}`, { id: record.id, name: record.name, time: new Date() });
  };
  return new ResourceOperations({
    repository,
    pausing: new Pausing(repository, states, groups),
    updater: new ResourceUpdater(host.cgroup, repository, states, groups),
    stats: new StatsReader(host.cgroup, repository, supervision, new GatheredReads(around.native)),
    gate,
    keep: around.keep,
    told: tell,
  });
}
