import { join } from 'node:path';
import type { Gate } from '../base/gate.ts';
import type { ContainerId } from '../base/ids.ts';
import { ContainerDirectories } from '../container/container-directories.ts';
import { containerEvent } from '../container/container-event.ts';
import { ContainerLauncher } from '../container/container-launcher.ts';
import { ContainerNetwork } from '../container/container-network.ts';
import { Containers } from '../container/containers.ts';
import { EventHub } from '../container/event-hub.ts';
import { ExecLauncher } from '../container/exec-launcher.ts';
import { ExecRegister } from '../container/execs/exec-register.ts';
import { ForeignEvents } from '../container/foreign-events.ts';
import { Forgetting } from '../container/forgetting.ts';
import type { HealthRepository } from '../container/health/health-repository.ts';
import { HealthService } from '../container/health/health-service.ts';
import { Prober } from '../container/health/prober.ts';
import { HostMounts } from '../container/host-mounts.ts';
import type { IdRangeRepository } from '../container/id-ranges.ts';
import { Inspector } from '../container/inspection.ts';
import { IsolationPlanner } from '../container/isolation.ts';
import { Halter } from '../container/keeping/halter.ts';
import { Keeper } from '../container/keeping/keeper.ts';
import { Restarter } from '../container/keeping/restarter.ts';
import { SupervisorLauncher } from '../container/launcher.ts';
import { ContainerListing } from '../container/listing/container-listing.ts';
import { journaledContainer, loggedContainer } from '../container/logged-container.ts';
import { ContainerOperations } from '../container/operations.ts';
import { Pools } from '../container/pool/pools.ts';
import { QuarantinedContainers, type QuarantinedRecords } from '../container/quarantined.ts';
import type { ContainerRecord } from '../container/record.ts';
import { goesWithHandle, optionsOf } from '../container/record-options.ts';
import { Removals } from '../container/removals.ts';
import { Remover } from '../container/remover.ts';
import type { ContainerRepository } from '../container/repository.ts';
import { ShiftedRoots } from '../container/shifted-roots.ts';
import { StateReader } from '../container/state-reader.ts';
import { Stopper } from '../container/stopper.ts';
import { Supervision } from '../container/supervision.ts';
import { UnwrittenRuns } from '../container/unwritten-runs.ts';
import { Waiter } from '../container/waiter.ts';
import type { EventRecorder } from '../contracts/events.ts';
import type { HostInfo } from '../contracts/host-info.ts';
import type { IdMappings } from '../contracts/isolation.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import type { NativeServices } from '../contracts/native-services.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import type { ActiveKey } from '../contracts/storage-driver.ts';
import {
  ContainerRepositoryToken,
  EventRecorderToken,
  HealthRepositoryToken,
  IdRangeRepositoryToken,
} from '../contracts/tokens.ts';
import type { HostRootStorage } from '../image/host/host-root-storage.ts';
import { ImageService } from '../image/image-service.ts';
import { FileWatch } from '../log/file-watch.ts';
import { JournalDeliveries } from '../log/journal-deliveries.ts';
import { LogService } from '../log/log-service.ts';
import type { Worker } from '../native/worker.ts';
import type { PluginRegistry } from '../plugins/registry.ts';
import { composeFiles } from './compose-files.ts';
import { composeResources } from './compose-resources.ts';
import type { EventStream } from './events/event-stream.ts';
import { imageFinder } from './image-finder.ts';
import type { Injector } from './injector.ts';
import { imageNamed, observedContainer } from './observed-operations.ts';
import { type RecoveryParts, recover } from './recovery.ts';
import type { RuntimePaths } from './root.ts';
import type { ImageChoice } from './runtime.ts';
import type { RuntimeEventBus } from './runtime-events.ts';

type Reference = ContainerRecord['mode'];

interface ContainerSurroundings {
  readonly injector: Injector;
  readonly plugins: PluginRegistry;
  readonly storage: HostRootStorage;
  readonly paths: RuntimePaths;
  readonly native: NativeBinding;
  readonly services: NativeServices;
  readonly host: HostInfo;
  readonly defaults: { readonly storage: Reference; readonly mode: Reference; readonly log: Reference };
  readonly events: RuntimeEventBus;
  readonly stream: EventStream;
  readonly quarantine: QuarantinedRecords;
  ownershipOf(mode: Reference): Promise<FileOwnership>;
  readonly worker: Worker;
  /** The ids that this user may map, for an ordinary user; null for root. */
  ownMappings(): Promise<IdMappings | null>;
  /** Of whatever needs the runtime until it is done. */
  readonly gate: Gate;
  /** Makes the parents of containers' control groups. */
  openGroups(): Promise<unknown>;
  warn(message: string, cause?: unknown): void;
}

