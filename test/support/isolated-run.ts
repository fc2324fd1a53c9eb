import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ContainerId, newContainerId } from '../../src/base/ids.ts';
import { hasCode } from '../../src/cgroup/files.ts';
import { type CgroupPlan, openCgroups, planCgroup, resolveResources } from '../../src/cgroup/index.ts';
import { type ContainerSettings, parseContainerOptions, parseExecOptions } from '../../src/container/options.ts';
import {
  compileExec,
  compileStart,
  hostnameOf,
  isolationRequest,
  joinedNamespaces,
  type SeccompProgram,
  type StartContext,
  writeEtcFiles,
} from '../../src/container/spec/index.ts';
import type { CgroupHost, HostInfo } from '../../src/contracts/host-info.ts';
import type { NativeServices } from '../../src/contracts/native-services.ts';
import type { JsonValue } from '../../src/contracts/plugin-definition.ts';
import type { IsolationPlan } from '../../src/contracts/privilege-mode.ts';
import { detectHost } from '../../src/host/detect.ts';
import { blockDeviceNumber } from '../../src/host/devices.ts';
import { loadNativeBinding } from '../../src/native/binding.ts';
import { locateNative } from '../../src/native/loader.ts';
import type { StartRequest } from '../../src/native/protocol.ts';
import type { ContainerDefaults } from '../../src/oci/image-config.ts';
import { compileSeccompProfile, idEmulationFilter } from '../../src/seccomp/index.ts';
import type { Rootfs } from '../native/support/rootfs.ts';
import { SupervisorProcess } from '../native/support/supervisor-process.ts';
import { createMode, modes } from './modes.ts';

export type Mode = 'normal' | 'privileged' | 'rootless';

export const emptyImage: ContainerDefaults = {
  env: [],
  entrypoint: [],
  cmd: [],
  user: '',
  workingDir: '',
  labels: {},
  exposedPorts: [],
  volumes: [],
};

const noServices = new Proxy({} as NativeServices, {
  get: (_, name) => {
    throw new Error(`a privilege mode used native.${String(name)}`);
  },
});

let detected: Promise<HostInfo> | undefined;

// vitest ends its workers with a signal, which calls no exit handler; in a qemu guest there is no vitest.
const atEnd = await (async () => {
  if (process.env['VITEST'] === undefined) return (release: () => void) => void process.on('exit', release);
  const releases: (() => void)[] = [];
  const { afterAll } = await import('vitest');
  afterAll(() => {
    for (const release of releases.splice(0)) release();
  });
  return (release: () => void) => void releases.push(release);
})();

/** A runtime in another test removes hako's parent groups when it closes and they are empty: here they are not. */
function holdParents({ controllers, unifiedParent }: CgroupHost): void {
  const parents = [...new Set([...Object.values(controllers), ...(unifiedParent === null ? [] : [unifiedParent])])];
  for (const parent of parents) mkdirSync(`${parent}/test-${process.pid}`, { recursive: true });
  // A parent that another test holds stays.
  atEnd(() => {
    for (const group of parents.flatMap((parent) => [`${parent}/test-${process.pid}`, parent])) removeIfEmpty(group);
  });
}

function removeIfEmpty(group: string): void {
  try {
    rmdirSync(group);
  } catch (error) {
    if (!hasCode(error, 'EBUSY') && !hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'ENOENT')) throw error;
  }
}

/** This machine, looked at once. */
export function thisHost(): Promise<HostInfo> {
  detected ??= Promise.all([loadNativeBinding(locateNative()).probe(), openCgroups()]).then(([probe, cgroup]) => {
    holdParents(cgroup);
    return detectHost(probe, cgroup);
  });
  return detected;
}

async function seccompProgram(host: HostInfo, plan: IsolationPlan): Promise<SeccompProgram> {
  return compileSeccompProfile({
    profile: plan.seccomp,
    architecture: host.architecture,
    capabilities: plan.capabilities.bounding,
    kernel: host.kernel,
    native: loadNativeBinding(locateNative()),
  });
}

function asUser(uid: number, extra: readonly string[]) {
  return {
    extra,
    uid,
    prefix: [
      '/usr/bin/setpriv',
      `--reuid=${uid}`,
      `--regid=${uid}`,
      '--clear-groups',
      '--inh-caps=-all',
      '--bounding-set=-all',
      '--',
    ],
  };
}

export interface IsolatedOptions {
  readonly mode?: Mode;
  readonly modeOptions?: Readonly<Record<string, JsonValue>>;
  readonly settings?: ContainerSettings;
  readonly image?: Partial<ContainerDefaults>;
  readonly seccomp?: SeccompProgram;
  readonly host?: HostInfo;
  /** The ordinary user who starts it; `host` says what that one can do. */
  readonly uid?: number;
  /** Spoils the request: the stand-in that an attack is to succeed against, so that its failing elsewhere proves something. */
  readonly unsafe?: (request: StartRequest) => StartRequest;
  /** The container that `container:other` means. */
  readonly other?: IsolatedContainer;
}

/** A container that was started by the compiler's own request, without a Runtime. */
export class IsolatedContainer implements AsyncDisposable {
  readonly plan: IsolationPlan;
  readonly cgroup: CgroupPlan;
  readonly supervisor: SupervisorProcess;
  readonly host: HostInfo;
  readonly id: ContainerId;
  readonly #context: StartContext;

