import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CLONE_NEWUSER, type StartRequest } from '../../src/native/protocol.ts';
import { unmet } from '../support/requires.ts';
import { containerProcess, privateNamespaces, run, type SetupOptions } from './support/container.ts';
import { Rootfs } from './support/rootfs.ts';

/**
 * Each system call on the way to execve is made to fail: the first time that it is made, then the second, and so on until
 * it isn't made so often. Whichever it is, the failure is told, and nothing is left of what was made before it.
 */
const calls = [
  ...[
    'clone3',
    'socketpair',
    'mmap',
    'openat',
    'openat2',
    'fstat',
    'fstatfs',
    'fcntl',
    'dup2',
    'pipe2',
    'execve',
    'close_range',
    'getcwd',
  ],
  ...[
    'fsopen',
    'fsconfig',
    'fsmount',
    'open_tree',
    'move_mount',
    'mount_setattr',
    'mount',
    'umount2',
    'pivot_root',
    'fchdir',
    'chdir',
    'mkdir',
    'mkdirat',
    'mknodat',
    'symlinkat',
  ],
  ...[
    'unshare',
    'sethostname',
    'keyctl',
    'socket',
    'ioctl',
    'sendmsg',
    'recvmsg',
    'recvfrom',
    'sendto',
    'poll',
    'write',
    'read',
  ],
  ...[
    'prlimit64',
    'fchown',
    'setgroups',
    'setresgid',
    'setresuid',
    'capset',
    'prctl',
    'seccomp',
    'setsid',
    'waitid',
    'wait4',
  ],
];

const log = `/tmp/hako-faults-${process.pid}`;
afterAll(() => rmSync(log, { force: true }));

const pids = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'].find((path) => existsSync(join(path, 'cgroup.procs')));
const allow = Buffer.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]);

interface Result {
  readonly injected: number;
  readonly told: string;
}

describe.skipIf(
  unmet({ root: true, tools: ['strace'], other: () => (pids === undefined ? 'a control group' : undefined) }) !==
    undefined,
)('when a system call fails', () => {
  const attempt = async (call: string, occurrence: number, request: Partial<StartRequest>): Promise<Result> => {
    using rootfs = new Rootfs();
    const cgroup = join(pids ?? '', `hako-faults-${process.pid}`);
    const options: SetupOptions = {
      bindDevices: request.unshare !== undefined,
      supervisor: {
        prefix: [
          'strace',
          '-f',
          '-qq',
          '-o',
          log,
          '-e',
          `trace=${call}`,
          '-e',
          'signal=none',
          '-e',
          `inject=${call}:error=EIO:when=${occurrence}`,
        ],
      },
    };
    const process_ = containerProcess(['true'], {
      user: 'app',
      createCwd: true,
      cwd: '/work/here',
      rlimits: [{ resource: 7, soft: 64n, hard: 64n }],
      noNewPrivileges: true,
      seccomp: { program: allow, flags: 0 },
    });
    const { failed, exited } = await run(
      rootfs,
      process_,
      {
        hostname: 'name',
        cgroup: [
          { kind: 'mkdir', path: cgroup },
          { kind: 'join', directory: cgroup },
        ],
        ...request,
      },
      options,
    );
    expect(existsSync(cgroup)).toBe(false);
    if (failed) expect(failed.detail).not.toBe('');
    return {
      injected: readFileSync(log, 'utf8').split('(INJECTED)').length - 1,
      told: failed?.operation ?? (exited ? `exited ${exited.exitCode}` : 'nothing'),
    };
  };

  test.each(calls)('%s', async (call) => {
    // prctl is asked for each capability: a few of those stand for all.
    for (let occurrence = 1; ; occurrence += call === 'prctl' ? 7 : 1) {
      const { injected, told } = await attempt(call, occurrence, {});
      if (injected === 0) return expect(told).toBe('exited 0');
      // The supervisor's first own calls are its birth: no session is there to be told.
      if (told !== 'nothing') expect(told).toMatch(/^[a-z-]+$|^exited (0|1|127)$/);
    }
  });

  test.each(['openat2', 'write', 'setresuid', 'setresgid', 'setgroups', 'recvfrom', 'open_tree'])(
    '%s, with a user namespace',
    async (call) => {
      const request: Partial<StartRequest> = {
        unshare: privateNamespaces | CLONE_NEWUSER,
        idMap: { method: 'direct', uidMap: '0 0 65536\n', gidMap: '0 0 65536\n', denySetgroups: false },
      };
      for (let occurrence = 1; ; occurrence++) {
        const { injected, told } = await attempt(call, occurrence, request);
        if (injected === 0) return expect(told).toBe('exited 0');
        if (told !== 'nothing') expect(told).toMatch(/^[a-z-]+$|^exited (0|1|127)$/);
      }
    },
  );
});
