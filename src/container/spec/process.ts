import { allCapabilities, capabilityMask } from '../../base/capabilities.ts';
import { HakoError } from '../../base/errors.ts';
import type { HostInfo } from '../../contracts/host-info.ts';
import type { CapabilitySets } from '../../contracts/isolation.ts';
import type { IsolationPlan } from '../../contracts/privilege-mode.ts';
import { type CapabilityMasks, type ProcessRequest, type ResourceLimit, RLIM_INFINITY } from '../../native/protocol.ts';
import type { ContainerDefaults } from '../../oci/image-config.ts';
import { rlimitNumbers } from '../option-parts.ts';
import type { ParsedContainerOptions, ParsedExecOptions } from '../options.ts';

/** moby, oci/defaults.go: DefaultPathEnv. */
const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const defaultTerminal = { rows: 24, columns: 80 };
/** What the kernel gives to process 1, and what programs that use select(2) rely on. */
const OPEN_FILES_SOFT = 1024;

export type SeccompProgram = ProcessRequest['seccomp'];

export interface ProcessContext {
  readonly options: ParsedContainerOptions;
  readonly image: ContainerDefaults;
  readonly plan: IsolationPlan;
  readonly host: HostInfo;
  readonly hostname: string;
  /** From `compileSeccompProfile`, for the plan's profile and these capabilities. */
  readonly seccomp: SeccompProgram;
  /** From `idEmulationFilter`; null: the plan has none. */
  readonly idEmulation: Uint8Array | null;
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` when neither the caller nor the image names a program. */
export function startProcess(context: ProcessContext): ProcessRequest {
  const { options, image, plan } = context;
  return {
    ...commonProcess(context),
    ...programOf(context),
    user: options.user ?? image.user,
    additionalGroups: options.groups,
    tty: options.tty,
    init: options.init,
    createCwd: true,
    noNewPrivileges: plan.noNewPrivileges,
    capabilities: capabilityMasks(plan.capabilities),
    apparmorProfile: plan.apparmorProfile ?? '',
    terminalSize: options.terminalSize ?? defaultTerminal,
  };
}

/** What is run, whatever surrounds it. @throws HakoError `HAKO_ERR_INVALID_OPTION` as {@link startProcess} does */
export function programOf(
  context: Pick<ProcessContext, 'options' | 'image' | 'hostname'>,
): Pick<ProcessRequest, 'argv' | 'env' | 'cwd'> {
  const { options, image } = context;
  return {
    argv: commandOf(options, image),
    env: containerEnv(context),
    cwd: options.workingDirectory ?? absolute(image.workingDir),
  };
}

/** A further process, by default as the first one is. */
export function execProcess(
  context: ProcessContext,
  command: readonly string[],
  exec: ParsedExecOptions,
): ProcessRequest {
  const { options, image, plan, host } = context;
  if (command.length === 0)
    throw new HakoError('INVALID_OPTION', 'exec needs a command: a program, and its arguments.');
  return {
    ...commonProcess(context),
    argv: command,
    env: mergeEnv(containerEnv(context), exec.tty ? ['TERM=xterm'] : [], exec.env ?? []),
    cwd: exec.workingDirectory ?? options.workingDirectory ?? absolute(image.workingDir),
    user: exec.user ?? options.user ?? image.user,
    additionalGroups: exec.user === undefined ? [...options.groups, ...exec.groups] : exec.groups,
    tty: exec.tty,
    init: false,
    createCwd: false,
    noNewPrivileges: exec.privileged ? false : plan.noNewPrivileges,
    capabilities: capabilityMasks(execCapabilities(plan, host, exec.privileged)),
    apparmorProfile: exec.privileged ? '' : (plan.apparmorProfile ?? ''),
    terminalSize: exec.terminalSize ?? defaultTerminal,
  };
}

/** Of a privileged exec: all that the host has to give, or, in a user namespace, all that there are. */
export function execCapabilities(plan: IsolationPlan, host: HostInfo, privileged: boolean): CapabilitySets {
  if (!privileged) return plan.capabilities;
  const names = plan.namespaces.user === 'host' ? host.capabilities : allCapabilities;
  return { bounding: names, effective: names, permitted: names, inheritable: [], ambient: [] };
}

function commonProcess({
  options,
  host,
  seccomp,
  idEmulation,
}: ProcessContext): Pick<ProcessRequest, 'umask' | 'rlimits' | 'oomScoreAdj' | 'seccomp' | 'idEmulation'> {
  return {
    umask: options.umask,
    rlimits: rlimitsOf(options, host, idEmulation !== null),
    oomScoreAdj: options.oomScoreAdj ?? inheritedScore(host),
    seccomp,
    idEmulation,
  };
}

/** A service that the kernel is told to spare does not hand that on. Lowering a raised one would take a right that few have. */
function inheritedScore({ oomScoreAdj }: HostInfo): number | null {
  return oomScoreAdj < 0 ? 0 : null;
}

/** Dockerfile reference, "Understand how CMD and ENTRYPOINT interact": an entrypoint of the caller's does away with the image's Cmd. */
export function commandOf(
  options: Pick<ParsedContainerOptions, 'command' | 'entrypoint'>,
  image: Pick<ContainerDefaults, 'cmd' | 'entrypoint'>,
): readonly string[] {
  const entrypoint = options.entrypoint ?? image.entrypoint;
  const command = options.command ?? (options.entrypoint === undefined ? image.cmd : []);
  const argv = [...entrypoint, ...command];
  if (argv.length === 0)
    throw new HakoError(
      'INVALID_OPTION',
      'There is nothing to run: the image names no program, so give one in the option command.',
    );
  return argv;
}

export function containerEnv({
  options,
  image,
  hostname,
}: Pick<ProcessContext, 'options' | 'image' | 'hostname'>): readonly string[] {
  return mergeEnv(
    [defaultPath, `HOSTNAME=${hostname}`, ...(options.tty ? ['TERM=xterm'] : [])],
    image.env,
    options.env ?? [],
  );
}

/** Later ones win, in the place of the first. */
export function mergeEnv(...lists: readonly (readonly string[])[]): readonly string[] {
  const byName = new Map<string, string>();
  for (const entry of lists.flat()) byName.set(entry.slice(0, entry.indexOf('=')), entry);
  return [...byName.values()];
}

/** An image's relative WORKDIR is meant from the root (image spec, config.md). */
function absolute(workingDir: string): string {
  return workingDir.startsWith('/') ? workingDir : `/${workingDir}`;
}

/** Node raises its own soft limit of open files to the hard one, which a container should not inherit (moby#51485). */
/** @param emulated - with ids that are emulated, whose numbers the supervisor keeps in the limit of locks (native/supervisor/id_table.h) */
function rlimitsOf({ ulimits }: ParsedContainerOptions, host: HostInfo, emulated: boolean): readonly ResourceLimit[] {
  if (emulated && ulimits.locks !== undefined)
    throw new HakoError(
      'INVALID_OPTION',
      "ulimits.locks cannot be set where a container's ids are emulated, which uses it; Linux has kept no such limit since 2.4.25. Leave it out, or choose rootless({ idEmulation: 'none' }).",
    );
  const limits: ResourceLimit[] = [];
  if (ulimits.nofile === undefined) {
    const hard = host.openFilesLimit === null ? RLIM_INFINITY : BigInt(host.openFilesLimit);
    limits.push({
      resource: rlimitNumbers.nofile,
      soft: hard < OPEN_FILES_SOFT ? hard : BigInt(OPEN_FILES_SOFT),
      hard,
    });
  }
  for (const [name, limit] of Object.entries(ulimits)) {
    if (limit !== undefined)
      limits.push({
        resource: rlimitNumbers[name as keyof typeof rlimitNumbers],
        soft: limitValue(limit.soft),
        hard: limitValue(limit.hard),
      });
  }
  return limits;
}

function limitValue(value: number): bigint {
  return value === -1 ? RLIM_INFINITY : BigInt(value);
}

const masks = new WeakMap<CapabilitySets, CapabilityMasks>();

function capabilityMasks(sets: CapabilitySets): CapabilityMasks {
  let known = masks.get(sets);
  if (known === undefined) {
    const { bounding, effective, permitted, inheritable, ambient } = sets;
    known = {
      bounding: capabilityMask(bounding),
      effective: capabilityMask(effective),
      permitted: capabilityMask(permitted),
      inheritable: capabilityMask(inheritable),
      ambient: capabilityMask(ambient),
    };
    masks.set(sets, known);
  }
  return known;
}
