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
import { errorOf, loopFaults, spared, startCalls } from './support/fault-calls.ts';
import { Rootfs } from './support/rootfs.ts';

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
  ...['-e', `inject=${call}:error=${errorOf(call)}:when=${occurrence}`],
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

let failures = 0;
afterAll(() => console.log(`${failures} system calls failed`));

/** Until the call isn't made that often. */
async function eachOccurrence(call: string, attempt: (occurrence: number) => Promise<Result>): Promise<void> {
  // Of a call that is made dozens of times some stand for all, unless there is time.
  const all = process.env['HAKO_EXHAUSTIVE'] !== undefined;
  for (let occurrence = 1; ; occurrence += all || occurrence < 5 ? 1 : 6) {
    const { injected, told } = await attempt(occurrence);
    if (injected === 0) return expect(told).toBe('exited 0');
    failures++;
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

/**
 * Each system call on the way to execve is made to fail: the first time that it is made, then the second, and so on until
 * it isn't made so often. Whichever it is, the failure is told, and nothing is left of what was made before it.
 */
describeWith(
  {
    root: true,
    tools: ['strace'],
    other: () => (pids === undefined ? 'a control group' : undefined),
  },
  'when a system call fails',
  () => {
    /** Of a start whose system calls strace looks at. */
    const traced = async (trace: readonly string[], request: Partial<StartRequest>): Promise<Outcome> => {
      using rootfs = new Rootfs();
      const cgroup = join(pids ?? '', `hako-faults-${process.pid}`);
      const steps = [
        { kind: 'mkdir', path: cgroup },
        { kind: 'join', directory: cgroup },
      ] as const;
      const options: SetupOptions = {
        bindDevices: request.unshare !== undefined,
        supervisor: { prefix: [...trace, '-qq'] },
      };
      await using supervisor = launch(rootfs, demanding, { hostname: 'name', cgroup: steps, ...request }, options);
      if (request.wait === true) supervisor.owner.go(['true'], { env: ['PATH=/bin'], cwd: '/work/here' });
      // An answer that could not be sent ends the session before anything is undone.
      await Promise.all([supervisor.owner.closed, supervisor.exited]);
      expect(existsSync(cgroup)).toBe(false);
      return outcomeOf(supervisor.owner);
    };
    const start = async (call: string, occurrence: number, request: Partial<StartRequest>): Promise<Result> =>
      result(await traced(inject(call, occurrence), request));

    const inUserNamespace: Partial<StartRequest> = {
      unshare: privateNamespaces | CLONE_NEWUSER,
      idMap: { method: 'direct', uidMap: '0 0 65536\n', gidMap: '0 0 65536\n', denySetgroups: false },
    };

    test.each([{}, inUserNamespace, { wait: true }])('no other is made than those that are tried', async (request) => {
      const { exited } = await traced(['strace', '-f', '-c', '-U', 'name', '-o', log], request);
      expect(exited?.exitCode).toBe(0);
      const made = readFileSync(log, 'utf8')
        .split('\n')
        .slice(2)
        .filter((line) => /^\s*\w+\s*$/.test(line));
      expect(made.length).toBeGreaterThan(50);
      const tried = new Set([...startCalls, ...loopFaults.map(([call]) => call), ...spared]);
      expect(made.map((line) => line.trim()).filter((call) => call !== 'total' && !tried.has(call))).toEqual([]);
    });

    test.each(startCalls)('%s, at a start', (call) =>
      eachOccurrence(call, (occurrence) => start(call, occurrence, {})),
    );

    test.each(['openat2', 'write', 'setresuid', 'setresgid', 'setgroups', 'recvfrom', 'open_tree'])(
      '%s, at a start with a user namespace',
      (call) => {
        return eachOccurrence(call, (occurrence) => start(call, occurrence, inUserNamespace));
      },
    );

    const ofGo =
      'mmap munmap dup2 openat2 mkdirat fchdir getcwd close_range execve sendmsg sendto recvmsg recvfrom poll';
    const ofUser = 'prlimit64 setgroups setresgid setresuid capset prctl seccomp waitid wait4 write';
    test.each(`${ofGo} ${ofUser}`.split(' '))('%s, at a start that waits for its program, and after it', (call) =>
      eachOccurrence(call, (occurrence) => start(call, occurrence, { wait: true })),
    );

    const ofExec = startCalls.filter(
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
