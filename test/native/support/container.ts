import { readFileSync } from 'node:fs';
import {
  type CapabilityMasks,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUTS,
  type ExecRequest,
  type ExitedFrame,
  type FailedFrame,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MS_PRIVATE,
  type ProcessRequest,
  type SetupOperation,
  type StartRequest,
  type TargetPolicy,
} from '../../../src/native/protocol.ts';
import type { Rootfs } from './rootfs.ts';
import {
  execRequest,
  processRequest,
  type RawSession,
  type SupervisorOptions,
  SupervisorProcess,
  startRequest,
} from './supervisor-process.ts';

export const privateNamespaces =
  CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;

const ordinary: TargetPolicy = { create: 'directory', noFollow: true };
const none: TargetPolicy = { create: null, noFollow: false };
const quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

export const mount = (
  type: string,
  path: string,
  attributes: bigint,
  options: [string, string][] = [],
  target = ordinary,
): SetupOperation => ({
  kind: 'mount',
  type,
  source: type,
  path,
  attributes,
  options,
  target,
});

export const bind = (
  hostPath: string,
  path: string,
  more: Partial<Extract<SetupOperation, { kind: 'bind' }>> = {},
): SetupOperation => ({
  kind: 'bind',
  hostPath,
  path,
  set: 0n,
  clear: 0n,
  propagation: 0n,
  target: { create: 'like-source', noFollow: false },
  recursive: true,
  optional: false,
  device: false,
  opened: 'inside',
  ...more,
});

const devices = { null: 3, zero: 5, full: 7, random: 8, urandom: 9 };

const device = (name: string, major: number, minor: number): SetupOperation => ({
  kind: 'mknod',
  path: `dev/${name}`,
  mode: 0o20666,
  major,
  minor,
  uid: 0,
  gid: 0,
});

export interface SetupOptions {
  /** Devices are bound from the host, as a user namespace needs it. */
  readonly bindDevices?: boolean;
  readonly tty?: boolean;
  /** Runs just before the pivot. */
  readonly before?: readonly SetupOperation[];
  /** Runs after all else. */
  readonly after?: readonly SetupOperation[];
  readonly supervisor?: SupervisorOptions;
}

/** What a plan for an ordinary container looks like, on a directory as its root. */
export function setup(rootfs: Rootfs, options: SetupOptions = {}): SetupOperation[] {
  const nodes = options.bindDevices
    ? [...Object.keys(devices), 'tty'].map((name) =>
        bind(`/dev/${name}`, `dev/${name}`, { device: true, recursive: false }),
      )
    : [...Object.entries(devices).map(([name, minor]) => device(name, 1, minor)), device('tty', 5, 0)];
  const gid: [string, string][] = options.bindDevices ? [] : [['gid', '5']];
  return [
    { kind: 'propagation', propagation: MS_PRIVATE },
    bind(rootfs.path, '', { target: none }),
    mount('proc', 'proc', quiet),
    mount('tmpfs', 'dev', MOUNT_ATTR_NOSUID, [
      ['mode', '755'],
      ['size', '65536k'],
    ]),
    ...nodes,
    { kind: 'mkdir', path: 'dev/pts', mode: 0o755 },
    mount('devpts', 'dev/pts', MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, [
      ['newinstance', ''],
      ['ptmxmode', '0666'],
      ['mode', '0620'],
      ...gid,
    ]),
    { kind: 'symlink', target: 'pts/ptmx', path: 'dev/ptmx' },
    { kind: 'symlink', target: '/proc/self/fd', path: 'dev/fd' },
    { kind: 'symlink', target: '/proc/self/fd/1', path: 'dev/stdout' },
    mount('sysfs', 'sys', quiet | MOUNT_ATTR_RDONLY),
    { kind: 'loopback' },
    ...(options.tty ? [{ kind: 'console' } as const] : []),
    ...(options.before ?? []),
    { kind: 'pivot' },
    ...['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/acpi', '/sys/firmware'].map(
      (path) => ({ kind: 'mask', path }) as const,
    ),
    ...['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'].map(
      (path) => ({ kind: 'readonly', path }) as const,
    ),
    ...(options.after ?? []),
  ];
}

/** Docker's default set, but with `ambient` and `inheritable` as the test wants them. */
export function capabilities(set = 0xa80425fbn, more: Partial<CapabilityMasks> = {}): CapabilityMasks {
  return { bounding: set, effective: set, permitted: set, inheritable: 0n, ambient: 0n, ...more };
}

/** All that this host gives: a container's root can't have more without a user namespace. */
export const hostBounding = BigInt(`0x${/CapBnd:\s+(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`);

export const containerProcess = (argv: readonly string[], more: Partial<ProcessRequest> = {}): ProcessRequest =>
  processRequest(argv, { env: ['PATH=/bin'], capabilities: capabilities(), ...more });

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly started: { readonly uid: number; readonly gid: number } | undefined;
  readonly exited: ExitedFrame | undefined;
  readonly failed: FailedFrame | undefined;
}

/** What has come over a session. */
export function outcomeOf(session: RawSession): Outcome {
  const find = <T extends string>(type: T) => session.frames.find((frame) => frame.type === type);
  return {
    stdout: session.output('stdout').toString(),
    stderr: session.output('stderr').toString(),
    started: find('started') as Outcome['started'],
    exited: find('exited') as Outcome['exited'],
    failed: find('failed') as Outcome['failed'],
  };
}

/** A supervisor that was asked to start a container in the root. */
export function launch(
  rootfs: Rootfs,
  process: ProcessRequest,
  request: Partial<StartRequest> = {},
  options: SetupOptions = {},
): SupervisorProcess {
  const supervisor = new SupervisorProcess(undefined, options.supervisor);
  supervisor.start(
    startRequest({
      unshare: privateNamespaces,
      setup: setup(rootfs, { tty: process.tty, ...options }),
      process,
      ...request,
    }),
  );
  return supervisor;
}

/** From START to the end of the session, whatever came. */
export async function run(
  rootfs: Rootfs,
  process: ProcessRequest,
  request: Partial<StartRequest> = {},
  options: SetupOptions = {},
): Promise<Outcome> {
  await using supervisor = launch(rootfs, process, request, options);
  await supervisor.owner.closed;
  return outcomeOf(supervisor.owner);
}

export const runShell = (
  rootfs: Rootfs,
  command: string,
  more: Partial<ProcessRequest> = {},
  request: Partial<StartRequest> = {},
  options: SetupOptions = {},
): Promise<Outcome> => run(rootfs, containerProcess(['sh', '-c', command], more), request, options);

/** A container that stays until its supervisor is disposed of. */
export async function idle(
  rootfs: Rootfs,
  more: Partial<ProcessRequest> = {},
  request: Partial<StartRequest> = {},
  options: SetupOptions = {},
): Promise<SupervisorProcess> {
  const supervisor = launch(rootfs, containerProcess(['sleep', '1000'], more), request, options);
  await supervisor.owner.next('started');
  return supervisor;
}

export async function exec(
  supervisor: SupervisorProcess,
  argv: readonly string[],
  more: Partial<ProcessRequest> = {},
  request: Partial<ExecRequest> = {},
): Promise<Outcome> {
  const session = await supervisor.connect();
  await session.exec(execRequest(argv, { process: containerProcess(argv, more), ...request }));
  await session.closed;
  return outcomeOf(session);
}
