import { execFileSync } from 'node:child_process';
import { chownSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import {
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  type IdMapRequest,
  type StartRequest,
} from '../../src/native/protocol.ts';
import { describeWith, findTool } from '../support/requires.ts';
import {
  containerProcess,
  exec,
  idle,
  privateNamespaces,
  run,
  runShell,
  type SetupOptions,
  setup,
} from './support/container.ts';
import { Rootfs } from './support/rootfs.ts';
import { SupervisorProcess, startRequest } from './support/supervisor-process.ts';

const uid = 65534;
const asUser = ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--inh-caps', '-all'];
const setpriv = [...asUser, '--bounding-set', '-all'];

/** No capability, no entry in /etc/subuid: what any user has. */
const ordinary: SetupOptions = { bindDevices: true, supervisor: { prefix: setpriv, uid } };
const single: IdMapRequest = { method: 'direct', uidMap: `0 ${uid} 1\n`, gidMap: `0 ${uid} 1\n`, denySetgroups: true };
const unshare = privateNamespaces | CLONE_NEWUSER | CLONE_NEWTIME;
const rootless: Partial<StartRequest> = { unshare, idMap: single };

const subordinateIds = `/tmp/hako-subid-${process.pid}`;
afterAll(() => rmSync(subordinateIds, { force: true }));

/** Entries in /etc/subuid and /etc/subgid that only the supervisor and its helpers see. */
const withSubordinateIds = (entries: string): SetupOptions => ({
  bindDevices: true,
  supervisor: {
    uid,
    prefix: [
      'unshare',
      '-m',
      'sh',
      '-c',
      `printf '%s' '${entries}' > "$0" && mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec "$@"`,
      subordinateIds,
      ...asUser,
    ],
  },
});
const helpers: IdMapRequest = {
  method: 'helpers',
  uidMap: `0 ${uid} 1\n1 700000 65536\n`,
  gidMap: `0 ${uid} 1\n1 700000 65536\n`,
  denySetgroups: false,
  newuidmap: findTool('newuidmap') ?? '',
  newgidmap: findTool('newgidmap') ?? '',
};

describeWith({ root: true, tools: ['setpriv'] }, 'an ordinary user', () => {
  test('has a container in which it is root, with every namespace', async () => {
    using rootfs = new Rootfs();
    const { stdout, failed, started } = await runShell(
      rootfs,
      'id -u; cat /proc/self/uid_map /proc/self/setgroups; grep CapEff /proc/self/status; echo x > /dev/null && echo null; for n in cgroup ipc mnt net pid time user uts; do echo $n $(readlink /proc/self/ns/$n); done',
      { oomScoreAdj: 500 },
      rootless,
      ordinary,
    );
    expect(failed).toBeUndefined();
    expect(started).toMatchObject({ uid: 0, gid: 0 });
    expect(stdout).toMatch(new RegExp(`^0\\n +0 +${uid} +1\\ndeny\\nCapEff:\\t00000000a80425fb\\nnull\\n`));
    const namespaces = stdout
      .trim()
      .split('\n')
      .slice(5)
      .map((line) => line.split(' '));
    expect(namespaces).toHaveLength(8);
    for (const [name, inode] of namespaces) expect(inode).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
  });

  test('owns what the container writes', async () => {
    using rootfs = new Rootfs();
    chownSync(rootfs.at('tmp'), uid, uid);
    expect((await runShell(rootfs, 'echo x > /tmp/file', {}, rootless, ordinary)).exited?.exitCode).toBe(0);
    expect(statSync(rootfs.at('tmp/file'))).toMatchObject({ uid, gid: uid });
  });

  test('may be in groups of the image that do not exist here, but can ask for none', async () => {
    using rootfs = new Rootfs();
    expect((await run(rootfs, containerProcess(['true'], { user: 'root' }), rootless, ordinary)).exited?.exitCode).toBe(
      0,
    );
    expect(
      (await run(rootfs, containerProcess(['true'], { additionalGroups: ['wheel'] }), rootless, ordinary)).failed,
    ).toMatchObject({ operation: 'groups', errno: 1 });
    expect((await run(rootfs, containerProcess(['true'], { user: 'app' }), rootless, ordinary)).failed).toMatchObject({
      operation: 'user',
      errno: 22,
      detail: expect.stringContaining("isn't mapped"),
    });
  });

  test('has exec, a tty, init and no way to what root has', async () => {
    using rootfs = new Rootfs();
    await using supervisor = await idle(rootfs, { init: true }, rootless, ordinary);
    const { pid } = await supervisor.owner.next('started');
    const { stdout, exited, failed } = await exec(
      supervisor,
      [
        'sh',
        '-c',
        'id -u; tty; cat /proc/self/oom_score_adj; readlink /proc/self/ns/user; readlink /proc/self/ns/time; readlink /proc/self/ns/cgroup',
      ],
      { tty: true, oomScoreAdj: 700 },
    );
    expect(failed).toBeUndefined();
    expect(exited?.exitCode).toBe(0);
    expect(readFileSync(`/proc/${supervisor.child.pid}/oom_score_adj`, 'utf8')).toBe('0\n');
    expect(stdout.split('\r\n').slice(0, 3)).toEqual(['0', '/dev/pts/0', '700']);
    expect(stdout.split('\r\n').slice(3, 6)).toEqual(
      ['user', 'time', 'cgroup'].map((name) => readlinkSync(`/proc/${pid}/ns/${name}`)),
    );
    const attempts = await exec(supervisor, ['sh', '-c', 'ls -l /proc/1/exe; cat /proc/1/environ; cat /proc/1/mem']);
    expect(attempts.stderr.match(/Permission denied/g)?.length).toBeGreaterThanOrEqual(2);
  });

  test('a second container joins the first one’s user and pid namespace', async () => {
    using rootfs = new Rootfs();
    await using first = await idle(rootfs, {}, { ...rootless, hostname: 'first' }, ordinary);
    const { pid } = await first.owner.next('started');
    const kinds = {
      pid: CLONE_NEWPID,
      user: CLONE_NEWUSER,
      uts: 0x4000000,
      ipc: 0x8000000,
      net: 0x40000000,
      time: CLONE_NEWTIME,
    };
    const join = Object.values(kinds).map((kind, index) => ({ kind, index }));
    await using second = new SupervisorProcess(undefined, {
      extra: Object.keys(kinds).map((name) => `/proc/${pid}/ns/${name}`),
      prefix: setpriv,
      uid,
    });
    second.start(
      startRequest({
        unshare: Object.values(kinds).reduce((all, kind) => all & ~kind, unshare),
        join,
        setup: setup(rootfs, { bindDevices: true }).filter((op) => op.kind !== 'loopback'),
        process: containerProcess(
          ['sh', '-c', 'hostname; id -u; ps -o pid,comm; cat /proc/self/oom_score_adj; readlink /proc/self/ns/time'],
          { oomScoreAdj: 600 },
        ),
      }),
    );
    await second.owner.closed;
    expect(second.owner.frames.find((frame) => frame.type === 'failed')).toBeUndefined();
    const text = second.owner.output().toString();
    expect(text).toMatch(/^first\n0\n[\s\S]*^ +1 sleep\n[\s\S]*^600$/m);
    expect(text).toContain(readlinkSync(`/proc/${pid}/ns/time`));
  });

  test('a container joins a network namespace and makes a user namespace of its own', async () => {
    using rootfs = new Rootfs();
    await using holder = await idle(rootfs);
    const { pid } = await holder.owner.next('started');
    // As the network namespace is root's, so is the supervisor; the container is not.
    await using second = new SupervisorProcess(undefined, { extra: [`/proc/${pid}/ns/net`] });
    second.start(
      startRequest({
        unshare: (privateNamespaces | CLONE_NEWUSER) & ~0x40000000,
        join: [{ kind: 0x40000000, index: 0 }],
        idMap: {
          method: 'direct',
          uidMap: '0 0 1\n1 800000 65535\n',
          gidMap: '0 0 1\n1 800000 65535\n',
          denySetgroups: false,
        },
        setup: setup(rootfs, { bindDevices: true }).filter(
          (op) => op.kind !== 'loopback' && !(op.kind === 'mount' && op.type === 'sysfs'),
        ),
        process: containerProcess(
          ['sh', '-c', 'readlink /proc/self/ns/net; cat /proc/self/uid_map; grep Groups /proc/self/status'],
          { user: 'app' },
        ),
      }),
    );
    await second.owner.closed;
    expect(second.owner.frames.find((frame) => frame.type === 'failed')).toBeUndefined();
    expect(second.owner.output().toString()).toMatch(
      new RegExp(
        `^net:\\[${/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0]}\\]\\n +0 +0 +1\\n +1 +800000 +65535\\nGroups:\\t10 1000 2000`,
      ),
    );
  });

  test('root in a remapped user namespace: its stdout is its own', async () => {
    using rootfs = new Rootfs();
    execFileSync('chown', ['-R', '800000:800000', rootfs.path]);
    const idMap: IdMapRequest = {
      method: 'direct',
      uidMap: '0 800000 65536\n',
      gidMap: '0 800000 65536\n',
      denySetgroups: false,
    };
    const { stdout, failed } = await runShell(
      rootfs,
      'echo again > /dev/stdout; id -u; cat /proc/self/uid_map',
      {},
      { unshare, idMap },
      { bindDevices: true },
    );
    expect(failed).toBeUndefined();
    expect(stdout).toMatch(/^again\n0\n +0 +800000 +65536\n$/);
  });

  test('a map that is refused is a clear failure', async () => {
    using rootfs = new Rootfs();
    const attempt = (idMap: IdMapRequest, options = ordinary) =>
      run(rootfs, containerProcess(['true']), { unshare, idMap }, options);
    expect((await attempt({ ...single, uidMap: '0 0 1\n' })).failed).toMatchObject({
      operation: 'idmap',
      errno: 1,
      detail: expect.stringContaining('uid_map'),
    });
    expect((await attempt({ ...single, denySetgroups: false })).failed).toMatchObject({
      operation: 'idmap',
      errno: 1,
      detail: expect.stringContaining('gid_map'),
    });
    expect((await attempt({ ...single, uidMap: `5 ${uid} 1\n` })).failed).toMatchObject({
      operation: 'idmap',
      errno: 22,
      detail: expect.stringContaining('is id 0 mapped'),
    });
    expect((await attempt({ ...helpers, newuidmap: '/absent/newuidmap' })).failed).toMatchObject({
      operation: 'idmap',
      errno: 2,
      detail: 'cannot run /absent/newuidmap',
    });
  });
});

describeWith(
  { root: true, tools: ['setpriv', 'newuidmap', 'newgidmap', 'unshare'] },
  'an ordinary user with newuidmap',
  () => {
    test('has users and groups besides root', async () => {
      using rootfs = new Rootfs();
      const options = withSubordinateIds(`${uid}:700000:65536\nnobody:700000:65536\n`);
      const { stdout, failed } = await runShell(
        rootfs,
        'id -u; grep Groups /proc/self/status; cat /proc/self/uid_map /proc/self/setgroups',
        { user: 'app' },
        { unshare, idMap: helpers },
        options,
      );
      expect(failed).toBeUndefined();
      expect(stdout).toMatch(/^1000\nGroups:\t10 1000 2000 \n +0 +65534 +1\n +1 +700000 +65536\nallow\n$/);
    });

    test('is told in the helper’s own words why it may not', async () => {
      using rootfs = new Rootfs();
      const { failed } = await run(
        rootfs,
        containerProcess(['true']),
        { unshare, idMap: helpers },
        withSubordinateIds(''),
      );
      expect(failed).toMatchObject({
        operation: 'idmap',
        errno: 0,
        detail: expect.stringMatching(/newuidmap: .*uid range/),
      });
    });
  },
);
