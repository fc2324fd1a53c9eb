import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID } from '../../src/native/protocol.ts';
import { unmet } from '../support/requires.ts';
import { bind, capabilities, containerProcess, exec, hostBounding, idle, mount, run, runShell, setup } from './support/container.ts';
import { Rootfs } from './support/rootfs.ts';

/** A directory that no container may touch, and a look at whether it did. */
class Canary implements Disposable {
  readonly #base = new Rootfs();
  readonly path = this.#base.at('canary');
  readonly secret = `${this.path}/secret`;
  readonly #before: string;

  constructor() {
    mkdirSync(this.path);
    writeFileSync(this.secret, 'the secret of the host');
    this.#before = this.#look();
  }

  #look(): string {
    const one = (path: string) => {
      const { ino, mode, uid, gid, mtimeMs, ctimeMs, size } = statSync(path);
      return JSON.stringify({ path, ino, mode, uid, gid, mtimeMs, ctimeMs, size });
    };
    return [this.path, ...readdirSync(this.path).map((name) => `${this.path}/${name}`)].map(one).join('\n') + readFileSync(this.secret, 'utf8');
  }

  expectUntouched(): void {
    expect(this.#look()).toBe(this.#before);
  }

  [Symbol.dispose](): void {
    this.#base[Symbol.dispose]();
  }
}

/** A file that a container may be given and may write to. */
class HostFile implements Disposable {
  readonly #base = new Rootfs();
  readonly path = this.#base.at('file');

  constructor(content: string) {
    writeFileSync(this.path, content);
  }

  [Symbol.dispose](): void {
    this.#base[Symbol.dispose]();
  }
}

