import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { Rootfs } from '../native/support/rootfs.ts';
import { IsolatedContainer, type IsolatedOptions, runIsolated, thisHost } from '../support/isolated-run.ts';
import { describeWith } from '../support/requires.ts';
import { asSingleId } from '../support/single-id.ts';

const sh = (script: string): readonly string[] => ['/bin/sh', '-c', script];

async function inSingleId(command: readonly string[], more: Partial<IsolatedOptions> = {}, walk?: string) {
  using rootfs = new Rootfs();
  if (walk !== undefined) copyFileSync(walk, rootfs.at('walk'));
  for (const applet of ['chown', 'su', 'touch', 'setpriv', 'ln'])
    execFileSync('ln', ['-sf', 'busybox', rootfs.at(`bin/${applet}`)]);
  return await runIsolated(rootfs, command, asSingleId(rootfs, await thisHost(), more));
}

describeWith({ root: true, tools: ['cc', 'setpriv'] }, 'a container with a single id', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hako-id-walk-'));
  const walk = join(directory, 'walk');
  const edges = join(directory, 'edges');
  const fuse = join(directory, 'fuse');
  beforeAll(() => {
    const flags = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-O1', '-static', '-pthread'];
    for (const [program, source] of [
      [walk, 'id_walk'],
      [edges, 'id_edges'],
      [fuse, 'stuck_fuse'],
    ])
      execFileSync('cc', [...flags, '-o', program ?? '', `test/native/${source}.c`]);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test.each([1, 2, 3])(
    'its calls that change and tell ids are answered as the kernel answers them to root (seed %i)',
    async (seed) => {
      const command = ['/walk', String(seed), '25'];
      using rootfs = new Rootfs();
      copyFileSync(walk, rootfs.at('walk'));
      const real = await runIsolated(rootfs, command);
      expect(real.stdout.split('\n').length).toBeGreaterThan(1000);
      const emulated = await inSingleId(command, {}, walk);
      expect(emulated.stdout.split('\n')).toEqual(real.stdout.split('\n'));
    },
  );

  test.each(['faults', 'threads'])('so are %s', async (what) => {
    using rootfs = new Rootfs();
    copyFileSync(edges, rootfs.at('walk'));
    const real = await runIsolated(rootfs, ['/walk', what]);
    expect(real.stdout.split('\n').length).toBeGreaterThan(4);
    // Kept rights are capabilities to the kernel, which gives them back by capset(2) only: here they count at once.
    const expected = real.stdout.replace('setuid back = -1 1', 'setuid back = 0 0');
    expect((await inSingleId(['/walk', what], {}, edges)).stdout).toBe(expected);
  });

  test('a storm of such calls holds up neither an exec nor the end', async () => {
    using rootfs = new Rootfs();
    copyFileSync(edges, rootfs.at('storm'));
    await using container = await IsolatedContainer.launch(
      rootfs,
      ['/storm', 'storm'],
      asSingleId(rootfs, await thisHost()),
    );
    await container.started();
    for (let round = 0; round < 5; round++) {
      const begun = performance.now();
      expect((await container.exec(sh('id -u'))).stdout).toBe('0\n');
      expect(performance.now() - begun).toBeLessThan(3000);
    }
    container.supervisor.owner.send({ type: 'signal', signal: 9 });
    const { exitCode } = await container.end();
    expect(exitCode).toBe(137);
  });

  test('memory that never comes holds the supervisor up for seconds, and then no more', async () => {
    const mountpoint = join(directory, 'mnt');
    mkdirSync(mountpoint);
    chmodSync(directory, 0o755);
    const server = spawn(fuse, [mountpoint], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => {
      server.kill('SIGKILL');
      execFileSync('umount', ['-l', mountpoint]);
    });
    await once(server.stdout, 'data');
    using rootfs = new Rootfs();
    copyFileSync(edges, rootfs.at('stall'));
    const mounts = [{ type: 'bind', source: mountpoint, target: '/mnt' }] as const;
    await using container = await IsolatedContainer.launch(
      rootfs,
      ['/stall', 'stall', '/mnt/file'],
      asSingleId(rootfs, await thisHost(), { settings: { mounts } }),
    );
    await container.started();
    await container.supervisor.owner.until((text) => text.includes('getuid'));
    expect(container.supervisor.owner.output('stdout').toString()).toBe(
      `open = 0 0\n${'getresuid = -1 14\n'.repeat(3)}getuid = 0 0\n`,
    );
    // Others answer for themselves.
    const begun = performance.now();
    expect((await container.exec(['/stall', 'faults'])).stdout).toContain('getgroups = 2 0\n');
    expect(performance.now() - begun).toBeLessThan(1000);
    container.supervisor.owner.send({ type: 'signal', signal: 9 });
    expect((await container.end()).exitCode).toBe(137);
  });

  test('the positive control: without emulation they are not', async () => {
    const { stdout } = await inSingleId(['/walk', '1', '5'], { modeOptions: { idEmulation: 'none' } }, walk);
    expect(stdout).toMatch(/setuid 7 0 0 = -1 22|setgid 7 0 0 = -1 22|setresuid.* = -1 22/);
  });

  test('chown to another id is answered as done, and the file stays its own; to its own the kernel does it', async () => {
    const script =
      'touch /x && chown 5:6 /x && stat -c %u:%g /x; ln -s nowhere /l; chown -h 7 /l && echo link; chown 0:0 /absent || echo refused';
    expect((await inSingleId(sh(script))).stdout).toBe('0:0\nlink\nrefused\n');
    const none = await inSingleId(sh('touch /x; chown 5:6 /x || echo refused'), {
      modeOptions: { idEmulation: 'none' },
    });
    expect(none.stdout).toBe('refused\n');
  });

  test('a device is not made, and that is said', async () => {
    expect((await inSingleId(sh('mknod /x c 1 3 2>/dev/null || echo refused; mknod /y p && echo pipe'))).stdout).toBe(
      'refused\npipe\n',
    );
  });

  test('an image’s user is who the program takes itself for, without a capability', async () => {
    const { stdout, failure } = await inSingleId(
      sh('id -u; id -g; grep -E "^Cap(Prm|Eff)" /proc/self/status; echo hi > /dev/stdout'),
      {
        image: { user: 'app' },
      },
    );
    expect(failure).toBeUndefined();
    expect(stdout.replaceAll('\t', ' ')).toBe(`1000\n1000\nCapPrm: ${'0'.repeat(16)}\nCapEff: ${'0'.repeat(16)}\nhi\n`);
    const none = await inSingleId(sh('id'), { image: { user: 'app' }, modeOptions: { idEmulation: 'none' } });
    expect(none.failure).toMatch(/uid 1000.*isn't mapped/);
  });

  test('an exec has a user of its own, with a terminal too, and below an init', async () => {
    using rootfs = new Rootfs();
    const isolated = asSingleId(rootfs, await thisHost(), { settings: { init: true, user: 'app' } });
    await using container = await IsolatedContainer.launch(rootfs, ['/bin/sleep', '1000'], isolated);
    await container.started();
    const id = async (settings: object) =>
      (await container.exec(sh('id -u; id -G'), settings)).stdout.replaceAll('\r', '');
    expect(await id({})).toBe('1000\n1000 10 2000\n');
    expect(await id({ user: '0' })).toBe('0\n0 10\n');
    expect(await id({ user: '7:8', tty: true })).toBe('7\n8\n');
  });

  test('who a process is does not reach others: not its parent, nor those made before', async () => {
    const script = '(sleep 1; id -u) & su -s /bin/sh app -c "id -u"; id -u; wait';
    expect((await inSingleId(sh(script))).stdout).toBe('1000\n0\n0\n');
  });

  test('a process keeps who it is when whom it has that from is gone', async () => {
    const script = 'su -s /bin/sh app -c "(sleep 1; id -u) & exit"; sleep 2';
    expect((await inSingleId(sh(script))).stdout).toBe('1000\n');
  });

  test('hundreds at once have ids of their own', async () => {
    expect((await inSingleId(['/walk', 'crowd'], {}, edges)).stdout).toBe('600 know who they are\n');
  });

  test('what a profile of the caller’s refuses stays refused', async () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['fchownat', 'chown', 'lchown'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }],
    };
    const { stdout } = await inSingleId(sh('touch /x; chown 5 /x 2>&1'), { settings: { seccomp: profile } });
    expect(stdout).toContain('Permission denied');
  });

  test('hundreds of processes with ids of their own', async () => {
    const script =
      'i=0; while [ $i -lt 600 ]; do su -s /bin/sh app -c "id -u" || exit 1; i=$((i+1)); done | sort | uniq -c';
    const { stdout } = await inSingleId([
      '/bin/busybox',
      'sh',
      '-c',
      script.replaceAll('sort | uniq -c', 'busybox sort | busybox uniq -c'),
    ]);
    expect(stdout.trim()).toBe('600 1000');
  });
});
