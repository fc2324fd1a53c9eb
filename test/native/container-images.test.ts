import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID } from '../../src/native/protocol.ts';
import { Canary } from '../support/canary.ts';
import { describeWith } from '../support/requires.ts';
import {
  bind,
  capabilities,
  containerProcess,
  exec,
  hostBounding,
  idle,
  mount,
  run,
  runShell,
  setup,
} from './support/container.ts';
import * as naive from './support/naive-runtime.ts';
import { Rootfs } from './support/rootfs.ts';

/** A root that may be spoilt, a canary on the host, and a host's file that may be bound. */
class Box implements Disposable {
  readonly rootfs = new Rootfs();
  readonly #host = mkdtempSync(join(tmpdir(), 'hako-host-'));
  readonly canary = new Canary(join(this.#host, 'canary'));
  readonly file = join(this.#host, 'file');
  readonly outside = this.canary.path;

  constructor() {
    writeFileSync(this.file, 'bound\n');
  }

  [Symbol.dispose](): void {
    rmSync(this.#host, { recursive: true, force: true });
    this.rootfs[Symbol.dispose]();
  }
}

const up = '../../../../../../..';
const quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

describeWith({ root: true }, 'an image that lies about its paths', () => {
  test.each(['proc', 'sys', 'dev'])('CVE-2019-19921, CVE-2023-27561, CVE-2025-54867: /%s is a link', async (name) => {
    using box = new Box();
    const { rootfs, outside } = box;
    rmdirSync(rootfs.at(name));
    mkdirSync(rootfs.at('bad'));
    for (const target of ['/bad', outside, `${up}${outside}`]) {
      symlinkSync(target, rootfs.at(name));
      const { failed } = await run(rootfs, containerProcess(['true']));
      expect(failed).toMatchObject({
        operation: 'mount',
        errno: 40,
        detail: `${name} is a symbolic link, not an ordinary directory`,
      });
      expect(box.canary.damage).toBeUndefined();
      if (target !== '/bad') expect(naive.mountPoint(rootfs, name), 'the positive control').toBe(outside);
      unlinkSync(rootfs.at(name));
    }
    rootfs.write(name, 'a file');
    expect((await run(rootfs, containerProcess(['true']))).failed).toMatchObject({
      operation: 'mount',
      errno: 20,
      detail: `${name} is not an ordinary directory`,
    });
  });

  type Spoil = (box: Box, path: string) => void;
  test.each<[string, Spoil]>([
    ['an absolute link out', ({ rootfs, outside }, path) => symlinkSync(outside, rootfs.at(path))],
    ['a relative link out', ({ rootfs, outside }, path) => symlinkSync(`${up}${outside}`, rootfs.at(path))],
    ['a link to a file out', ({ rootfs, outside }, path) => symlinkSync(`${outside}/etc/passwd`, rootfs.at(path))],
    [
      'a link to what could be made outside',
      ({ rootfs, outside }, path) => symlinkSync(`${outside}/new`, rootfs.at(path)),
    ],
    ['a dangling link', ({ rootfs }, path) => symlinkSync('/not/here/yet', rootfs.at(path))],
    ['a loop', ({ rootfs }, path) => symlinkSync(`/${path}`, rootfs.at(path))],
    ['a file', ({ rootfs }, path) => rootfs.write(path, 'file')],
    ['a FIFO', ({ rootfs }, path) => execFileSync('mkfifo', [rootfs.at(path)])],
    ['absent', () => {}],
  ])('CVE-2026-41579, CVE-2024-45310, CVE-2025-24965: targets of mounts are %s', async (_, spoil) => {
    for (const path of ['etc/resolv.conf', 'run', 'dev', 'dev/shm', 'tmp']) {
      using box = new Box();
      const { rootfs } = box;
      rmSync(rootfs.at(path), { recursive: true, force: true });
      spoil(box, path);
      const op =
        path === 'etc/resolv.conf'
          ? bind(box.file, path)
          : mount('tmpfs', path, quiet, [], { create: 'directory', noFollow: false });
      const look = `cat ${box.outside}/etc/passwd; for d in run tmp dev dev/shm etc; do echo x > /$d/new; done; echo x > /etc/resolv.conf; echo done`;
      const { stdout, failed } = await runShell(
        rootfs,
        look,
        {},
        {},
        { before: [op, { kind: 'mkdir', path: `${path}.d/deep`, mode: 0o700 }] },
      );
      if (failed) expect(['mount', 'bind', 'mkdir', 'mknod', 'symlink']).toContain(failed.operation);
      else expect(stdout).toMatch(/^(bound\n)?done\n$/);
      expect(box.canary.damage).toBeUndefined();
    }
  });

  test('the positive control: by path, targets are made outside', () => {
    using box = new Box();
    symlinkSync(box.outside, box.rootfs.at('run'));
    symlinkSync(`${box.outside}/new`, box.rootfs.at('etc/resolv.conf'));
    naive.makeDirectory(box.rootfs, 'run/deep');
    expect(box.canary.damage).toContain('deep');
    naive.makeFile(box.rootfs, 'etc/resolv.conf');
    expect(box.canary.damage).toContain('new');
  });

  test('a dangling link is followed inside the root, through what has to be made', async () => {
    using box = new Box();
    symlinkSync('../run/systemd/resolve/stub.conf', box.rootfs.at('etc/resolv.conf'));
    const { stdout, failed } = await runShell(
      box.rootfs,
      'cat /etc/resolv.conf; ls /run/systemd/resolve',
      {},
      {},
      { before: [bind(box.file, 'etc/resolv.conf')] },
    );
    expect(failed).toBeUndefined();
    expect(stdout).toBe('bound\nstub.conf\n');
  });

  test.each<[string, (rootfs: Rootfs) => void]>([
    ['a link to a procfs file', (rootfs) => symlinkSync('/proc/sys/kernel/core_pattern', rootfs.at('dev/null'))],
    ['a file', (rootfs) => rootfs.write('dev/null', 'readable')],
    ['a FIFO', (rootfs) => execFileSync('mkfifo', [rootfs.at('dev/null')])],
    ['another device', (rootfs) => execFileSync('mknod', [rootfs.at('dev/null'), 'c', '1', '5'])],
  ])(
    'CVE-2025-31133, CVE-2025-62161, CVE-2026-88265: /dev/null is %s, and what is masked is the null device all the same',
    async (what, spoil) => {
      using rootfs = new Rootfs();
      spoil(rootfs);
      rootfs.write('secret', 'secret');
      // Without a fresh /dev the image's own is what the container has.
      const ops = setup(rootfs, { after: [{ kind: 'mask', path: 'secret' }] }).filter(
        (op) => !('path' in op && op.path.startsWith('dev')),
      );
      const { stdout } = await runShell(
        rootfs,
        'stat -c "%F %t:%T" /secret; cat /secret | wc -c; cat /proc/self/mountinfo | grep secret',
        {},
        { setup: ops },
      );
      expect(stdout).toMatch(/^character special file 1:3\n0\n.* \/null \/secret /);
      if (what !== 'a FIFO') expect(naive.masked(rootfs, 'secret'), 'the positive control').not.toBe('');
    },
  );

  test('CVE-2025-52565, CVE-2026-88264: /dev/console is a link', async () => {
    for (const target of ['/proc/sysrq-trigger', 'outside', 'file', 'new']) {
      using box = new Box();
      const { rootfs } = box;
      mkdirSync(rootfs.at('dev/pts'));
      const end =
        { outside: box.outside, file: `${box.outside}/etc/passwd`, new: `${up}${box.outside}/made` }[target] ?? target;
      symlinkSync(end, rootfs.at('dev/console'));
      const ops = setup(rootfs, { tty: true }).filter((op) => !(op.kind === 'mount' && op.path === 'dev'));
      expect((await runShell(rootfs, 'true', { tty: true }, { setup: ops })).failed).toMatchObject({
        operation: 'console',
        errno: 40,
      });
      expect(box.canary.damage).toBeUndefined();
      naive.makeFile(rootfs, 'dev/console');
      if (target === 'new') expect(box.canary.damage, 'the positive control').toContain('made');
    }
  });

  test('CVE-2015-3627: nothing that the first process has open was opened by a path of the image', async () => {
    using box = new Box();
    const { rootfs, outside } = box;
    for (const name of ['null', 'console', 'stdin', 'stdout'])
      symlinkSync(`${outside}/etc/passwd`, rootfs.at(`dev/${name}`));
    const ops = setup(rootfs).filter((op) => !('path' in op && op.path.startsWith('dev')));
    const look =
      'cat; stat -L -c %t:%T /proc/self/fd/0; for fd in 1 2; do readlink /proc/self/fd/$fd; done; ls /proc/self/fd | wc -l; echo x >&2';
    const { stdout, failed } = await runShell(rootfs, look, {}, { setup: ops });
    expect(failed).toBeUndefined();
    // The fourth is ls's own, for the directory.
    expect(stdout).toMatch(/^1:3\n(pipe|socket):\[\d+\]\n(pipe|socket):\[\d+\]\n4\n$/);
    expect(box.canary.damage).toBeUndefined();
    expect(naive.readsBeforeRoot(rootfs, 'dev/null'), 'the positive control').toBe(box.canary.secret);
  });

  test('a tty needs a devpts, not something that is called so', async () => {
    using rootfs = new Rootfs();
    const ops = setup(rootfs, { tty: true }).filter((op) => !(op.kind === 'mount' && op.type === 'devpts'));
    expect((await runShell(rootfs, 'true', { tty: true }, { setup: ops })).failed).toMatchObject({
      operation: 'console',
      detail: expect.stringContaining('not a devpts'),
    });
    const privileged = { capabilities: capabilities(hostBounding) };
    await using supervisor = await idle(rootfs, privileged);
    await exec(supervisor, ['umount', '/dev/pts'], privileged);
    expect((await exec(supervisor, ['true'], { tty: true })).failed?.operation).toBe('console');
  });

  test('CVE-2026-55686: the working directory is made below a link', async () => {
    using box = new Box();
    for (const [name, target] of [
      ['one', box.outside],
      ['two', `${up}${box.outside}`],
    ] as const) {
      symlinkSync(target, box.rootfs.at(name));
      const { stdout, failed } = await run(
        box.rootfs,
        containerProcess(['pwd'], { cwd: `/${name}/made`, createCwd: true }),
      );
      expect(failed).toBeUndefined();
      expect(stdout).toBe(`${box.outside}/made\n`);
    }
    expect(box.canary.damage).toBeUndefined();
    naive.makeDirectory(box.rootfs, 'one/made');
    expect(box.canary.damage, 'the positive control').toContain('made');
  });

  test('CVE-2024-21626: a working directory in /proc/self/fd, at start and at exec', async () => {
    using box = new Box();
    await using supervisor = await idle(box.rootfs);
    for (let fd = 0; fd < 40; fd++)
      for (const cwd of [`/proc/self/fd/${fd}`, `/proc/self/fd/${fd}/../..`]) {
        expect((await run(box.rootfs, containerProcess(['pwd'], { cwd }))).failed).toMatchObject({ operation: 'cwd' });
        expect((await exec(supervisor, ['pwd'], { cwd })).failed).toMatchObject({ operation: 'cwd' });
      }
    for (const cwd of ['/proc/self/root/tmp', '/proc/self/cwd', '/proc/1/root'])
      expect((await exec(supervisor, ['pwd'], { cwd })).failed).toMatchObject({ operation: 'cwd' });
    expect(naive.listWorkingDirectory(box.rootfs, '/proc/self/fd/9', box.outside), 'the positive control').toBe(
      'etc\n',
    );
  });

  test('a sysctl’s name can’t leave /proc/sys', async () => {
    using rootfs = new Rootfs();
    for (const name of [
      '../sysrq-trigger',
      'net/../../sysrq-trigger',
      '/../sysrq-trigger',
      'net/ipv4/absent',
      'x'.repeat(300),
    ])
      expect(
        (await runShell(rootfs, 'true', {}, {}, { before: [{ kind: 'sysctl', name, value: 'h' }] })).failed,
      ).toMatchObject({ operation: 'sysctl' });
  });

  test('CVE-2019-16884, CVE-2025-52881, CVE-2025-62596: something else is mounted over the container’s /proc', async () => {
    using rootfs = new Rootfs();
    const files = [
      'self/attr/exec',
      'self/attr/apparmor/exec',
      'sys/net/ipv4/ip_default_ttl',
      'self/oom_score_adj',
      'self/setgroups',
    ];
    for (const directory of ['self/attr/apparmor', 'sys/net/ipv4'])
      mkdirSync(rootfs.at(`fake/${directory}`), { recursive: true });
    for (const file of files) rootfs.write(`fake/${file}`, 'fake');
    const over = bind(rootfs.at('fake'), 'proc', { target: { create: null, noFollow: false } });
    const written = { before: [over, { kind: 'sysctl', name: 'net.ipv4.ip_default_ttl', value: '77' }] as const };
    const privileged = { oomScoreAdj: 99, capabilities: capabilities(hostBounding) };
    const { stdout } = await runShell(
      rootfs,
      'cat /proc/sys/net/ipv4/ip_default_ttl; mkdir /p; mount -t proc p /p; cat /p/sys/net/ipv4/ip_default_ttl /p/self/oom_score_adj',
      privileged,
      {},
      written,
    );
    expect(stdout).toBe('fake77\n99\n');
    // Where there is no AppArmor its file must be missed, not found in the fake.
    const profile = await runShell(rootfs, 'true', { apparmorProfile: 'no-such-profile' }, {}, written);
    expect(profile.failed?.operation).toBe('apparmor');
    // The supervisor opens an exec's for it, and is refused nothing that a start is not.
    await using container = await idle(rootfs);
    expect((await exec(container, ['true'], { apparmorProfile: 'no-such-profile' })).failed).toEqual(profile.failed);
    for (const file of files) expect(rootfs.read(`fake/${file}`)).toBe('fake');
    naive.writeProc(rootfs, 'self/attr/exec', 'exec profile', rootfs.at('fake'));
    expect(rootfs.read('fake/self/attr/exec'), 'the positive control').toBe('exec profile\n');
  });
});
