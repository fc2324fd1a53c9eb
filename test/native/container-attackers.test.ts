import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { encodeExec } from '../../src/native/protocol.ts';
import { Canary } from '../support/canary.ts';
import { describeWith } from '../support/requires.ts';
import { bind, capabilities, containerProcess, exec, idle, mount, run, runShell } from './support/container.ts';
import * as naive from './support/naive-runtime.ts';
import { Rootfs } from './support/rootfs.ts';
import { execRequest, type RawSession, type SupervisorProcess } from './support/supervisor-process.ts';

const CAP_SYS_PTRACE = 1n << 19n;

/** A process that goes on in the container until it is disposed of. */
async function inside(supervisor: SupervisorProcess, script: string, cwd = '/'): Promise<RawSession> {
  const session = await supervisor.connect();
  await session.exec(execRequest([], { process: containerProcess(['sh', '-c', script], { cwd }) }));
  return session;
}

/** One who comes in while the container stops newcomers, and was stopped before its program ran. */
async function stopped(supervisor: SupervisorProcess): Promise<RawSession> {
  for (let i = 0; i < 50; i++) {
    const session = await supervisor.connect();
    session.sendRaw(encodeExec(execRequest(['true'], { process: containerProcess(['true']) })));
    await delay(100);
    if (session.frames.length === 0) return session;
    session.socket.destroy();
  }
  throw new Error('nobody was stopped');
}

async function liveExecs(supervisor: SupervisorProcess): Promise<number> {
  const session = await supervisor.connect();
  session.send({ type: 'state' });
  return (await session.next('state-reply')).liveExecs;
}

