import type { KnownDifference } from './differences.ts';

/** What hako does otherwise than Docker, on purpose. */
export const knownDifferences: readonly KnownDifference[] = [
  {
    line: /^status: NoNewPrivs: [01]$/,
    reason: 'hako gives set-user-ID programs no privileges unless noNewPrivileges is false',
  },
  {
    line: /^device (fuse|kmsg|mem): does not open$/,
    reason: 'Docker lets any device node be made and none be opened; hako lets none be made that cannot be opened',
  },
  {
    line: /^cgroup: |^namespace cgroup: /,
    reason: "on cgroup v1 Docker leaves containers in the host's cgroup namespace; hako's have their own, as on v2",
  },
  {
    line: /^cgroup (cpu|cpuset)\/|^mount: \/sys\/fs\/cgroup\/(blkio|cpu|cpuset|freezer|systemd) /,
    reason: 'hako makes v1 groups only for the controllers that limit something, beside pids, devices, memory, cpuacct',
  },
  {
    line: /^cgroup pids\/pids\.max: (max|4096)$/,
    reason: 'hako limits processes to 4096 unless told otherwise; Docker does not',
  },
  {
    line: /^mount: \/sys\/fs\/cgroup tmpfs ro,nosuid,nodev,noexec,relatime|^mount options: \/sys r[ow]$/,
    reason: 'read-only by the mount in both; which of the two flags says so differs',
  },
  {
    line: /^mount( options)?: \/(proc|sys)\/\S+ ((dev)?tmpfs )?r[ow],/,
    reason: 'masks: hako’s are read-only and of the host’s /dev/null, Docker’s of the container’s',
  },
  {
    line: /^limit: Max open files /,
    reason: "the soft limit: hako's containers begin with 1024 whatever the service has raised its own to",
  },
  {
    line: /^namespace time: /,
    reason: "dockerd makes a time namespace with no offsets; hako shares the host's unless one is asked for",
  },
  { line: /^\/etc\/hosts: 127\.0\.1\.1 /, reason: 'hako lets a container without a network resolve its own name' },
  {
    line: /^dev: \/dev\/core -> \/proc\/kcore$/,
    reason: 'dockerd has dropped the link; programs that look for it find it',
  },
  {
    line: /^id: .*\b(\d+)\((\w+)\),\1\(\2\)/,
    reason: 'Docker lists a group twice that is both added and found in /etc/group',
  },
  {
    line: /^id: uid=1000\(app\) gid=1000\(app\) groups=50\(staff\),60\(extra\),1000\(app\)$/,
    reason: 'Docker lists a group twice that is both added and found in /etc/group',
  },
  {
    line: /^mount options: \/tmp rw(,mode=755)?$/,
    reason: 'a tmpfs is 1777 in hako unless told otherwise; Docker takes the mode of the directory that it covers',
  },
  {
    line: /^mount: \/dev\/nil devtmpfs ro/,
    reason: 'given for reading only it cannot be written in hako, though /dev/zero, which can, is the same device',
  },
  {
    line: /^(dev: |mount: |mount options: )\/dev\/mqueue|^mount: \/dev\/shm tmpfs rw,(relatime|nosuid)/,
    reason:
      "with the host's IPC hako binds the host's /dev/mqueue, if there is one, and nosuid, nodev, noexec its /dev/shm",
  },
  {
    line: /^(env: HOSTNAME=|\/etc\/hostname: )/,
    reason: "with the host's UTS namespace hako says the host's name here too",
  },
  {
    line: /^mount: \/sys\/fs\/cgroup\/unified cgroup2 /,
    reason: 'the bench of dockerd unmounts it, see docs/benchmarks.md',
  },
  {
    line: /^pid 1: (docker|hako)-init$|^mount: \/sbin\/docker-init /,
    reason: 'each has an init of its own; hako’s needs no file',
  },
];
