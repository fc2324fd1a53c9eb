import type { ContainerId } from '../base/ids.ts';
import { type CgroupPlan, planCgroup, resolveResources } from '../cgroup/index.ts';
import type { HostInfo } from '../contracts/host-info.ts';
import type { Degradation } from '../contracts/isolation.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import type { PluginReference } from '../contracts/plugin-definition.ts';
import type { IsolationPlan, PrivilegeMode } from '../contracts/privilege-mode.ts';
import { blockDeviceNumber } from '../host/devices.ts';
import { compileSeccompProfile, idEmulationFilter } from '../seccomp/index.ts';
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
  readonly #resolve: (nameOrId: string) => ContainerId;

  constructor(
    host: HostInfo,
    native: NativeBinding,
    modes: PrivilegeModeSource,
    resolve: (nameOrId: string) => ContainerId,
  ) {
    this.#host = host;
    this.#native = native;
    this.#modes = modes;
    this.#resolve = resolve;
  }

  /** @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED`, `HAKO_ERR_INVALID_OPTION`, `HAKO_ERR_INVALID_SECCOMP_PROFILE` */
  async plan(
    id: ContainerId,
    mode: Omit<PluginReference<'privilege'>, 'kind'>,
    options: ParsedContainerOptions,
  ): Promise<Isolation> {
    const request = await isolationRequest(options, this.#host, this.#resolve);
    const plan = (await this.#modes.mode(mode)).plan(request);
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

  /** What a start would fail by, besides. @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` */
  check(options: ParsedContainerOptions): Promise<void> {
    return checkLimits(options, this.#host);
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