describe.skipIf(unmet({ root: true }) !== undefined)('an image that lies about its paths', () => {
  test.each(['proc', 'sys', 'dev'])('CVE-2019-19921, CVE-2023-27561: /%s is a link', async (name) => {
    using rootfs = new Rootfs();
    using canary = new Canary();
    rmdirSync(rootfs.at(name));
    for (const target of ['/bad', canary.path, `../../../../../..${canary.path}`]) {
      mkdirSync(rootfs.at('bad'), { recursive: true });
      symlinkSync(target, rootfs.at(name));
      const { failed } = await run(rootfs, containerProcess(['true']));
      expect(failed).toMatchObject({ operation: 'mount', errno: 40, detail: `${name} is a symbolic link, not an ordinary directory` });
      unlinkSync(rootfs.at(name));
    }
    rootfs.write(name, 'a file');
    expect((await run(rootfs, containerProcess(['true']))).failed).toMatchObject({ operation: 'mount', errno: 20, detail: `${name} is not an ordinary directory` });
    canary.expectUntouched();
  });

  type Spoil = (rootfs: Rootfs, canary: Canary, path: string) => void;
  const shapes: [string, Spoil][] = [
    ['an absolute link out', (rootfs, canary, path) => symlinkSync(canary.path, rootfs.at(path))],
    ['a relative link out', (rootfs, canary, path) => symlinkSync(`../../../../../../..${canary.path}`, rootfs.at(path))],
    ['a link to a file out', (rootfs, canary, path) => symlinkSync(canary.secret, rootfs.at(path))],
    ['a dangling link', (rootfs, _, path) => symlinkSync('/not/here/yet', rootfs.at(path))],
    ['a loop', (rootfs, _, path) => symlinkSync(`/${path}`, rootfs.at(path))],
    ['a file', (rootfs, _, path) => rootfs.write(path, 'file')],
    ['a FIFO', (rootfs, _, path) => execFileSync('mkfifo', [rootfs.at(path)])],
    ['absent', () => {}],
  ];
  test.each(shapes)('CVE-2026-41579 and its kin: targets of mounts are %s', async (_, spoil) => {
    for (const path of ['etc/resolv.conf', 'run', 'dev', 'dev/shm', 'tmp']) {
      using rootfs = new Rootfs();
      using canary = new Canary();
      rmSync(rootfs.at(path), { recursive: true, force: true });
      spoil(rootfs, canary, path);
      const file = path === 'etc/resolv.conf';
      using own = new HostFile('bound');
      const quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
      const op = file ? bind(own.path, path) : mount('tmpfs', path, quiet, [], { create: 'directory', noFollow: false });
      const { stdout, failed } = await runShell(rootfs, 'cat /canary/secret /tmp/canary/secret; echo x > /run/new; echo x > /tmp/new; echo x > /etc/resolv.conf; echo done', {}, {}, { before: [op, { kind: 'mkdir', path: `${path}.d/deep`, mode: 0o700 }] });
      if (failed) expect(['mount', 'bind', 'mkdir', 'mknod', 'symlink']).toContain(failed.operation);
      else expect(stdout).toBe('done\n');
      canary.expectUntouched();
    }
  });

  test('a dangling link is followed inside the root, through what has to be made', async () => {
    using rootfs = new Rootfs();
    symlinkSync('../run/systemd/resolve/stub.conf', rootfs.at('etc/resolv.conf'));
    using own = new HostFile('bound\n');
    const { stdout, failed } = await runShell(rootfs, 'cat /etc/resolv.conf; ls /run/systemd/resolve', {}, {}, { before: [bind(own.path, 'etc/resolv.conf')] });
    expect(failed).toBeUndefined();
    expect(stdout).toBe('bound\nstub.conf\n');
  });

  test.each<[string, (rootfs: Rootfs) => void]>([
    ['a link to a procfs file', (rootfs) => symlinkSync('/proc/sys/kernel/core_pattern', rootfs.at('dev/null'))],
    ['a file', (rootfs) => rootfs.write('dev/null', 'readable')],
    ['a FIFO', (rootfs) => execFileSync('mkfifo', [rootfs.at('dev/null')])],
    ['another device', (rootfs) => execFileSync('mknod', [rootfs.at('dev/null'), 'c', '1', '5'])],
  ])('CVE-2025-31133: /dev/null is %s, and what is masked is the null device all the same', async (_, spoil) => {
    using rootfs = new Rootfs();
    spoil(rootfs);
    rootfs.write('secret', 'secret');
    // Without a fresh /dev the image's own is what the container has.
    const ops = [...setup(rootfs, { after: [{ kind: 'mask', path: 'secret' }] })].filter((op) => !('path' in op && op.path.startsWith('dev')));
    const { stdout } = await runShell(rootfs, 'stat -c "%F %t:%T" /secret; cat /secret | wc -c; cat /proc/self/mountinfo | grep secret', {}, { setup: ops });
    expect(stdout).toMatch(/^character special file 1:3\n0\n.* \/null \/secret /);
  });

  test('CVE-2025-52565, CVE-2026-88264: /dev/console is a link', async () => {
    using canary = new Canary();
    for (const target of ['/proc/sysrq-trigger', canary.path, canary.secret, `../../../..${canary.path}/made`]) {
      using rootfs = new Rootfs();
      mkdirSync(rootfs.at('dev/pts'));
      symlinkSync(target, rootfs.at('dev/console'));
      const ops = setup(rootfs, { tty: true }).filter((op) => !(op.kind === 'mount' && op.path === 'dev'));
      expect((await runShell(rootfs, 'true', { tty: true }, { setup: ops })).failed).toMatchObject({ operation: 'console', errno: 40 });
      canary.expectUntouched();
    }
  });

  test('a tty needs a devpts, not something that is called so', async () => {
    using rootfs = new Rootfs();
    const ops = setup(rootfs, { tty: true }).filter((op) => !(op.kind === 'mount' && op.type === 'devpts'));
    expect((await runShell(rootfs, 'true', { tty: true }, { setup: ops })).failed).toMatchObject({ operation: 'console', detail: expect.stringContaining('not a devpts') });
    await using supervisor = await idle(rootfs, { capabilities: capabilities(hostBounding) });
    await exec(supervisor, ['umount', '/dev/pts'], { capabilities: capabilities(hostBounding) });
    expect((await exec(supervisor, ['true'], { tty: true })).failed?.operation).toBe('console');
  });

  test('CVE-2026-55686: the working directory is made below a link', async () => {
    using rootfs = new Rootfs();
    using canary = new Canary();
    for (const [name, target] of [['one', canary.path], ['two', `../../../../..${canary.path}`]] as const) {
      symlinkSync(target, rootfs.at(name));
      const { stdout, failed } = await run(rootfs, containerProcess(['pwd'], { cwd: `/${name}/made`, createCwd: true }));
      expect(failed?.operation ?? stdout).toBe(`${canary.path}/made\n`);
    }
    canary.expectUntouched();
  });

  test('CVE-2024-21626: a working directory in /proc/self/fd, at start and at exec', async () => {
    using rootfs = new Rootfs();
    await using supervisor = await idle(rootfs);
    for (let fd = 0; fd < 40; fd++)
      for (const cwd of [`/proc/self/fd/${fd}`, `/proc/self/fd/${fd}/../..`]) {
        expect((await run(rootfs, containerProcess(['pwd'], { cwd }))).failed).toMatchObject({ operation: 'cwd' });
        expect((await exec(supervisor, ['pwd'], { cwd })).failed).toMatchObject({ operation: 'cwd' });
      }
    expect((await exec(supervisor, ['pwd'], { cwd: '/proc/self/root/tmp' })).failed).toMatchObject({ operation: 'cwd' });
  });

  test('CVE-2019-5736: the program is /proc/self/exe', async () => {
    using rootfs = new Rootfs();
    symlinkSync('/proc/self/exe', rootfs.at('bin/me'));
    rootfs.write('bin/script', '#!/proc/self/exe\n', 0o755);
    await using supervisor = await idle(rootfs);
    for (const argv of [['/proc/self/exe'], ['me'], ['script']]) {
      // The supervisor's own program has no such name in the container: whatever runs, it isn't hako's code with a way out.
      const { stdout, stderr, failed, exited } = await exec(supervisor, argv);
      expect(failed?.operation ?? `${stdout}${stderr}${exited?.exitCode}`).toMatch(/^exec$|^1$|^\d+$/);
    }
    await expect.poll(() => supervisor.child.exitCode).toBe(null);
  });

  test('a sysctl’s name can’t leave /proc/sys', async () => {
    using rootfs = new Rootfs();
    for (const name of ['../sysrq-trigger', 'net/../../sysrq-trigger', '/../sysrq-trigger', 'net/ipv4/absent', 'x'.repeat(300)])
      expect((await runShell(rootfs, 'true', {}, {}, { before: [{ kind: 'sysctl', name, value: 'h' }] })).failed).toMatchObject({ operation: 'sysctl' });
  });

  test('CVE-2019-16884, CVE-2025-52881: something else is mounted over the container’s /proc', async () => {
    using rootfs = new Rootfs();
    mkdirSync(rootfs.at('fake/self/attr/apparmor'), { recursive: true });
    mkdirSync(rootfs.at('fake/sys/net/ipv4'), { recursive: true });
    for (const file of ['self/attr/exec', 'self/attr/apparmor/exec', 'sys/net/ipv4/ip_default_ttl', 'self/oom_score_adj', 'self/setgroups']) rootfs.write(`fake/${file}`, 'fake');
    await runShell(rootfs, 'true', { oomScoreAdj: 99, apparmorProfile: 'nothing' }, {}, { after: [bindInside(rootfs.at('fake'), 'proc'), { kind: 'sysctl', name: 'net.ipv4.ip_default_ttl', value: '77' }] });
    const { stdout } = await runShell(rootfs, 'cat /proc/sys/net/ipv4/ip_default_ttl; mkdir /p; mount -t proc p /p; cat /p/sys/net/ipv4/ip_default_ttl', { oomScoreAdj: 99, capabilities: capabilities(hostBounding) }, {}, { before: [bindInside(rootfs.at('fake'), 'proc'), { kind: 'sysctl', name: 'net.ipv4.ip_default_ttl', value: '77' }] });
    expect(stdout).toBe('fake77\n');
    expect(rootfs.read('fake/sys/net/ipv4/ip_default_ttl')).toBe('fake');
    expect(rootfs.read('fake/self/oom_score_adj')).toBe('fake');
  });

  const bindInside = (source: string, path: string) => bind(source, path, { target: { create: null, noFollow: false } });
});

