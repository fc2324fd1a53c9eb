import type { ContainerSettings } from 'libhako';

/** One way to start a container, in the words of `docker run` and in hako's. */
export interface Setting {
  readonly flags: readonly string[];
  readonly options: ContainerSettings;
}

/** The files and directories of the host that some settings give to the container. */
export interface HostFiles {
  readonly directory: string;
  readonly seccomp: string;
}

const denyChmod = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['chmod', 'fchmodat', 'fchmodat2'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
};

export const seccompProfile = JSON.stringify(denyChmod);

/** What `docker run` can be told about how a program is kept apart, one or two flags at a time. */
export function settings({ directory, seccomp }: HostFiles): readonly Setting[] {
  return [
    { flags: [], options: {} },
    { flags: ['--privileged'], options: { mode: 'privileged' } },
    { flags: ['--cap-drop', 'ALL'], options: { capabilities: { drop: ['ALL'] } } },
    { flags: ['--cap-add', 'NET_ADMIN'], options: { capabilities: { add: ['NET_ADMIN'] } } },
    { flags: ['--cap-add', 'ALL'], options: { capabilities: { add: ['ALL'] } } },
    {
      flags: ['--cap-add', 'ALL', '--cap-drop', 'MKNOD'],
      options: { capabilities: { add: ['ALL'], drop: ['MKNOD'] } },
    },
    {
      flags: ['--cap-drop', 'ALL', '--cap-add', 'CHOWN'],
      options: { capabilities: { drop: ['ALL'], add: ['CHOWN'] } },
    },
    { flags: ['--cap-add', 'SYS_ADMIN'], options: { capabilities: { add: ['SYS_ADMIN'] } } },
    { flags: ['--security-opt', 'no-new-privileges'], options: { noNewPrivileges: true } },
    { flags: ['--security-opt', 'seccomp=unconfined'], options: { seccomp: 'unconfined' } },
    { flags: ['--security-opt', `seccomp=${seccomp}`], options: { seccomp: denyChmod } },
    { flags: ['--security-opt', 'systempaths=unconfined'], options: { maskedPaths: [], readonlyPaths: [] } },
    { flags: ['--user', '1000'], options: { user: '1000' } },
    { flags: ['--user', '1000:100'], options: { user: '1000:100' } },
    { flags: ['--user', 'app'], options: { user: 'app' } },
    { flags: ['--user', 'app:staff'], options: { user: 'app:staff' } },
    { flags: ['--user', '0:staff'], options: { user: '0:staff' } },
    { flags: ['--user', '4711'], options: { user: '4711' } },
    { flags: ['--user', 'app', '--group-add', 'staff'], options: { user: 'app', groups: ['staff'] } },
    { flags: ['--group-add', '77', '--group-add', '78'], options: { groups: ['77', '78'] } },
    {
      flags: ['--user', 'app', '--cap-add', 'NET_BIND_SERVICE'],
      options: { user: 'app', capabilities: { add: ['NET_BIND_SERVICE'] } },
    },
    { flags: ['--privileged', '--user', 'app'], options: { mode: 'privileged', user: 'app' } },
    { flags: ['--workdir', '/tmp'], options: { workingDirectory: '/tmp' } },
    { flags: ['--workdir', '/made/on/the/way'], options: { workingDirectory: '/made/on/the/way' } },
    { flags: ['--user', 'app', '--workdir', '/made'], options: { user: 'app', workingDirectory: '/made' } },
    { flags: ['--env', 'A=1', '--env', 'B=two words'], options: { env: { A: '1', B: 'two words' } } },
    { flags: ['--env', 'PATH=/bin:/in', '--env', 'HOME=/in'], options: { env: { PATH: '/bin:/in', HOME: '/in' } } },
    { flags: ['--env', 'EMPTY='], options: { env: { EMPTY: '' } } },
    { flags: ['--hostname', 'box'], options: { hostname: 'box' } },
    {
      flags: ['--hostname', 'box', '--domainname', 'example.org'],
      options: { hostname: 'box', domainname: 'example.org' },
    },
    { flags: ['--tty'], options: { tty: true } },
    { flags: ['--tty', '--user', 'app'], options: { tty: true, user: 'app' } },
    { flags: ['--init'], options: { init: true } },
    { flags: ['--init', '--user', 'app'], options: { init: true, user: 'app' } },
    { flags: ['--read-only'], options: { readonlyRoot: true } },
    {
      flags: ['--read-only', '--tmpfs', '/tmp'],
      options: { readonlyRoot: true, mounts: [{ type: 'tmpfs', target: '/tmp' }] },
    },
    {
      flags: ['--tmpfs', '/run:size=64k,mode=755'],
      options: { mounts: [{ type: 'tmpfs', target: '/run', size: '64k', mode: 0o755 }] },
    },
    {
      flags: ['--mount', 'type=tmpfs,target=/scratch,tmpfs-size=1048576'],
      options: { mounts: [{ type: 'tmpfs', target: '/scratch', size: 1048576 }] },
    },
    {
      flags: ['--volume', `${directory}:/data`],
      options: { mounts: [{ type: 'bind', source: directory, target: '/data' }] },
    },
    {
      flags: ['--volume', `${directory}:/data:ro`],
      options: { mounts: [{ type: 'bind', source: directory, target: '/data', readonly: true }] },
    },
    {
      flags: ['--volume', `${directory}/file:/etc/given:ro`],
      options: { mounts: [{ type: 'bind', source: `${directory}/file`, target: '/etc/given', readonly: true }] },
    },
    { flags: ['--shm-size', '1m'], options: { shmSize: '1m' } },
    { flags: ['--ulimit', 'nofile=512:1024'], options: { ulimits: { nofile: { soft: 512, hard: 1024 } } } },
    { flags: ['--ulimit', 'core=0', '--ulimit', 'nproc=300'], options: { ulimits: { core: 0, nproc: 300 } } },
    { flags: ['--ulimit', 'stack=1048576'], options: { ulimits: { stack: 1048576 } } },
    { flags: ['--oom-score-adj', '500'], options: { oomScoreAdj: 500 } },
    { flags: ['--memory', '64m'], options: { resources: { memory: '64m' } } },
    {
      flags: ['--memory', '64m', '--memory-swap', '64m', '--memory-reservation', '32m'],
      options: { resources: { memory: '64m', memorySwap: '64m', memoryReservation: '32m' } },
    },
    { flags: ['--cpus', '0.5'], options: { resources: { cpus: 0.5 } } },
    {
      flags: ['--cpu-period', '50000', '--cpu-quota', '25000'],
      options: { resources: { cpuPeriod: 50000, cpuQuota: 25000 } },
    },
    { flags: ['--cpu-shares', '512'], options: { resources: { cpuShares: 512 } } },
    { flags: ['--cpuset-cpus', '0'], options: { resources: { cpusetCpus: '0' } } },
    { flags: ['--pids-limit', '100'], options: { resources: { pids: 100 } } },
    { flags: ['--device', '/dev/fuse'], options: { devices: ['/dev/fuse'] } },
    { flags: ['--device', '/dev/zero:/dev/nil:r'], options: { devices: ['/dev/zero:/dev/nil:r'] } },
    { flags: ['--device-cgroup-rule', 'c 10:* rwm'], options: { deviceRules: ['c 10:* rwm'] } },
    { flags: ['--network', 'host'], options: { namespaces: { network: 'host' } } },
    { flags: ['--pid', 'host'], options: { namespaces: { pid: 'host' } } },
    { flags: ['--ipc', 'host'], options: { namespaces: { ipc: 'host' } } },
    { flags: ['--uts', 'host'], options: { namespaces: { uts: 'host' } } },
    { flags: ['--cgroupns', 'host'], options: { namespaces: { cgroup: 'host' } } },
    {
      flags: ['--sysctl', 'net.ipv4.ip_unprivileged_port_start=80'],
      options: { sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' } },
    },
    { flags: ['--sysctl', 'kernel.shmmax=65536'], options: { sysctls: { 'kernel.shmmax': '65536' } } },
    { flags: ['--entrypoint', '/bin/busybox'], options: { entrypoint: ['/bin/busybox'] } },
  ];
}
