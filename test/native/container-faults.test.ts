import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { CLONE_NEWUSER, type StartRequest } from '../../src/native/protocol.ts';
import { describeWith } from '../support/requires.ts';
import {
  containerProcess,
  exec,
  idle,
  launch,
  type Outcome,
  outcomeOf,
  privateNamespaces,
  type SetupOptions,
} from './support/container.ts';
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

/** Calls without which a container is not what was asked for: there is no going on without one of them. */
const decisive = new Set(
  'clone3 openat2 execve close_range fsopen fsconfig fsmount open_tree move_mount mount_setattr mount umount2 pivot_root fchdir mkdirat mknodat symlinkat unshare sethostname keyctl ioctl fchown setgroups setresgid setresuid capset seccomp setns'.split(
    ' ',
  ),
);

const inject = (call: string, occurrence: number): string[] => [
  ...['strace', '-f', '-o', log, '-e', `trace=${call}`, '-e', 'signal=none'],
  ...['-e', `inject=${call}:error=EIO:when=${occurrence}`],
];

interface Result {
  readonly injected: number;
  readonly told: string;
}

const result = ({ failed, exited }: Outcome): Result => {
  if (failed) expect(failed.detail).not.toBe('');
  return {
    injected: readFileSync(log, 'utf8').split('(INJECTED)').length - 1,
    told: failed?.operation ?? (exited ? `exited ${exited.exitCode}` : 'nothing'),
  };
};

/** Until the call isn't made that often. */
async function eachOccurrence(call: string, attempt: (occurrence: number) => Promise<Result>): Promise<void> {
  // Of a call that is made dozens of times some stand for all, unless there is time.
  const all = process.env['HAKO_EXHAUSTIVE'] !== undefined;
  for (let occurrence = 1; ; occurrence += all || occurrence < 5 ? 1 : 6) {
    const { injected, told } = await attempt(occurrence);
    if (injected === 0) return expect(told).toBe('exited 0');
    // The supervisor's first own calls are its birth: no session is there to be told.
    if (told !== 'nothing') expect(told).toMatch(/^[a-z-]+$|^exited (0|1|127)$/);
    if (decisive.has(call)) expect(told).not.toBe('exited 0');
  }
}

const demanding = containerProcess(['true'], {
  user: 'app',
  createCwd: true,
  cwd: '/work/here',
  rlimits: [{ resource: 7, soft: 64n, hard: 64n }],
  noNewPrivileges: true,
  seccomp: { program: allow, flags: 0 },
});

describeWith(
  {
    root: true,
    tools: ['strace'],
    other: () => (pids === undefined ? 'a control group' : undefined),
  },
  'when a system call fails',
  () => {
    const start = async (call: string, occurrence: number, request: Partial<StartRequest>): Promise<Result> => {
      using rootfs = new Rootfs();
      const cgroup = join(pids ?? '', `hako-faults-${process.pid}`);
      const steps = [
        { kind: 'mkdir', path: cgroup },
        { kind: 'join', directory: cgroup },
      ] as const;
      const options: SetupOptions = {
        bindDevices: request.unshare !== undefined,
        supervisor: { prefix: [...inject(call, occurrence), '-qq'] },
      };
      await using supervisor = launch(rootfs, demanding, { hostname: 'name', cgroup: steps, ...request }, options);
      if (request.wait === true) supervisor.owner.go(['true'], { env: ['PATH=/bin'], cwd: '/work/here' });
      // An answer that could not be sent ends the session before anything is undone.
      await Promise.all([supervisor.owner.closed, supervisor.exited]);
      const outcome = outcomeOf(supervisor.owner);
      expect(existsSync(cgroup)).toBe(false);
      return result(outcome);
    };

    test.each(calls)('%s, at a start', (call) => eachOccurrence(call, (occurrence) => start(call, occurrence, {})));

    test.each(['openat2', 'write', 'setresuid', 'setresgid', 'setgroups', 'recvfrom', 'open_tree'])(
      '%s, at a start with a user namespace',
      (call) => {
        const request: Partial<StartRequest> = {
          unshare: privateNamespaces | CLONE_NEWUSER,
          idMap: { method: 'direct', uidMap: '0 0 65536\n', gidMap: '0 0 65536\n', denySetgroups: false },
        };
        return eachOccurrence(call, (occurrence) => start(call, occurrence, request));
      },
    );

    const ofGo =
      'mmap munmap dup2 openat2 mkdirat fchdir getcwd close_range execve sendmsg sendto recvmsg recvfrom poll';
    const ofUser = 'prlimit64 setgroups setresgid setresuid capset prctl seccomp waitid wait4 write';
    test.each(`${ofGo} ${ofUser}`.split(' '))('%s, at a start that waits for its program, and after it', (call) =>
      eachOccurrence(call, (occurrence) => start(call, occurrence, { wait: true })),
    );

    const ofExec = calls.filter(
      (call) =>
        !/^(fs|open_tree|m|umount|pivot|symlink|unshare|sethostname|socket$|ioctl|write|read|fstatfs)/.test(call),
    );

    test.each([...ofExec, 'setns', 'pidfd_open', 'write'])(
      '%s, at an exec, which the container and its supervisor outlive',
      async (call) => {
        using rootfs = new Rootfs();
        const cgroup = join(pids ?? '', `hako-faults-${process.pid}`);
        await using supervisor = await idle(
          rootfs,
          {},
          {
            cgroup: [
              { kind: 'mkdir', path: cgroup },
              { kind: 'join', directory: cgroup },
            ],
          },
        );
        const attempt = () => exec(supervisor, [], {}, { process: demanding, cgroups: [cgroup] });
        const before = supervisor.openDescriptors;
        expect((await attempt()).exited?.exitCode).toBe(0);

        await eachOccurrence(call, async (occurrence) => {
          const [program = '', ...words] = inject(call, occurrence);
          const tracer = spawn(program, [...words, '-p', String(supervisor.child.pid)], {
            stdio: ['ignore', 'ignore', 'pipe'],
          });
          await once(tracer.stderr, 'data'); // "attached"
          // A session whose own call failed has nobody to tell.
          const outcome = await attempt().catch(() => ({}) as Outcome);
          tracer.kill('SIGINT');
          await once(tracer, 'exit');
          return result(outcome);
        });
        expect((await attempt()).exited?.exitCode).toBe(0);
        await expect.poll(() => supervisor.openDescriptors).toBe(before);
      },
    );
  },
);