describe.skipIf(unmet({ root: true }) !== undefined)('a container that attacks whoever comes in', () => {
  test('CVE-2016-9962: nobody who is executed can be looked into', async () => {
    using rootfs = new Rootfs();
    // For each process that appears: read what its descriptors and its program are. All that is outside of the root is a find.
    const watch = 'while :; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) continue;; esac; for f in $p/fd/* $p/exe $p/cwd $p/root; do t=$(readlink $f 2>/dev/null) && echo "$(cat $p/comm 2>/dev/null) $t"; done; done; done > /tmp/finds';
    await using supervisor = await idle(rootfs, {}, {}, {});
    const watcher = await supervisor.connect();
    const { execRequest } = await import('./support/supervisor-process.ts');
    await watcher.exec(execRequest([], { process: containerProcess(['sh', '-c', watch]) }));
    for (let i = 0; i < 150; i++) expect((await exec(supervisor, ['true'])).exited?.exitCode).toBe(0);
    const finds = rootfs.read('tmp/finds').split('\n').filter((line) => line.startsWith('hako'));
    expect(finds).toEqual([]);
    expect(rootfs.read('tmp/finds').length).toBeGreaterThan(0);
  });

  test('CVE-2021-30465, CVE-2024-45310: a neighbour swaps the target for a link in a shared volume', async () => {
    using rootfs = new Rootfs();
    using shared = new Rootfs();
    using canary = new Canary();
    rootfs.write('swap.sh', 'while :; do ln -sfn / x.link; mv -T x.link x 2>/dev/null || { rm -rf x; ln -s / x; }; rm -f x; mkdir x; done');
    for (const applet of ['ln', 'mv', 'rm']) symlinkSync('busybox', rootfs.at(`bin/${applet}`));
    mkdirSync(rootfs.at('vol'));
    await using attacker = await idle(rootfs, {}, {}, { before: [bind(shared.path, 'vol')] });
    const racer = await attacker.connect();
    const { execRequest } = await import('./support/supervisor-process.ts');
    await racer.exec(execRequest([], { process: containerProcess(['sh', '/swap.sh'], { cwd: '/vol' }) }));
    let mounted = 0;
    for (let i = 0; i < 150; i++) {
      const { stdout, failed } = await runShell(rootfs, `cat ${canary.secret}; cat /proc/self/mountinfo`, {}, {}, { before: [bind(shared.path, 'vol'), mount('tmpfs', 'vol/x/deep', 0n, [], { create: 'directory', noFollow: false })] });
      expect(stdout).not.toContain('the secret');
      if (failed) expect(['mount']).toContain(failed.operation);
      else mounted++;
    }
    expect(mounted).toBeGreaterThan(0);
    expect(existsSync('/deep')).toBe(false);
    canary.expectUntouched();
  });

  test('nobody in a container is the parent, or the keyring’s heir, of the host', async () => {
    using rootfs = new Rootfs();
    const { stdout } = await runShell(rootfs, 'grep -E "PPid|NSsid" /proc/1/status; cat /proc/keys | wc -l');
    expect(stdout).toBe('PPid:\t0\nNSsid:\t1\n0\n');
    expect(readlinkSync('/proc/self/ns/pid')).toMatch(/^pid:/);
  });
});
