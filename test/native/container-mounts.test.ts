import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MOUNT_ATTR_RDONLY, MS_PRIVATE, MS_SHARED, MS_SLAVE, type SetupOperation } from '../../src/native/protocol.ts';
import { describeWith } from '../support/requires.ts';
import { bind, containerProcess, idle, mount, run, runShell, setup } from './support/container.ts';
import * as naive from './support/naive-runtime.ts';
import { Rootfs } from './support/rootfs.ts';

describeWith({ root: true }, 'mounts', () => {
  test('an overlay as root, with as many layers as are given', async () => {
    using rootfs = new Rootfs();
    using base = new Rootfs();
    for (const name of ['one', 'two', 'upper', 'work']) mkdirSync(base.at(name));
    base.write('one/file', 'one');
    base.write('two/file', 'two');
    const overlay = mount('overlay', '', 0n, [
      ['lowerdir+', base.at('two')],
      ['lowerdir+', base.at('one')],
      ['lowerdir+', rootfs.path],
      ['upperdir', base.at('upper')],
      ['workdir', base.at('work')],
    ]);
    const ops = setup(rootfs).map((op) => (op.kind === 'bind' && op.path === '' ? overlay : op));
    const { stdout } = await runShell(rootfs, 'cat /file; echo new > /made', {}, { setup: ops });
    expect(stdout).toBe('two');
    expect(base.read('upper/made')).toBe('new\n');
    expect(existsSync(rootfs.at('made'))).toBe(false);
  });

  test('layers whose paths are too long for fsconfig(2) go by mount(2)', async () => {
    using rootfs = new Rootfs();
    using base = new Rootfs();
    const long = `${'l'.repeat(200)}/${'m'.repeat(100)},:x`;
    for (const name of [long, 'upper', 'work']) mkdirSync(base.at(name), { recursive: true });
    base.write(`${long}/file`, 'long');
    const overlay = mount('overlay', '', 0n, [
      ['lowerdir+', base.at(long)],
      ['lowerdir+', rootfs.path],
      ['upperdir', base.at('upper')],
      ['workdir', base.at('work')],
    ]);
    const ops = setup(rootfs).map((op) => (op.kind === 'bind' && op.path === '' ? overlay : op));
    const { stdout, failed } = await runShell(rootfs, 'cat /file; echo new > /made; ls /', {}, { setup: ops });
    expect(failed).toBeUndefined();
    expect(stdout).toMatch(/^longbin\n/);
    expect(base.read('upper/made')).toBe('new\n');
  });

  test('layers that no overlay is made of are refused: the host’s root would stay below them', async () => {
    using rootfs = new Rootfs();
    const [first, ...others] = setup(rootfs);
    if (first === undefined) throw new Error('no set-up');
    const ops = [first, { kind: 'layers', hostPath: rootfs.path } as const, ...others];
    const { stdout, failed } = await runShell(rootfs, 'echo ran', {}, { setup: ops });
    expect(failed).toMatchObject({ operation: 'protocol', detail: 'layers that no overlay follows' });
    expect(stdout).toBe('');
  });

  test('a bind of a file and of a directory, read-only and not, over targets that are made', async () => {
    using rootfs = new Rootfs();
    using host = new Rootfs();
    host.write('file', 'host\n');
    const binds = [
      bind(host.at('file'), 'etc/deep/file', { set: MOUNT_ATTR_RDONLY }),
      bind(host.path, '/mnt/host'),
      bind('/absent/source', 'none', { optional: true }),
    ];
    const { stdout, stderr } = await runShell(
      rootfs,
      'cat /etc/deep/file /mnt/host/file; echo x > /etc/deep/file; echo new > /mnt/host/new; ls /none',
      {},
      {},
      { before: binds },
    );
    expect(stdout).toBe('host\nhost\n');
    expect(stderr).toMatch(/deep\/file: Read-only[\s\S]*none: No such file/);
    expect(host.read('new')).toBe('new\n');
  });

  test('what can’t be mounted is said with the option, and in the kernel’s own words where it has some', async () => {
    using rootfs = new Rootfs();
    const attempt = async (op: SetupOperation) =>
      (await run(rootfs, containerProcess(['true']), {}, { before: [op] })).failed;
    const overlay = (...options: [string, string][]) => attempt(mount('overlay', 'mnt', 0n, options));
    expect(await attempt(mount('nosuchfs', 'mnt', 0n))).toMatchObject({
      operation: 'mount',
      errno: 19,
      detail: "nosuchfs on /mnt: the kernel doesn't have this filesystem",
    });
    expect(await attempt(mount('tmpfs', 'mnt', 0n, [['nonsense', '1']]))).toMatchObject({
      errno: 22,
      detail: "tmpfs on /mnt, option nonsense=1: tmpfs: Unknown parameter 'nonsense'",
    });
    expect(await overlay(['lowerdir+', '/absent'])).toMatchObject({
      operation: 'mount',
      errno: 2,
      detail: expect.stringContaining('overlay on /mnt'),
    });
    expect(await overlay(['lowerdir+', rootfs.path], ['upperdir', rootfs.at('tmp')])).toMatchObject({
      operation: 'mount',
      errno: 22,
      detail: expect.stringContaining('log says why'),
    });
    const long = Array.from({ length: 200 }, (_, i): [string, string] => ['lowerdir+', `/${'x'.repeat(255)}/${i}`]);
    expect(await overlay(...long)).toMatchObject({
      operation: 'mount',
      errno: 7,
      detail: expect.stringContaining('too many or too long'),
    });
    expect(await attempt(bind('/absent', 'mnt'))).toMatchObject({
      operation: 'bind',
      errno: 2,
      detail: 'source /absent',
    });
    expect(await attempt(bind('/etc/passwd', 'mnt', { device: true }))).toMatchObject({
      operation: 'bind',
      errno: 19,
      detail: 'source /etc/passwd is not a device node',
    });
    expect(await attempt(bind('/etc/passwd', 'absent', { target: { create: null, noFollow: false } }))).toMatchObject({
      operation: 'bind',
      errno: 2,
      detail: 'target absent',
    });
    expect(await attempt(bind('/etc/passwd', 'home'))).toMatchObject({
      operation: 'bind',
      errno: 20,
      detail: 'home is a directory, not an ordinary file',
    });
  });

  test('nothing of it comes to the host, which shares its mounts, whatever the plan says', async () => {
    using rootfs = new Rootfs();
    const supervisor = { prefix: ['unshare', '-m', '--propagation', 'shared'] };
    const plan = setup(rootfs);
    const withPropagation = (propagation: bigint) =>
      plan.map((op) => (op.kind === 'propagation' ? { ...op, propagation } : op));
    for (const ops of [
      withPropagation(MS_PRIVATE),
      withPropagation(MS_SLAVE),
      plan.filter((op) => op.kind !== 'propagation'),
    ]) {
      await using container = await idle(rootfs, {}, { setup: ops }, { supervisor });
      const host = readFileSync(`/proc/${container.child.pid}/mountinfo`, 'utf8');
      expect(host).toMatch(/ \/ \/ .* shared:/);
      expect(host).not.toContain('hako-rootfs');
      expect(host.match(/ \/ \/ /g)).toHaveLength(1);
    }
    const { failed } = await run(
      rootfs,
      containerProcess(['true']),
      { setup: withPropagation(MS_SHARED) },
      { supervisor },
    );
    expect(failed).toMatchObject({ operation: 'propagation', errno: 22 });
  });

  test.each([
    ['proc', '/proc'],
    ['proc', 'proc/sys/kernel'],
    ['sys', '../../sys'],
    ['dev', '/dev'],
  ])('a volume does not come to lie over /%s by a link of the image’s: %s', async (where, link) => {
    using rootfs = new Rootfs();
    using volume = new Rootfs();
    symlinkSync(link, rootfs.at('data'));
    for (const path of ['data', '/data', 'tmp/../data']) {
      const { failed } = await runShell(rootfs, 'true', {}, {}, { before: [bind(volume.path, path)] });
      expect(failed).toMatchObject({
        operation: 'bind',
        detail: `${path} is a link of the image's into /${where}`,
      });
    }
  });

  test('a volume lies where it was asked for: there by name, and behind any other link', async () => {
    using rootfs = new Rootfs();
    using volume = new Rootfs();
    volume.write('file', 'mine\n');
    symlinkSync('home', rootfs.at('data'));
    expect(naive.mountPoint(rootfs, 'data'), 'what a mount by path does').toBe(rootfs.at('home'));
    const before = [bind(volume.path, 'data'), bind(volume.path, 'dev/shm'), mount('tmpfs', 'sys/fs/cgroup', 0n)];
    const { stdout } = await runShell(rootfs, 'cat /home/file /dev/shm/file; ls /sys/fs/cgroup', {}, {}, { before });
    expect(stdout).toBe('mine\nmine\n');
  });
});
