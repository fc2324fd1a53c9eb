import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IsolationPlan } from '../../src/contracts/privilege-mode.ts';
import { findTool } from './requires.ts';

const namespaceNames = {
  mount: 'mount',
  pid: 'pid',
  network: 'network',
  ipc: 'ipc',
  uts: 'uts',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
} as const;

export interface RuncSettings {
  readonly rootfs: string;
  readonly args: readonly string[];
  readonly plan: IsolationPlan;
  readonly hostname: string;
  readonly env: readonly string[];
  readonly nofile: { readonly soft: number; readonly hard: number };
}

/**
 * Runs a program under runc with what a plan says, as Docker would say it: written from the OCI runtime spec and
 * Docker's defaults (moby, daemon/pkg/oci/defaults.go), not from hako's compiler.
 */
export async function runRunc(settings: RuncSettings): Promise<{ stdout: string; stderr: string }> {
  const bundle = mkdtempSync(join(tmpdir(), 'hako-runc-'));
  const id = `hako-runc-${process.pid}-${Math.trunc(performance.now() * 1000)}`;
  try {
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(runtimeSpec(settings)));
    return await new Promise((resolve, reject) => {
      const child = execFile(
        findTool('runc') ?? 'runc',
        ['--root', join(bundle, 'state'), 'run', '--bundle', bundle, id],
        { maxBuffer: 2 ** 26 },
        (error, stdout, stderr) => {
          if (error === null) resolve({ stdout, stderr });
          else reject(new Error(`runc: ${stderr}`, { cause: error }));
        },
      );
      child.stdin?.end();
    });
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
}

function runtimeSpec({ rootfs, args, plan, hostname, env, nofile }: RuncSettings): object {
  const privileged = plan.writableSys;
  const quiet = ['nosuid', 'noexec', 'nodev'];
  return {
    ociVersion: '1.2.0',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, additionalGids: [0, 10] },
      args,
      env,
      cwd: '/',
      capabilities: plan.capabilities,
      rlimits: [{ type: 'RLIMIT_NOFILE', ...nofile }],
      noNewPrivileges: plan.noNewPrivileges,
    },
    root: { path: rootfs, readonly: plan.readonlyRoot },
    hostname,
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: quiet },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...quiet, privileged ? 'rw' : 'ro'] },
      {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: [...quiet, privileged ? 'rw' : 'ro'],
      },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: quiet },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...quiet, 'mode=1777', 'size=67108864'] },
    ],
    linux: {
      namespaces: Object.entries(plan.namespaces).flatMap(([kind, choice]) =>
        choice === 'private' ? [{ type: namespaceNames[kind as keyof typeof namespaceNames] }] : [],
      ),
      ...(plan.idMappings === null
        ? {}
        : { uidMappings: plan.idMappings.uid.map(ociMapping), gidMappings: plan.idMappings.gid.map(ociMapping) }),
      // That there is a filter is compared here; what it allows, syscall by syscall, in the tests of src/seccomp.
      ...(plan.seccomp === 'unconfined'
        ? {}
        : {
            seccomp: {
              defaultAction: 'SCMP_ACT_ALLOW',
              syscalls: [{ names: ['kexec_load'], action: 'SCMP_ACT_ERRNO' }],
            },
          }),
      maskedPaths: plan.maskedPaths,
      readonlyPaths: plan.readonlyPaths,
      devices: plan.devices
        .filter(({ path }) => !path.startsWith('/dev/pts'))
        .map(({ path, type, major, minor, mode, uid, gid }) => ({
          path,
          type,
          major,
          minor,
          fileMode: mode,
          uid,
          gid,
        })),
      resources: { devices: [{ allow: privileged, access: 'rwm' }], pids: { limit: 4096 } },
    },
  };
}

function ociMapping({ containerId, hostId, size }: { containerId: number; hostId: number; size: number }): object {
  return { containerID: containerId, hostID: hostId, size };
}
