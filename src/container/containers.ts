import { Disposer } from '../base/dispose.ts';
import { HakoError } from '../base/errors.ts';
import type { Gate } from '../base/gate.ts';
import { type ContainerId, newContainerId } from '../base/ids.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { PluginKind } from '../contracts/plugin-definition.ts';
import type { ActiveKey } from '../contracts/storage-driver.ts';
import { ownIdentity } from '../host/process-identity.ts';
import { given, givenName } from './call-options.ts';
import { Container, type RemoveOptions } from './container.ts';
import type { ContainerDirectories } from './container-directories.ts';
import type { ImageFinder } from './container-image.ts';
import type { ContainerLauncher } from './container-launcher.ts';
import type { HostMounts } from './host-mounts.ts';
import type { ContainerSummary } from './inspection.ts';
import type { IsolationPlanner } from './isolation.ts';
import type { ContainerListing, PruneResult } from './listing/container-listing.ts';
import { type ListOptions, type PruneOptions, parsePruneOptions } from './listing/list-options.ts';
import { parseName, randomName } from './name.ts';
import type { ContainerOperations } from './operations.ts';
import { type ContainerSettings, type ParsedContainerOptions, parseContainerOptions, recordable } from './options.ts';
import type { ContainerPool } from './pool/container-pool.ts';
import type { PoolOptions } from './pool/pool-options.ts';
import type { Pools } from './pool/pools.ts';
import type { QuarantinedContainers } from './quarantined.ts';
import type { ContainerRecord } from './record.ts';
import { rememberOptions } from './record-options.ts';
import type { ContainerRepository } from './repository.ts';
import { checkImageVolumes, commandOf } from './spec/index.ts';
import { checkStopSignal } from './stopper.ts';

/**
 * How to make a container of an image.
 *
 * @typeParam Choice - what an image can be named by
 * @public
 */
export type CreateOptions<Choice> = ContainerSettings & OperationOptions & { readonly image: Choice };

type Reference = ContainerRecord['mode'];

export interface ContainersParts<Choice> {
  readonly repository: ContainerRepository;
  readonly directories: Pick<ContainerDirectories, 'make'>;
  readonly launcher: Pick<ContainerLauncher, 'expect' | 'expectNoMore'>;
  readonly findImage: ImageFinder<Choice>;
  readonly planner: IsolationPlanner;
  readonly operations: ContainerOperations;
  readonly listing: ContainerListing;
  readonly hostMounts: HostMounts;
  readonly pools: Pools;
  readonly quarantined: QuarantinedContainers;
  /** Of the runtime. */
  readonly gate: Gate;
  readonly defaults: { readonly mode: Reference; readonly log: Reference };
  /** Checks that there is such a plugin, and that it takes these options. */
  checkPlugin(kind: PluginKind, reference: Reference): void;
  created(record: ContainerRecord, options: ParsedContainerOptions): void;
  /** Refuses a root that could not be mounted as the container's mode wants it. */
  checkRoot(record: ContainerRecord, options: ParsedContainerOptions): Promise<void>;
  /** Undoes what a creation that failed had made. */
  removeFiles(record: ContainerRecord): Promise<void>;
}

/**
 * The containers of a runtime, by whichever process on the same root they were made.
 *
 * @public
 */
export class Containers<Choice> {
  readonly #parts: ContainersParts<Choice>;

  /** @internal */
  constructor(parts: ContainersParts<Choice>) {
    this.#parts = parts;
  }

  /**
   * Makes a container; it does not run yet.
   *
   * @throws HakoError `HAKO_ERR_INVALID_OPTION`, `HAKO_ERR_INVALID_NAME`, `HAKO_ERR_IMAGE_NOT_FOUND`,
   * `HAKO_ERR_CONTAINER_NAME_IN_USE`, `HAKO_ERR_HOST_UNSUPPORTED` for what this host cannot give; nothing is left behind.
   */
  async create(input: CreateOptions<Choice>): Promise<Container> {
    const checked = given.create(input);
    return this.#parts.gate.passInTurn(() => this.#create(checked, false));
  }

  /** One that is started at once. @internal */
  async createToStart(input: CreateOptions<Choice>): Promise<Container> {
    const checked = given.create(input);
    return this.#parts.gate.passInTurn(() => this.#create(checked, true));
  }

  /**
   * Makes a pool of containers that are kept ready for programs. Resolves when the first one is. An image that is given by
   * its name is looked up for each of them.
   *
   * @throws HakoError as {@link Containers.create} does, and why a container could not be prepared; nothing is left behind.
   */
  pool(options: PoolOptions<Choice>): Promise<ContainerPool> {
    return this.#parts.pools.open(options, (settings) => this.create(settings));
  }