  private constructor(context: StartContext, supervisor: SupervisorProcess) {
    this.#context = context;
    this.id = context.id;
    this.plan = context.plan;
    this.cgroup = context.cgroup;
    this.host = context.host;
    this.supervisor = supervisor;
  }

  static async launch(
    rootfs: Rootfs,
    command: readonly string[],
    isolated: IsolatedOptions = {},
  ): Promise<IsolatedContainer> {
    const directory = mkdtempSync(join(tmpdir(), 'hako-isolated-'));
    try {
      return await IsolatedContainer.#launchIn(directory, rootfs, command, isolated);
    } catch (error) {
      rmSync(directory, { recursive: true });
      throw error;
    }
  }

  static async #launchIn(
    directory: string,
    rootfs: Rootfs,
    command: readonly string[],
    isolated: IsolatedOptions,
  ): Promise<IsolatedContainer> {
    const host = isolated.host ?? (await thisHost());
    const options = parseContainerOptions({ command, ...isolated.settings });
    // Mapped root has to come here for the files of /etc.
    chmodSync(directory, 0o711);
    const id = newContainerId();
    const mode = await createMode(
      modes[isolated.mode ?? 'normal'],
      { directory, host, native: noServices, signal: new AbortController().signal, warn: () => {} },
      isolated.modeOptions,
    );
    const { idRange: pool } = mode;
    const idRange = pool === undefined ? null : { start: pool.start, size: pool.perContainer };
    const plan = mode.plan(await isolationRequest(options, host, () => isolated.other?.id ?? id, idRange));
    const cgroup = planCgroup(host.cgroup, {
      id,
      resources: await resolveResources(options.resources, blockDeviceNumber),
      defaultPids: 4096,
      deviceRules: plan.deviceRules,
    });
    const hostname = hostnameOf(id, options);
    await writeEtcFiles({ directory, hostname, domainname: options.domainname ?? '', plan });
    const context: StartContext = {
      id,
      name: 'test',
      directory,
      options,
      image: { ...emptyImage, ...isolated.image },
      plan,
      host,
      hostname,
      seccomp: isolated.seccomp ?? (await seccompProgram(host, plan)),
      idEmulation:
        plan.idEmulation === 'none' ? null : idEmulationFilter(host.architecture, loadNativeBinding(locateNative())),
      rootMounts: [{ type: 'bind', source: rootfs.path, options: ['rbind'] }],
      cgroup,
      sink: { kind: 'none' },
      attach: { stdin: options.stdin, stdout: true, stderr: true },
      durable: false,
      wait: false,
    };
    const request = (isolated.unsafe ?? ((sound) => sound))(compileStart(context));
    const other = await isolated.other?.started();
    const extra = joinedNamespaces(plan).map(({ file }) => `/proc/${other?.pid}/ns/${file}`);
    const supervisor = new SupervisorProcess(
      directory,
      isolated.uid === undefined ? { extra } : asUser(isolated.uid, extra),
    );
    supervisor.start(request);
    return new IsolatedContainer(context, supervisor);
  }

  /** The frame that tells of the first process. */
  started() {
    return this.supervisor.owner.next('started');
  }

  async exec(command: readonly string[], settings: Parameters<typeof parseExecOptions>[0] = {}): Promise<Outcome> {
    const session = await this.supervisor.connect();
    await session.exec(
      compileExec({
        ...this.#context,
        command,
        exec: parseExecOptions(settings),
        groups: this.cgroup.groups,
        attach: { stdin: false, stdout: true, stderr: true },
      }),
    );
    await session.closed;
    return outcomeOf(session);
  }

  /** Resolves when the container has ended. */
  async end(): Promise<Outcome> {
    await this.supervisor.owner.closed;
    return outcomeOf(this.supervisor.owner);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor[Symbol.asyncDispose]();
    rmSync(this.supervisor.directory, { recursive: true, force: true });
  }
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | undefined;
  readonly oomKilled: boolean | undefined;
  /** `operation: detail`, when the start failed. */
  readonly failure: string | undefined;
}

function outcomeOf(session: SupervisorProcess['owner']): Outcome {
  const exited = session.frames.find((frame) => frame.type === 'exited');
  const failed = session.frames.find((frame) => frame.type === 'failed');
  return {
    stdout: session.output('stdout').toString(),
    stderr: session.output('stderr').toString(),
    exitCode: exited?.exitCode,
    oomKilled: exited?.oomKilled,
    failure: failed === undefined ? undefined : `${failed.operation}: errno ${failed.errno}: ${failed.detail}`,
  };
}

/** Runs a command to its end. */
export async function runIsolated(
  rootfs: Rootfs,
  command: readonly string[],
  isolated: IsolatedOptions = {},
): Promise<Outcome> {
  await using container = await IsolatedContainer.launch(rootfs, command, isolated);
  return await container.end();
}

/** As a storage driver would: what is root's inside belongs to whom root inside is. */
export function ownByMappedRoot(rootfs: Rootfs, { uid, idRanges }: HostInfo): void {
  if (uid !== 0 || !idRanges.supported) return;
  execFileSync('chown', ['-R', `${idRanges.uid[0]?.start}:${idRanges.gid[0]?.start}`, rootfs.path]);
}
