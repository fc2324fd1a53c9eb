import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CLONE_NEWCGROUP, CLONE_NEWPID, CLONE_NEWTIME, MOUNT_ATTR_RDONLY } from '../../src/native/protocol.ts';
import { describeWith } from '../support/requires.ts';
import {
  capabilities,
  containerProcess,
  exec,
  idle,
  launch,
  privateNamespaces,
  run,
  runShell,
  setup,
} from './support/container.ts';
import { Rootfs } from './support/rootfs.ts';
import { execRequest, SupervisorProcess, startRequest } from './support/supervisor-process.ts';

describeWith({ root: true }, 'a container, seen from inside', () => {
  test('its root, its processes, its host name and its loopback device are its own', async () => {
    using rootfs = new Rootfs();
    const { stdout, started, exited } = await runShell(
      rootfs,
      'hostname; ps -o pid,comm; ls /; ip addr show lo; cat /proc/sys/kernel/domainname',
      {},
      { hostname: 'inside', domainname: 'example' },
    );
    expect(exited?.exitCode).toBe(0);
    expect(started).toMatchObject({ uid: 0, gid: 0 });
    expect(stdout).toMatch(/^inside\n/);
    expect(stdout).toMatch(/^ +1 sh\n/m);
    expect(stdout).toContain('bin\ndev\netc\nhome\nproc\nroot\nsys\ntmp\n');
    expect(stdout).toMatch(/inet 127\.0\.0\.1\/8/);
    expect(stdout).toMatch(/\nexample\n$/);
  });

  test('each namespace that was asked for is another than the host has', async () => {
    using rootfs = new Rootfs();
    const { stdout } = await runShell(
      rootfs,
      'for n in cgroup ipc mnt net pid time user uts; do echo $n $(readlink /proc/self/ns/$n); done',
      {},
      { unshare: privateNamespaces | CLONE_NEWTIME },
    );
    for (const [name, inode] of stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))) {
      const host = readlinkSync(`/proc/self/ns/${name}`);
      if (name === 'user') expect(inode).toBe(host);
      else expect(inode).not.toBe(host);
    }
  });

  test('no descriptor but stdio, and none of them leads out', async () => {
    using rootfs = new Rootfs();
    await using supervisor = await idle(rootfs);
    const { pid } = await supervisor.owner.next('started');
    const descriptors = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    expect(descriptors).toEqual(['/dev/null', expect.stringMatching(/^pipe:/), expect.stringMatching(/^pipe:/)]);
  });

  test('nothing of the host is mounted but the root and the null device', async () => {
    using rootfs = new Rootfs();
    const { stdout } = await runShell(rootfs, 'cat /proc/self/mountinfo');
    const mounts = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map((words) => ({ root: words[3], point: words[4], options: words[5] ?? '' }));
    expect(mounts.filter((one) => one.root !== '/').map((one) => [one.root, one.point])).toEqual(
      [
        [rootfs.path, '/'],
        ...(existsSync('/proc/keys') ? [['/null', '/proc/keys']] : []),
        ['/null', '/proc/timer_list'],
        ...['bus', 'fs', 'irq', 'sys', ...(existsSync('/proc/sysrq-trigger') ? ['sysrq-trigger'] : [])].map((name) => [
          `/${name}`,
          `/proc/${name}`,
        ]),
      ].filter(([, point]) => existsSync(point ?? '')),
    );
    for (const one of mounts.filter((mount) => /^\/proc\/(bus|fs|irq|sys)/.test(mount.point ?? '')))
      expect(one.options).toMatch(/^ro,/);
  });

  test('masked files are empty, masked directories too, and read-only paths refuse', async () => {
    using rootfs = new Rootfs();
    rootfs.write('secret', 'secret');
    mkdirSync(rootfs.at('secrets'));
    rootfs.write('secrets/file', 'secret');
    const masks = {
      after: [
        { kind: 'mask', path: '/secret' },
        { kind: 'mask', path: '/secrets' },
        { kind: 'mask', path: '/absent' },
      ] as const,
    };
    const { stdout, stderr } = await runShell(
      rootfs,
      'cat /secret; ls -A /secrets; echo x > /secrets/y; echo x > /proc/sys/kernel/hostname; echo end',
      {},
      {},
      masks,
    );
    expect(stdout).toBe('end\n');
    expect(stderr).toMatch(/secrets\/y: Read-only file system[\s\S]*hostname: Read-only file system/);
  });

  test('a read-only root', async () => {
    using rootfs = new Rootfs();
    const { stdout, stderr } = await runShell(
      rootfs,
      'echo x > /file; echo x > /dev/shm; echo y > /dev/file && echo written',
      {},
      {},
      { after: [{ kind: 'root-attributes', path: '', attributes: MOUNT_ATTR_RDONLY }] },
    );
    expect(stderr).toMatch(/file: Read-only file system/);
    expect(stdout).toBe('written\n');
    expect(existsSync(rootfs.at('file'))).toBe(false);
  });

  test('sysctls are those of its own namespaces', async () => {
    using rootfs = new Rootfs();
    const host = readlinkSync('/proc/self/ns/net');
    const { stdout } = await runShell(
      rootfs,
      'cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/msgmax; readlink /proc/self/ns/net',
      {},
      {},
      {
        before: [
          { kind: 'sysctl', name: 'net.ipv4.ip_default_ttl', value: '77' },
          { kind: 'sysctl', name: 'kernel/msgmax', value: '4242' },
        ],
      },
    );
    expect(stdout).toMatch(/^77\n4242\nnet:/);
    expect(stdout).not.toContain(host);
  });

  test('stdin, and its end', async () => {
    using rootfs = new Rootfs();
    await using supervisor = launch(rootfs, containerProcess(['cat']), {
      stdin: true,
      attach: { stdin: true, stdout: true, stderr: true },
    });
    supervisor.owner.send({ type: 'stdin', data: Buffer.from('through\n') });
    supervisor.owner.send({ type: 'stdin-eof' });
    await supervisor.owner.closed;
    expect(supervisor.owner.output().toString()).toBe('through\n');
  });

  test('a tty is the controlling terminal, on /dev/console too, with its size and its owner', async () => {
    using rootfs = new Rootfs();
    const { stdout, failed } = await run(
      rootfs,
      containerProcess(['sh', '-c', 'tty; stty size; stat -c "%t:%T %u" /dev/console /dev/pts/0; ps -o pid,tty'], {
        tty: true,
        user: 'app',
        terminalSize: { rows: 33, columns: 99 },
      }),
    );
    expect(failed).toBeUndefined();
    expect(stdout).toMatch(/^\/dev\/(pts\/0|console)\r\n33 99\r\n88:0 1000\r\n88:0 1000\r\n/);
    expect(stdout).toMatch(/ 1 136,0\r\n/);
  });

  test('whoever runs may open /dev/stdout again', async () => {
    using rootfs = new Rootfs();
    expect((await runShell(rootfs, 'echo again > /dev/stdout', { user: 'app' })).stdout).toBe('again\n');
  });

  test('the working directory: entered, made when asked for, closed to nobody who is root', async () => {
    using rootfs = new Rootfs();
    expect((await run(rootfs, containerProcess(['pwd'], { cwd: '/home/app' }))).stdout).toBe('/home/app\n');
    expect(
      (await run(rootfs, containerProcess(['pwd'], { cwd: '/made/of/it', createCwd: true, user: 'app' }))).stdout,
    ).toBe('/made/of/it\n');
    expect(statSync(rootfs.at('made/of/it')).uid).toBe(0);
    expect((await run(rootfs, containerProcess(['pwd'], { cwd: '/absent' }))).failed).toMatchObject({
      operation: 'cwd',
      errno: 2,
    });
  });

  test('environment, umask and limits', async () => {
    using rootfs = new Rootfs();
    const { stdout } = await runShell(rootfs, 'env; umask; ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj', {
      env: ['PATH=/bin', 'A=b c'],
      umask: 0o077,
      rlimits: [{ resource: 7, soft: 55n, hard: 66n }],
      oomScoreAdj: 321,
    });
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining(['A=b c', 'HOME=/root', 'PATH=/bin', '0077', '55', '66', '321']),
    );
    expect((await run(rootfs, containerProcess(['env'], { env: ['PATH=/bin', 'HOME=/elsewhere'] }))).stdout).toBe(
      'PATH=/bin\nHOME=/elsewhere\n',
    );
  });

  test('a limit that leaves hardly a descriptor', async () => {
    using rootfs = new Rootfs();
    const few = { rlimits: [{ resource: 7, soft: 3n, hard: 3n }] };
    expect((await run(rootfs, containerProcess(['echo', 'alive'], few))).stdout).toBe('alive\n');
    expect((await run(rootfs, containerProcess(['echo', 'alive'], { ...few, tty: true }))).stdout).toBe('alive\r\n');
  });

  test('CVE-2021-43784: strings on both sides of every power of two that a length might be cut to', async () => {
    using rootfs = new Rootfs();
    const lengths = [255, 256, 257, 65_535, 65_536, 65_537, 131_070].map((length) => length - 'V='.length);
    for (const length of lengths) {
      const env = ['PATH=/bin', `V=${'x'.repeat(length)}`];
      expect((await runShell(rootfs, 'echo -n "$V" | wc -c', { env })).stdout).toBe(`${length}\n`);
    }
    // The kernel takes no longer string, and says so.
    const tooLong = { env: ['PATH=/bin', `V=${'x'.repeat(131_072)}`] };
    expect((await runShell(rootfs, 'true', tooLong)).failed).toMatchObject({ operation: 'exec', errno: 7 });
    const many = Array.from({ length: 10_000 }, (_, i) => `V${i}=${'y'.repeat(100)}`);
    expect((await runShell(rootfs, 'env | wc -l', { env: ['PATH=/bin', ...many] })).stdout).toBe('10004\n');
    for (const cwd of [
      `/${'d'.repeat(255)}`,
      `/${'d'.repeat(256)}`,
      `/${'d/'.repeat(2047)}`,
      `/${'d/'.repeat(3000)}`,
    ]) {
      const { failed, exited } = await run(rootfs, containerProcess(['true'], { cwd, createCwd: true }));
      expect(failed ?? exited).toMatchObject(failed ? { operation: 'cwd', errno: 36 } : { exitCode: 0 });
    }
  });

  test('signals are neither ignored nor blocked, whatever the embedder does', async () => {
    using rootfs = new Rootfs();
    const { stdout } = await run(rootfs, containerProcess(['grep', 'Sig[BI]', '/proc/self/status']));
    expect(stdout).toMatch(/SigBlk:\t0{16}\nSigIgn:\t0{16}\n/);
  });

  test('init: reaps, passes signals on and ends as its child does', async () => {
    using rootfs = new Rootfs();
    const { stdout, exited } = await runShell(
      rootfs,
      '(sh -c "sleep 0.01 &"); sleep 0.1; ps -o pid,stat,comm; grep -h Cap /proc/1/status /proc/self/status; kill -9 $$',
      { init: true, user: 'app' },
    );
    expect(exited).toMatchObject({ exitCode: 137 });
    expect(stdout).toMatch(/^ +1 S +hako-init\n +2 /m);
    expect(stdout).not.toContain('Z ');
    const sets = stdout.split('\n').filter((line) => line.startsWith('Cap'));
    expect(sets.slice(0, 5)).toEqual(sets.slice(5));
    await using supervisor = launch(
      rootfs,
      containerProcess(['sh', '-c', 'trap "exit 5" TERM; echo up; while :; do sleep 0.02; done'], { init: true }),
    );
    await supervisor.owner.until((text) => text.includes('up'));
    supervisor.owner.send({ type: 'signal', signal: 15 });
    expect(await supervisor.owner.next('exited')).toMatchObject({ exitCode: 5 });
  });

  test.each([true, false])('init gives up gaining privileges as its program does: %s', async (noNewPrivileges) => {
    using rootfs = new Rootfs();
    const { stdout } = await runShell(rootfs, 'grep -h NoNewPrivs /proc/1/status /proc/self/status', {
      init: true,
      noNewPrivileges,
    });
    expect(stdout).toBe(`NoNewPrivs:\t${Number(noNewPrivileges)}\n`.repeat(2));
  });

  test('a namespace of another container is joined', async () => {
    using rootfs = new Rootfs();
    await using first = await idle(rootfs, {}, { hostname: 'first' });
    const pid = (await first.owner.next('started')).pid;
    await using second = new SupervisorProcess(undefined, {
      extra: ['pid', 'uts', 'net'].map((name) => `/proc/${pid}/ns/${name}`),
    });
    const joined = [
      { kind: 0x20000000, index: 0 },
      { kind: 0x4000000, index: 1 },
      { kind: 0x40000000, index: 2 },
    ];
    second.start(
      startRequest({
        unshare: privateNamespaces & ~joined.reduce((all, one) => all | one.kind, 0),
        join: joined,
        setup: setup(rootfs),
        process: containerProcess(['sh', '-c', 'hostname; ps -o pid,comm; readlink /proc/self/ns/net']),
      }),
    );
    await second.owner.closed;
    const text = second.owner.output().toString();
    expect(text).toMatch(/^first\n/);
    expect(text).toMatch(/^ +1 sleep$/m);
    expect(text).toContain(readlinkSync(`/proc/${pid}/ns/net`));
  });

  test('a failure names the operation, and nothing is left of the process', async () => {
    using rootfs = new Rootfs();
    const cases: [string, Parameters<typeof run>[1], number][] = [
      ['exec', containerProcess(['no-such-program']), 2],
      ['exec', containerProcess(['/etc/passwd']), 13],
      ['exec', containerProcess(['']), 2],
      ['rlimit', containerProcess(['true'], { rlimits: [{ resource: 7, soft: 10n, hard: 5n }] }), 22],
      ['capabilities', containerProcess(['true'], { capabilities: capabilities(1n << 62n) }), 22],
      ['capabilities', containerProcess(['true'], { capabilities: capabilities(1n, { ambient: 2n }) }), 1],
      [
        'seccomp',
        containerProcess(['true'], { noNewPrivileges: true, seccomp: { program: Buffer.alloc(8, 0xff), flags: 0 } }),
        22,
      ],
    ];
    for (const [operation, process, errno] of cases) {
      const { failed, started } = await run(rootfs, process);
      expect(failed).toMatchObject({ operation, errno });
      expect(started).toBeUndefined();
    }
    rootfs.write('bin/script', 'echo no interpreter\n', 0o755);
    expect((await run(rootfs, containerProcess(['script']))).failed).toMatchObject({
      operation: 'exec',
      errno: 8,
      detail: 'script',
    });
  });

  test.each([
    ['with a pid namespace', privateNamespaces, false],
    ['below init', privateNamespaces, true],
    ['without', privateNamespaces & ~CLONE_NEWPID, false],
    ['without, below init', privateNamespaces & ~CLONE_NEWPID, true],
  ])(
    'whoever kills the supervisor has killed the container and what was executed in it, %s',
    async (_, unshare, init) => {
      using rootfs = new Rootfs();
      await using supervisor = await idle(rootfs, { init, user: 'app' }, { unshare });
      const session = await supervisor.connect();
      const executed = await session.exec(
        execRequest([], { process: containerProcess(['sleep', '1000'], { user: 'app' }) }),
      );
      const { pid } = await supervisor.owner.next('started');
      const below = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
      expect(below !== '').toBe(init);
      const pids = [pid, executed.type === 'started' ? executed.pid : 0, ...(init ? [Number(below)] : [])];
      const alive = () =>
        pids.filter((pid) => existsSync(`/proc/${pid}`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
      expect(alive()).toEqual(pids);
      supervisor.child.kill('SIGKILL');
      // The end of a pid namespace waits until the host's pid 1, the parent now, reaps what was executed.
      await expect.poll(alive, { timeout: 20_000 }).toEqual([]);
    },
  );

  test('exec goes into the same namespaces, with the same limits', async () => {
    using rootfs = new Rootfs();
    await using supervisor = await idle(rootfs, {}, { hostname: 'same', unshare: privateNamespaces | CLONE_NEWTIME });
    const names =
      'for n in cgroup ipc mnt net pid time user uts; do readlink /proc/1/ns/$n; readlink /proc/self/ns/$n; done';
    const { stdout, exited } = await exec(supervisor, ['sh', '-c', names]);
    const lines = stdout.trim().split('\n');
    expect(exited?.exitCode).toBe(0);
    expect(lines).toHaveLength(16);
    for (let i = 0; i < lines.length; i += 2) expect(lines[i]).toBe(lines[i + 1]);
    const more = await exec(
      supervisor,
      [
        'sh',
        '-c',
        'pwd; id; hostname; echo $HOME; for f in 0 1 2; do readlink /proc/self/fd/$f > /dev/null && echo ok; done; grep Cap /proc/self/status; exit 9',
      ],
      { user: 'app', cwd: '/tmp' },
    );
    expect(more.stdout).toMatch(
      /^\/tmp\nuid=1000\(app\) gid=1000\(app\) groups=10\(wheel\),1000\(app\),2000\(extra\)\nsame\n\/home\/app\nok\nok\nok\n/,
    );
    expect(more.stdout).toMatch(/CapInh:\t0+\nCapPrm:\t0+\nCapEff:\t0+\nCapBnd:\t00000000a80425fb\nCapAmb:\t0+\n/);
    expect(more.exited?.exitCode).toBe(9);
    expect(await exec(supervisor, ['nothing'])).toMatchObject({ failed: { operation: 'exec', errno: 2 } });
    expect((await exec(supervisor, ['tty'], { tty: true })).stdout).toBe('/dev/pts/0\r\n');
  });

  test('without a namespace of its own there is none to enter', async () => {
    using rootfs = new Rootfs();
    await using supervisor = await idle(rootfs, {}, { unshare: privateNamespaces & ~CLONE_NEWCGROUP });
    const { stdout } = await exec(supervisor, ['readlink', '/proc/self/ns/cgroup']);
    expect(stdout.trim()).toBe(readlinkSync('/proc/self/ns/cgroup'));
  });
});