  async #create({ image: choice, signal, ...settings }: CreateOptions<Choice>, isToStart: boolean): Promise<Container> {
    signal?.throwIfAborted();
    const { findImage, repository, directories, launcher, planner, defaults } = this.#parts;
    const waiting = signal === undefined ? {} : { signal };
    const options = parseContainerOptions(settings);
    const image = await findImage(choice, waiting);
    const draft: ContainerRecord = {
      id: newContainerId(),
      name: options.name === undefined ? randomName() : parseName(options.name),
      createdAt: new Date().toISOString(),
      createdBy: ownIdentity(),
      image: { id: image.id, name: image.name },
      mode: options.mode ?? defaults.mode,
      log: options.log ?? defaults.log,
      options: recordable(settings) as ContainerRecord['options'],
      imageDefaults: image.defaults,
      // One that is ephemeral goes with its maker in any case, half made or whole.
      state: { status: options.ephemeral ? 'created' : 'creating' },
    };
    // What could not be started is refused now, where the mistake was made.
    commandOf(options, image.defaults);
    if (options.healthcheck?.call === true)
      throw new HakoError(
        'INVALID_OPTION',
        'healthcheck.call: give a function that says whether the container is healthy.',
      );
    checkStopSignal(options, image.defaults);
    checkImageVolumes(image.defaults.volumes);
    this.#parts.checkPlugin('log', draft.log);
    await planner.check(draft.id, draft.mode, options);

    await using undo = new Disposer();
    const record = repository.insert(draft);
    rememberOptions(record, options);
    undo.defer(() => repository.delete(record.id));
    await planner.reserve(record.id, record.mode);
    directories.make(record.id);
    if (isToStart) {
      launcher.expect(record.id);
      undo.defer(() => launcher.expectNoMore(record.id));
    }
    const key = record.id as string as ActiveKey;
    undo.defer(() => this.#parts.removeFiles(record));
    const { storageQuota: quota } = options;
    await image.prepare(key, record.mode, quota === undefined ? waiting : { ...waiting, quota });
    if (options.hostMount) await this.#parts.hostMounts.check(key);
    await this.#parts.checkRoot(record, options);
    signal?.throwIfAborted();
    if (record.state.status === 'creating' && !repository.changeState(record, { status: 'created' }))
      throw new HakoError('CONTAINER_NOT_FOUND', `Container '${record.name}' was removed while it was being made.`);
    undo.release();
    this.#parts.created(record, options);
    return this.#handle(record, options.ephemeral);
  }

  /**
   * A handle on a container; closing it never removes the container.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_FOUND`
   */
  async get(nameOrId: string): Promise<Container> {
    return this.#handle(this.#find(givenName(nameOrId, 'A container')));
  }

  /**
   * Containers, the newest first; also those that do not run, unless options say otherwise.
   *
   * @throws HakoError `HAKO_ERR_INVALID_OPTION`, `HAKO_ERR_CONTAINER_NOT_FOUND` for one that `before` or `since` names.
   */
  async list(options: ListOptions = {}): Promise<readonly ContainerSummary[]> {
    return this.#parts.listing.list(options, (nameOrId) => Date.parse(this.#find(nameOrId).createdAt));
  }

  /**
   * Removes the containers that do not run.
   *
   * @throws HakoError `HAKO_ERR_INVALID_OPTION`; `signal.reason` when aborted: those that are removed stay removed.
   */
  async prune(options: PruneOptions = {}): Promise<PruneResult> {
    const parsed = parsePruneOptions(options);
    return this.#parts.gate.pass(() => this.#parts.listing.prune(parsed));
  }

  /**
   * Removes what is left of a container whose record could not be read and was put aside (`runtime.info().quarantined`):
   * its files, its log, and that record.
   *
   * @param id - all of it
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_FOUND`; `HAKO_ERR_CONTAINER_RUNNING` without `force`.
   */
  async removeQuarantined(id: string, options: RemoveOptions = {}): Promise<void> {
    await this.#parts.quarantined.remove(givenName(id, 'A container'), options);
  }

  /** The id of a container by name, id, or a prefix of the id. @internal */
  resolve(nameOrId: string): ContainerId {
    return this.#find(nameOrId).id;
  }

  #find(nameOrId: string): ContainerRecord {
    const record = this.#parts.repository.resolve(nameOrId);
    if (record === null || record.state.status === 'removing') {
      throw new HakoError(
        'CONTAINER_NOT_FOUND',
        `There is no container '${nameOrId}'. List those that there are with runtime.containers.list().`,
      );
    }
    return record;
  }

  #handle(record: ContainerRecord, ephemeral = false): Container {
    return new Container(this.#parts.operations, record, ephemeral);
  }
}
