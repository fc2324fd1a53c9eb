import { hostname } from 'node:os';
import { HakoError } from '../../base/errors.ts';
import type { ContainerId } from '../../base/ids.ts';
import type { CgroupPlan } from '../../cgroup/index.ts';
import type { LogSink } from '../../contracts/log-driver.ts';
import type { Mount } from '../../contracts/mount.ts';
import { idMapRequest } from '../../native/id-map.ts';
import type { AttachStreams, SetupOperation, StartRequest } from '../../native/protocol.ts';
import type { ParsedContainerOptions } from '../options.ts';
import { deviceOperations, ipcOperations } from './devices.ts';
import { etcOperations } from './etc-files.ts';
import { cgroupOperations, procOperations, sysOperations } from './kernel-filesystems.ts';
import { propagationOf } from './mount-options.ts';
import { joinRequests, unshareFlags } from './namespaces.ts';
import { type ProcessContext, startProcess } from './process.ts';
import { readonlyRootOperations, rootOperations } from './root.ts';
import { sinkRequest } from './sink.ts';
import { sysctlOperations } from './sysctls.ts';
import { checkImageVolumes, userMountOperations } from './user-mounts.ts';

export interface StartContext extends ProcessContext {
  readonly id: ContainerId;
  readonly name: string;
  /** The container's own directory on the host, with the files of `writeEtcFiles`. */
  readonly directory: string;
  /** From the storage driver, the root first. */
  readonly rootMounts: readonly Mount[];
  readonly cgroup: CgroupPlan;
  readonly sink: LogSink;
  readonly attach: AttachStreams;
  /** fsync(2) the exit record. */
  readonly durable: boolean;
  /** Everything but the program, which it is told later. */
  readonly wait: boolean;
}

/**
 * Compiles everything that was settled about a container into the request that its supervisor carries out to the
 * letter. Pure; nothing of the image chooses anything but the process's own program, environment, directory and user.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for options that contradict each other; `HAKO_ERR_INVALID_IMAGE` for an
 * image whose volumes lie where isolation is set up.
 */
export function compileStart(context: StartContext): StartRequest {
  const { options, plan, cgroup } = context;
  checkImageVolumes(context.image.volumes);
  const ownUts = plan.namespaces.uts === 'private';
  if (!ownUts && (options.hostname !== undefined || options.domainname !== undefined)) {
    throw new HakoError(
      'INVALID_OPTION',
      'hostname and domainname cannot be set, because the container shares the UTS namespace that they belong to; leave them out, or make namespaces.uts private.',
    );
  }
  return {
    wait: context.wait,
    detached: options.detached,
    durable: context.durable,
    stdin: options.stdin,
    stdinOnce: options.stdinOnce,
    attach: context.attach,
    title: `${context.name} (${context.id.slice(0, 12)})`,
    unshare: unshareFlags(plan),
    join: joinRequests(plan),
    idMap: idMapRequest(plan.idMappings),
    cgroup: cgroup.steps,
    oom: cgroup.oom,
    hostname: ownUts ? context.hostname : '',
    domainname: ownUts ? (options.domainname ?? '') : '',
    setup: setupOperations(context),
    process: startProcess(context),
    sink: sinkRequest(context.sink),
  };
}

/** Docker's default: the beginning of the ID, or the host's name with the host's UTS namespace or network. */
export function hostnameOf(id: ContainerId, options: ParsedContainerOptions): string {
  return (
    options.hostname ??
    (options.namespaces.uts === 'host' || options.namespaces.network === 'host' ? hostname() : id.slice(0, 12))
  );
}

function setupOperations(context: StartContext): readonly SetupOperation[] {
  const { options, plan, cgroup } = context;
  const userTargets = new Set(options.mounts.map(({ target }) => target));
  return [
    { kind: 'propagation', propagation: rootPropagation(options) },
    ...rootOperations(context.rootMounts, plan),
    ...procOperations(plan),
    ...sysOperations(plan),
    ...cgroupOperations(plan, cgroup.groups),
    ...deviceOperations(plan),
    ...ipcOperations(plan, options.shmSize, userTargets),
    ...etcOperations(context.directory, userTargets, plan),
    // After hako's own, so that /dev/shm or a file of /etc can be another's; before the pivot, while the host is in sight.
    ...userMountOperations(options.mounts, plan),
    { kind: 'pivot' },
    ...(options.tty ? [{ kind: 'console' } as const] : []),
    ...(plan.namespaces.network === 'private' ? [{ kind: 'loopback' } as const] : []),
    ...sysctlOperations(options.sysctls, plan),
    ...plan.readonlyPaths.map((path) => ({ kind: 'readonly', path }) as const),
    ...plan.maskedPaths.map((path) => ({ kind: 'mask', path }) as const),
    ...(plan.readonlyRoot ? readonlyRootOperations(context.rootMounts, userTargets) : []),
  ];
}

/** Nothing of the container reaches the host; what the host mounts later comes in only where a mount asks for it. */
function rootPropagation(options: ParsedContainerOptions): bigint {
  return propagationOf(
    options.mounts.some((mount) => mount.type === 'bind' && mount.propagation.endsWith('slave'))
      ? 'rslave'
      : 'rprivate',
  );
}
