import { HakoError } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { type CgroupPlan, planCgroup, resolveResources } from '../cgroup/index.ts';
import type { HostInfo } from '../contracts/host-info.ts';
import type { Degradation, IdRange } from '../contracts/isolation.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import type { PluginReference } from '../contracts/plugin-definition.ts';
import type { IsolationPlan, PrivilegeMode } from '../contracts/privilege-mode.ts';
import { blockDeviceNumber } from '../host/devices.ts';
import { realHostFiles } from '../host/files.ts';
import { grantedToAnyone, hasIds } from '../host/id-ranges.ts';
import { compileSeccompProfile, idEmulationFilter } from '../seccomp/index.ts';
import type { IdRangeRepository } from './id-ranges.ts';
import { checkLimits } from './limit-checks.ts';
import type { ParsedContainerOptions } from './options.ts';
import { isolationRequest, type SeccompProgram } from './spec/index.ts';

/** How a container is kept apart: the mode's plan, and what follows from it. */
export interface Isolation {
  readonly plan: IsolationPlan;
  readonly cgroup: CgroupPlan;
  readonly seccomp: SeccompProgram;
  readonly idEmulation: Uint8Array | null;
  readonly degraded: readonly Degradation[];
}

type Mode = Omit<PluginReference<'privilege'>, 'kind'>;

/** Where privilege modes come from: the plugin registry. */
export interface PrivilegeModeSource {
  mode(reference: Omit<PluginReference<'privilege'>, 'kind'>): Promise<PrivilegeMode>;
}

/** More processes than any service has, fewer than take a host down. Docker sets no limit; containerd's CRI 2,048 … 4,096 a pod. */
export const defaultPids = 4096;

/** Asks the container's privilege mode for a plan, and works out control groups and the seccomp program from it. */
export class IsolationPlanner {
  readonly #host: HostInfo;
  readonly #native: NativeBinding;
  readonly #modes: PrivilegeModeSource;
  readonly #ranges: IdRangeRepository;
  readonly #resolve: (nameOrId: string) => ContainerId;
  /** Of the container that was made last: most are started at once, and nothing of it is another by then. */
  #latest: {
    readonly id: ContainerId;
    readonly options: ParsedContainerOptions;
    readonly isolation: Isolation;
  } | null = null;

  constructor(
    host: HostInfo,
    native: NativeBinding,
    modes: PrivilegeModeSource,
    ranges: IdRangeRepository,
    resolve: (nameOrId: string) => ContainerId,
  ) {
    this.#host = host;
    this.#native = native;
    this.#modes = modes;
    this.#ranges = ranges;
    this.#resolve = resolve;
  }

  /**
   * Plans for a container that is not recorded yet, to refuse what a start would fail by: its own ids it gets from {@link reserve},
   * and whichever they are, nothing else of the plan depends on them.
   *
   * @throws HakoError as {@link plan} does
   */
  async check(id: ContainerId, mode: Mode, options: ParsedContainerOptions): Promise<void> {
    const privilege = await this.#modes.mode(mode);
    const { idRange: pool } = privilege;
    if (pool !== undefined && options.hostMount)
      throw new HakoError(
        'INVALID_OPTION',
        'hostMount cannot show the root of a container with ids of its own: its files belong to them inside only. Leave out one of the two.',
      );
    const isolation = await this.#planWith(
      privilege,
      id,
      options,
      pool === undefined ? null : { start: pool.start, size: pool.perContainer },
    );
    this.#latest = pool === undefined ? { id, options, isolation } : null;
    await checkLimits(options, this.#host);
  }

  /**
   * Gives the container its own ids, if its mode wants them.
   *
   * @throws HakoError `HAKO_ERR_IDS_EXHAUSTED`; `HAKO_ERR_HOST_UNSUPPORTED` when this process has not those of the pool.
   */
  async reserve(id: ContainerId, mode: Mode): Promise<void> {
    const { idRange: pool } = await this.#modes.mode(mode);
    if (pool === undefined) return;
    const range = this.#ranges.allocate(id, pool, grantedToAnyone(realHostFiles));
    if (!hasIds(range, realHostFiles))
      throw new HakoError(
        'HOST_UNSUPPORTED',
        `This process is in a user namespace that does not have the ids ${range.start} to ${range.start + range.size - 1}; start that one with them, or give ids that it has (idPool).`,
      );
  }

  /** @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED`, `HAKO_ERR_INVALID_OPTION`, `HAKO_ERR_INVALID_SECCOMP_PROFILE` */
  async plan(id: ContainerId, mode: Mode, options: ParsedContainerOptions): Promise<Isolation> {
    if (this.#latest?.id === id && this.#latest.options === options) return this.#latest.isolation;
    const privilege = await this.#modes.mode(mode);
    const idRange = privilege.idRange === undefined ? null : this.#ranges.find(id);
    return this.#planWith(privilege, id, options, idRange);
  }

  /** Whether the files of a container that has its ids are shown with those. */
  async shiftsRoot(id: ContainerId, mode: Mode, options: ParsedContainerOptions): Promise<boolean> {
    const { idRange: pool } = await this.#modes.mode(mode);
    return pool !== undefined && (await this.plan(id, mode, options)).plan.idmappedRoot;
  }

  async #planWith(
    privilege: PrivilegeMode,
    id: ContainerId,
    options: ParsedContainerOptions,
    idRange: IdRange | null,
  ): Promise<Isolation> {
    const request = await isolationRequest(options, this.#host, this.#resolve, idRange);
    const plan = privilege.plan(request);
    const cgroup = planCgroup(this.#host.cgroup, {
      id,
      resources: await resolveResources(options.resources, blockDeviceNumber),
      defaultPids,
      deviceRules: plan.deviceRules,
    });
    return {
      plan,
      cgroup,
      seccomp: this.seccomp(plan, plan.capabilities.bounding),
      idEmulation: this.idEmulation(plan),
      degraded: [...plan.degraded, ...cgroup.degraded],
    };
  }

  /** The filter by which calls that name ids come to the supervisor. */
  idEmulation({ idEmulation }: IsolationPlan): Uint8Array | null {
    return idEmulation === 'none' ? null : idEmulationFilter(this.#host.architecture, this.#native);
  }

  /** The filter for a process with these capabilities: profiles allow more calls to those who have the right to them. */
  seccomp({ seccomp }: IsolationPlan, capabilities: readonly string[]): SeccompProgram {
    if (seccomp === 'unconfined') return null;
    return compileSeccompProfile({
      profile: seccomp,
      architecture: this.#host.architecture,
      capabilities,
      kernel: this.#host.kernel,
      native: this.#native,
    });
  }
}
