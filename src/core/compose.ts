import { Disposer } from '../base/dispose.ts';
import { Gate } from '../base/gate.ts';
import { packageVersion } from '../base/package-version.ts';
import { closeCgroups, openCgroups } from '../cgroup/index.ts';
import { ContentStore } from '../content/content-store.ts';
import type { EventRecorder } from '../contracts/events.ts';
import {
  ContainerRepositoryToken,
  EventBusToken,
  EventRecorderToken,
  HealthRepositoryToken,
  HostInfoToken,
  IdRangeRepositoryToken,
  ImageRepositoryToken,
  LeaseRepositoryToken,
  NativeBindingToken,
  NativeServicesToken,
  RuntimePathsToken,
  StorageDriverToken,
  TreeWorkerToken,
} from '../contracts/tokens.ts';
import { detectHost } from '../host/detect.ts';
import { GarbageCollector } from '../image/garbage-collector.ts';
import { HostRootStorage } from '../image/host/host-root-storage.ts';
import { ImageCommitter } from '../image/image-committer.ts';
import { ImageImporter } from '../image/image-importer.ts';
import { ImageService } from '../image/image-service.ts';
import { NativeTreeWorker } from '../image/native-tree-worker.ts';
import { UnpackService } from '../image/unpack-service.ts';
import { loadNativeBinding } from '../native/binding.ts';
import { locateNative } from '../native/loader.ts';
import { HostFileServices } from '../native/native-services.ts';
import { Worker } from '../native/worker.ts';
import { PluginRegistry } from '../plugins/registry.ts';
import { runtimeClosed } from './closed.ts';
import { composeContainers } from './compose-containers.ts';
import { builtinPlugins, defaultLog, preferredModes } from './defaults.ts';
import { EventStream } from './events/event-stream.ts';
import { Images } from './images.ts';
import { Injector } from './injector.ts';
import { observedContainers, observedImages } from './observed-operations.ts';
import type { ParsedRuntimeOptions } from './options.ts';
import { Peers } from './peers.ts';
import { publicError } from './public-error.ts';
import { defaultRoot, prepareRoot } from './root.ts';
import { claimRoot } from './root-claim.ts';
import type { RuntimeParts } from './runtime.ts';
import { RuntimeEventBus } from './runtime-events.ts';
import { settleStorage } from './settle-storage.ts';
import { Checkpointer } from './state/checkpointer.ts';
import { SqliteContainerRepository } from './state/container-repository.ts';
import { Database } from './state/database.ts';
import { EventLog } from './state/event-log.ts';
import { SqliteHealthRepository } from './state/health-repository.ts';
import { SqliteIdRangeRepository } from './state/id-range-repository.ts';
import { SqliteImageRepository } from './state/image-repository.ts';
import { SqliteLeaseRepository } from './state/lease-repository.ts';
import { Properties } from './state/properties.ts';
import { Quarantine } from './state/quarantine.ts';
import { loadSqlite } from './state/sqlite.ts';
import { StoreAccess } from './state/store-access.ts';