/** Puts together what containers need, and puts right what others have left. */
export async function composeContainers(
  around: ContainerSurroundings,
): Promise<{ containers: Containers<ImageChoice>; putRight(): Promise<void>; close(timeout: number): Promise<void> }> {
  const { injector, plugins, storage, paths, native, services, host, defaults, events, gate, warn } = around;
  const repository = injector.get<ContainerRepository>(ContainerRepositoryToken);
  const unwritten = new UnwrittenRuns(repository);
  const states = new StateReader(repository, paths.containers, native, unwritten);
  const history = injector.get<EventRecorder>(EventRecorderToken);
  const logs = new LogService({ driver: (reference) => plugins.instance('log', reference) });
  const deliveries = new JournalDeliveries(logs, services.lock.bind(services), warn);
  const journaled = (record: ContainerRecord) => journaledContainer(record, states.directory(record.id));
  const hub = new EventHub();
  /** Those that were made here and are to go with their handles, whether they run or not. */
  const ephemeral = new Set<ContainerId>();
  const event = ({ id, name }: ContainerRecord) => ({ id, name, time: new Date() });

  const launcher = new SupervisorLauncher(native);
  const supervision = new Supervision(states, launcher, {
    adopted: (supervised) => {
      deliveries.follow(journaled(supervised.record), supervised.ended);
      keeper.adopted(supervised);
      forgetting.met();
    },
    exited: (record, exit) => {
      if (record.state.status === 'running') foreign.told(record.id, record.state.startedAt);
      hub.exited(record.id, exit);
      events.emit('container:exit', { ...event(record), ...exit });
    },
    oom: (record, kills) => {
      hub.oom(record.id, { kills });
      events.emit('container:oom', { ...event(record), kills });
    },
    logRotated: (record) => {
      logs
        .rotated(loggedContainer(record, states.directory(record.id)))
        .catch((error: unknown) => warn(`A rotated log file of '${record.name}' could not be compressed.`, error));
    },
  });
  const planner: IsolationPlanner = new IsolationPlanner(
    host,
    native,
    { mode: (reference) => plugins.instance('privilege', reference) },
    injector.get<IdRangeRepository>(IdRangeRepositoryToken),
    (name) => containers.resolve(name),
  );
  const hostMounts = new HostMounts(storage, services, host.uid === 0);
  const shifted = new ShiftedRoots(native, host.kernel);
  const directories = ContainerDirectories.open({ ...paths, native, warn });
  const remover = new Remover(repository, states, storage, hostMounts, directories, {
    has: (record) => deliveries.has(journaled(record)),
    finish: (record) => deliveries.finish(journaled(record)),
  });
  const execs = new ExecLauncher({ states, planner, launcher, host });
  const register = new ExecRegister(history);
  const prober = new Prober(execs, native, new ContainerNetwork(native, around.worker));
  const health = new HealthService(injector.get<HealthRepository>(HealthRepositoryToken), prober, {
    changed: (supervised, status) => {
      const { record } = supervised;
      hub.healthChanged(record.id, status);
      events.emit('container:health', { ...event(record), status });
      history.record(containerEvent(record, 'health_status', { status }));
      if (status === 'unhealthy') keeper.unhealthy(supervised);
    },
    warn,
  });
  const inspector = new Inspector(states, planner, { name: defaults.storage.driver, driver: storage }, logs, health);
  const containerLauncher = new ContainerLauncher({
    repository,
    states,
    planner,
    storage,
    logs,
    launcher,
    supervision,
    unwritten,
    native,
    host,
    hostMounts,
    openGroups: around.openGroups,
    started: (record, pid) => void events.emit('container:start', { ...event(record), pid }),
  });
  const resources = composeResources({
    host,
    native,
    repository,
    states,
    supervision,
    gate,
    history,
    events,
    keep: (id) => keeper.policyChanged(id),
    openGroups: around.openGroups,
  });
  const restarter = new Restarter({ repository, states, launcher: containerLauncher, gate, warn });
  const halter = new Halter(repository, states, restarter);
  const stopper = new Stopper(states, supervision, halter, resources, history);
  const keeper: Keeper = new Keeper({
    repository,
    supervision,
    restarter,
    health,
    stopper,
    gate,
    removeAtRest: (id) => gate.passInTurn(() => operations.removeAtRest(id)),
    warn,
  });
  const files = composeFiles({ ...around, repository, states, supervision });
  const feed = {
    last: () => around.stream.last(),
    read: (after: number, signal: AbortSignal) => around.stream.containersAfter(after, signal),
  };
  const foreign: ForeignEvents = new ForeignEvents(repository, supervision, hub, feed, (id) => keeper.keeps(id));
  const forgetting = new Forgetting(repository, [keeper, register, foreign, hub]);
  const removals = new Removals({
    repository,
    states,
    supervision,
    unwritten,
    halter,
    remover,
    removed: (record) => {
      ephemeral.delete(record.id);
      containerLauncher.expectNoMore(record.id);
      forgetting.forget(record.id);
      events.emit('container:remove', event(record));
    },
  });
  const operations: ContainerOperations = new ContainerOperations({
    files,
    resources,
    repository,
    states,
    supervision,
    removals,
    logs,
    inspector,
    events: hub,
    foreign,
    launcher: containerLauncher,
    keeper,
    stopper,
    waiter: new Waiter(
      repository,
      states,
      supervision,
      () => new FileWatch(`${paths.database}-wal`, () => {}),
      (id) => around.stream.lastEnd(id),
    ),
    history,
    execs,
    register,
    gate,
    listened: () => forgetting.met(),
  });
  const pools = new Pools(operations, (image) => ({ root: paths.root, ...imageNamed(image) }), warn);
  const containers: Containers<ImageChoice> = new Containers<ImageChoice>({
    repository,
    directories,
    launcher: containerLauncher,
    planner,
    operations: observedContainer(operations, repository, paths.root),
    pools,
    quarantined: new QuarantinedContainers({
      ...{ records: around.quarantine, repository, states, remover, launcher, native, gate },
    }),
    listing: new ContainerListing({
      repository,
      inspector,
      storage,
      history,
      remove: (id) => operations.removeAtRest(id),
    }),
    hostMounts,
    findImage: imageFinder(
      injector.get(ImageService),
      storage,
      (mode) => plugins.instance('privilege', mode),
      (key) => join(paths.containers, key),
    ),
    defaults,
    checkPlugin: (kind, reference) => plugins.check(kind, reference),
    gate,
    created: (record, { healthcheck }) => {
      if (typeof healthcheck?.call === 'function') health.setCall(record.id, healthcheck.call);
      if (goesWithHandle(record)) ephemeral.add(record.id);
      events.emit('container:create', event(record));
    },
    checkRoot: async ({ id, mode }, options) => {
      if (await planner.shiftsRoot(id, mode, options))
        await shifted.check(await storage.mounts(id as string as ActiveKey));
    },
    removeFiles: (record) => remover.removeFiles(record),
  });

  const background = new Set<Promise<void>>();
  const recovery: RecoveryParts = {
    repository,
    states,
    remover,
    hasJournal: (id) => deliveries.has({ directory: states.directory(id) }),
    logStatus: (record) => {
      if (!deliveries.has(journaled(record))) return 'none';
      return plugins.has('log', record.log.driver) ? 'journal' : 'foreign';
    },
    deliverLog: async (record) => {
      // One that is found is followed because it is adopted.
      if ((await supervision.find(record)) === null) deliveries.follow(journaled(record), Promise.resolve());
    },
    takeUp: async (record) => {
      await files.release(record);
      await keeper.takeUp(record);
    },
    background: (work) => {
      background.add(work);
      void work.then(() => background.delete(work));
    },
    warn,
  };
  const putRight = async () => {
    await recover(recovery);
    recovery.background(
      files
        .clearLeftCopies()
        .catch((error: unknown) => warn('Copies that were cut short could not be cleared up.', error)),
    );
  };
  await putRight();

  const close = async (timeout: number) => {
    await gate.close();
    keeper.close();
    await execs[Symbol.asyncDispose]();
    await pools.close();
    await endContainers(supervision, operations, removals, timeout, warn);
    await Promise.all([...ephemeral].map((id) => removals.removeIfPresent(id)));
    await deliveries[Symbol.asyncDispose]();
    await supervision.allGone();
    await directories[Symbol.asyncDispose]();
    await Promise.all(background);
    await launcher[Symbol.asyncDispose]();
  };
  return { containers, putRight: () => gate.pass(putRight), close };
}

/**
 * Ends what would end with this process anyway, so that its end is recorded, after so many seconds by force; lets go of
 * the rest.
 */
async function endContainers(
  supervision: Supervision,
  operations: ContainerOperations,
  removals: Removals,
  timeout: number,
  warn: ContainerSurroundings['warn'],
): Promise<void> {
  await Promise.all(
    supervision.live().map(async ({ record, session, owned }) => {
      const { detached, ephemeral, autoRemove } = optionsOf(record);
      try {
        if (!owned || detached) return await session.close();
        const goes = ephemeral || autoRemove;
        if (timeout > 0 || !goes) await operations.stop(record.id, { timeout });
        if (goes) await removals.removeIfPresent(record.id);
      } catch (error) {
        // The others are to be ended all the same.
        warn(`Container '${record.name}' could not be ended: ${(error as Error).message}`, error);
      }
    }),
  );
}