describeWith({ root: true, tools: ['nsenter'] }, 'a container that attacks whoever comes in', () => {
  // For each process that appears: what its program, its directories and its descriptors are, if it lets itself be looked into.
  const watch =
    'while :; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) continue;; esac; for f in $p/exe $p/cwd $p/root $p/fd/*; do t=$(readlink $f 2>/dev/null) && echo "$(cat $p/comm 2>/dev/null) $t"; done; done; done > /tmp/finds';

  test('CVE-2016-9962: nobody who is executed can be looked into', async () => {
    using rootfs = new Rootfs();
    await using supervisor = await idle(rootfs);
    const { pid } = await supervisor.owner.next('started');
    await inside(supervisor, watch);
    const finds = (name: string) =>
      rootfs
        .read('tmp/finds')
        .split('\n')
        .filter((line) => line.startsWith(name));
    for (let i = 0; i < 200; i++) expect((await exec(supervisor, ['true'])).exited?.exitCode).toBe(0);
    expect(finds('hako')).toEqual([]);
    naive.enter(pid);
    expect(finds('sleep'), 'the positive control').not.toEqual([]);
  });

  test('with CAP_SYS_PTRACE a newcomer can be stopped and looked into, but it holds nothing of the host', async () => {
    using rootfs = new Rootfs();
    const sets = capabilities(0xa80425fbn | CAP_SYS_PTRACE);
    // Whoever is stopped before its execve is still called what the supervisor called it.
    rootfs.write(
      'bin/thief',
      `while :; do kill -STOP -1; for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) continue;; esac
       for f in $p/fd/*; do t=$(readlink $f) && echo "$(cat $p/comm) $t $([ -d $f/. ] && ls -d $f/1/ns)"; done
       done 2> /dev/null; kill -CONT -1; done > /tmp/finds`,
    );
    await using supervisor = await idle(rootfs, { capabilities: sets });
    const session = await supervisor.connect();
    await session.exec(execRequest([], { process: containerProcess(['sh', '/bin/thief'], { capabilities: sets }) }));
    for (let i = 0; i < 60; i++) expect((await exec(supervisor, ['true'])).exited?.exitCode).toBe(0);
    const finds = () => rootfs.read('tmp/finds').split('\n');
    const held = new Set(
      finds()
        .filter((line) => line.startsWith('hako'))
        .map((line) => line.split(' ').slice(1).join(' ')),
    );
    expect(held, 'the thief comes in time').toContain('/dev/null ');
    for (const what of held)
      expect(what).toMatch(
        /^(\/dev\/null|\/|pipe:\[\d+\]|socket:\[\d+\]|anon_inode:\[pidfd\]|\/etc\/(passwd|group)|\/proc\/\d+\/ns\/\w+) $/,
      );
    await exec(supervisor, ['sh', '-c', 'exec 9</proc; sleep 0.5']);
    expect(finds().join('\n'), 'the positive control').toMatch(/ \/proc \/proc\/\d+\/fd\/9\/1\/ns/);
  });

  test('who stops newcomers holds up nobody else, and is stopped as ever', async () => {
    using rootfs = new Rootfs();
    await using supervisor = await idle(rootfs);
    await inside(supervisor, 'while :; do kill -STOP -1; done');
    const held = await stopped(supervisor);
    const began = performance.now();
    const other = await supervisor.connect();
    other.send({ type: 'state' });
    expect(await other.next('state-reply')).toMatchObject({ running: true });
    other.send({ type: 'signal', signal: 9 });
    expect(await supervisor.owner.next('exited')).toMatchObject({ signal: 9 });
    expect(performance.now() - began).toBeLessThan(5000);
    const { detail } = await held.next('failed');
    expect(detail, 'the positive control').toContain('killed during its set-up by signal 9');
  });

  test('whoever hangs up while what it executes is stopped has it killed', async () => {
    using rootfs = new Rootfs();
    await using supervisor = await idle(rootfs);
    const attacker = await inside(supervisor, 'while :; do kill -STOP -1; done');
    const session = await stopped(supervisor);
    session.socket.destroy();
    attacker.send({ type: 'signal', signal: 9 });
    await attacker.next('exited');
    await expect.poll(() => liveExecs(supervisor), { timeout: 5000 }).toBe(0);
  });

  test('CVE-2019-5736: neither the supervisor’s program nor what runs it can be written from inside', async () => {
    using rootfs = new Rootfs();
    symlinkSync('/proc/self/exe', rootfs.at('bin/me'));
    rootfs.write('bin/script', '#!/proc/self/exe\n', 0o755);
    await using supervisor = await idle(rootfs, { init: true });
    const { pid } = await supervisor.owner.next('started');
    const program = () =>
      createHash('sha256')
        .update(readFileSync(`/proc/${supervisor.child.pid}/exe`))
        .digest('hex');
    const before = program();
    await inside(
      supervisor,
      'while :; do for p in /proc/[0-9]*; do : 2>/dev/null >> $p/exe && echo $p >> /tmp/opened; done; done',
    );
    for (const argv of [['/proc/self/exe'], ['me'], ['script'], ['true']])
      for (let i = 0; i < 20; i++) await exec(supervisor, argv);
    expect(program()).toBe(before);
    // pid 1 runs hako's code, and doesn't even say which file that is.
    const { stderr } = await exec(supervisor, [
      'sh',
      '-c',
      'readlink /proc/1/exe || echo closed >&2; cat /proc/1/environ',
    ]);
    expect(stderr).toMatch(/closed\n.*Permission denied/);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8').replaceAll('\0', '')).not.toContain('PATH=');
  });

  const racer = (targets: string[]) =>
    `cd /vol; while :; do ${targets.map((target) => `rm -rf x; ln -s ${target} x; rm -f x; mkdir x`).join('; ')}; done`;

  test('CVE-2021-30465, CVE-2024-45310: a neighbour swaps the target for a link in a shared volume', async () => {
    using rootfs = new Rootfs();
    using shared = new Rootfs();
    using naively = new Rootfs();
    const host = mkdtempSync(join(tmpdir(), 'hako-host-'));
    const canary = new Canary(join(host, 'canary'));
    const decoy = new Canary(join(host, 'decoy'));
    for (const applet of ['ln', 'rm']) symlinkSync('busybox', rootfs.at(`bin/${applet}`));
    await using attacker = await idle(rootfs, {}, {}, { before: [bind(shared.path, 'vol')] });
    await inside(attacker, racer(['/', canary.path]));
    const outcomes = { mounted: 0, refused: 0 };
    for (let i = 0; i < 200; i++) {
      const ops = [
        bind(shared.path, 'vol'),
        mount('tmpfs', 'vol/x/deep', 0n, [], { create: 'directory', noFollow: false }),
      ];
      const { stdout, failed } = await runShell(
        rootfs,
        `cat ${canary.path}/etc/passwd; ls /vol/x; cat /proc/self/mountinfo`,
        {},
        {},
        { before: ops },
      );
      expect(stdout).not.toContain(canary.secret);
      if (failed) expect(failed.operation).toBe('mount');
      outcomes[failed ? 'refused' : 'mounted']++;
    }
    expect(outcomes.mounted).toBeGreaterThan(0);
    expect(canary.damage).toBeUndefined();
    expect(readdirSync('/')).not.toContain('deep');
    // The same race against a maker of directories by path, in a volume and with a canary of its own: a link to "/"
    // in it would lead to the host's.
    await using other = await idle(rootfs, {}, {}, { before: [bind(naively.path, 'vol')] });
    await inside(other, racer([decoy.path]));
    for (let i = 0; i < 5000 && decoy.damage === undefined; i++) naive.makeDirectory(naively, 'x/deep');
    expect(decoy.damage, 'the positive control').toContain('deep');
    rmSync(host, { recursive: true });
  });

  test.skipIf(!existsSync('/sys/fs/cgroup/freezer/cgroup.procs'))(
    'a container that is frozen, or hangs whoever looks into it, does not hold its supervisor for long',
    async () => {
      using rootfs = new Rootfs();
      const freezer = '/sys/fs/cgroup/freezer';
      const path = join(freezer, `hako-frozen-${process.pid}`);
      const cgroup = [
        { kind: 'mkdir', path },
        { kind: 'join', directory: path },
      ] as const;
      await using supervisor = await idle(rootfs, {}, { cgroup });
      writeFileSync(join(path, 'freezer.state'), 'FROZEN');
      const { failed } = await exec(supervisor, ['true'], {}, { cgroups: [path] });
      expect(failed).toMatchObject({ operation: 'child', errno: 110 });
      writeFileSync(join(path, 'freezer.state'), 'THAWED');
      expect((await exec(supervisor, ['true'], {}, { cgroups: [path] })).exited?.exitCode).toBe(0);
    },
    30_000,
  );

  test('neither a parent nor a session of the host is to be seen', async () => {
    using rootfs = new Rootfs();
    expect((await runShell(rootfs, 'grep -E "PPid|NSsid" /proc/1/status')).stdout).toBe('PPid:\t0\nNSsid:\t1\n');
  });

  test('the host’s session keyring is nobody’s in a container', async () => {
    using rootfs = new Rootfs();
    execFileSync('cc', ['-static', '-o', rootfs.at('bin/keyring'), 'test/native/session-keyring.c']);
    await using supervisor = await idle(rootfs);
    const serials = [
      execFileSync(rootfs.at('bin/keyring'), { encoding: 'utf8' }),
      (await run(rootfs, containerProcess(['keyring']))).stdout,
      (await exec(supervisor, ['keyring'])).stdout,
      (await exec(supervisor, ['keyring'])).stdout,
    ];
    for (const serial of serials) expect(serial).toMatch(/^[1-9]\d*\n$/);
    expect(new Set(serials).size).toBe(4);
  });
});