/** Puts a runtime together. What was opened before a failure is closed again. */
export async function compose(options: ParsedRuntimeOptions): Promise<RuntimeParts> {
  loadSqlite();
  await using opened = new Disposer();
  const injector = new Injector();
  const events = new RuntimeEventBus();
  const warn = (message: string, cause?: unknown) => void events.emit('warning', { message, cause });
  injector.value(EventBusToken, events);

  const files = locateNative(options.nativeDirectory);
  const native = loadNativeBinding(files);
  injector.value(NativeBindingToken, native);
  const openGroups = () => openCgroups(options.cgroupParent === undefined ? {} : { parent: options.cgroupParent });
  const cgroup = await openGroups();
  opened.defer(() => closeCgroups(cgroup));
  const host = detectHost(await native.probe(), cgroup);
  injector.value(HostInfoToken, host);

  const paths = prepareRoot(options.root ?? defaultRoot());
  injector.value(RuntimePathsToken, paths);
  const worker = opened.use(await Worker.open(native, files.worker));
  const services = new HostFileServices(native, worker, () => ownMappings());
  opened.use(await claimRoot(paths.claims, native, services));
  const database = opened.use(new Database(paths.database));
  opened.use(new Checkpointer(database, paths.database, warn));
  const access = opened.use(new StoreAccess(paths.database));
  const history = opened.use(new EventLog(database, warn, () => access.isFree()));
  const quarantine = new Quarantine(database, warn);
  composeState(injector, database, history, quarantine);
  recordImages(events, history);

  injector.value(NativeServicesToken, services);
  injector.value(TreeWorkerToken, new NativeTreeWorker(worker, () => ownMappings()));

  const closing = new AbortController();
  const plugins = opened.use(
    new PluginRegistry({ root: paths.root, host, native: services, signal: closing.signal, warn }),
  );
  opened.defer(() => closing.abort());
  for (const plugin of [...builtinPlugins, ...options.plugins]) plugins.register(plugin);

  const defaults = {
    storage: settleStorage(new Properties(database), plugins, options.storage, paths.root),
    mode: options.mode ?? {
      driver: host.uid === 0 && !host.inUserNamespace ? preferredModes.root : preferredModes.user,
      options: {},
    },
    log: options.log ?? defaultLog,
  };
  for (const kind of ['privilege', 'log'] as const) plugins.check(kind, kind === 'log' ? defaults.log : defaults.mode);
  const storage = new HostRootStorage(await plugins.instance('storage', defaults.storage), paths.root, host);
  injector.value(StorageDriverToken, storage);

  for (const service of [ContentStore, UnpackService, ImageImporter, ImageCommitter, GarbageCollector, ImageService])
    injector.service<unknown>(service);
  await injector.get(ContentStore).open();
  const ownershipOf = async (mode: typeof defaults.mode) => (await plugins.instance('privilege', mode)).ownership;
  // Until the mode is known nothing of the root's has been touched.
  const ownMappings = async () => {
    const ownership = await ownershipOf(defaults.mode);
    return host.uid !== 0 && ownership.kind !== 'same' ? ownership.idMappings : null;
  };
  const gate = new Gate(runtimeClosed, publicError, () => access.free());
  const images = new Images(injector.get(ImageService), () => ownershipOf(defaults.mode), gate);
  let collected = Promise.resolve();
  opened.defer(() => collected);
  const stream = new EventStream(history, paths.database, gate.signal);
  const { containers, putRight, close } = await composeContainers({
    stream,
    quarantine,
    injector,
    plugins,
    storage,
    paths,
    native,
    services,
    host,
    defaults,
    ownershipOf,
    worker,
    ownMappings,
    openGroups,
    gate,
    events,
    warn,
  });
  let timeout = 0;
  opened.defer(() => close(timeout));
  const collector = injector.get(GarbageCollector);
  const collect = () => {
    if (collector.isNeeded) collected = collected.then(() => collectInBackground(collector, gate.signal, warn));
  };
  collect();
  const inherit = async () => {
    collect();
    await Promise.all([injector.get(ContentStore).forgetDead(), putRight()]);
  };
  const warnWhileOpen = (message: string, cause: unknown) => {
    if (!gate.signal.aborted) warn(message, cause);
  };
  opened.use(new Peers(paths.claims, native, inherit, warnWhileOpen));

  const held = opened.move();
  return {
    images: observedImages(images, paths.root),
    containers: observedContainers(containers, paths.root),
    root: paths.root,
    events,
    history: stream,
    register: (plugin) => plugins.register(plugin),
    info: () => ({
      version: packageVersion(),
      root: paths.root,
      nativeDirectory: files.directory,
      host,
      plugins: plugins.list(),
      defaults: { storage: defaults.storage.driver, mode: defaults.mode.driver, log: defaults.log.driver },
      quarantined: quarantine.list(),
    }),
    close: (patience) => {
      timeout = patience;
      return held[Symbol.asyncDispose]();
    },
  };
}

/** What killed processes have left keeps nobody waiting, and is the next one's when this one closes first. */
async function collectInBackground(
  collector: GarbageCollector,
  signal: AbortSignal,
  warn: (message: string, cause: unknown) => void,
): Promise<void> {
  try {
    await collector.collect({ signal });
  } catch (cause) {
    if (!signal.aborted)
      warn('What a killed process has left could not be removed yet; the next runtime tries again.', cause);
  }
}

function composeState(injector: Injector, database: Database, history: EventLog, quarantine: Quarantine): void {
  injector.value(EventRecorderToken, history);
  injector.value(IdRangeRepositoryToken, new SqliteIdRangeRepository(database));
  injector.value(ContainerRepositoryToken, new SqliteContainerRepository(database, quarantine, history));
  injector.value(HealthRepositoryToken, new SqliteHealthRepository(database));
  injector.value(ImageRepositoryToken, new SqliteImageRepository(database, quarantine));
  injector.value(LeaseRepositoryToken, new SqliteLeaseRepository(database));
}

function recordImages(events: RuntimeEventBus, history: EventRecorder): void {
  events.on('image:import', ({ id, name }) => history.record({ type: 'image', action: 'import', id, name }));
  events.on('image:remove', ({ id }) => history.record({ type: 'image', action: 'delete', id, name: '' }));
}
