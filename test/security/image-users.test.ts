/** Catalogue 1B: users and groups, with an image's own account files as input. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StartRequest } from '../../src/native/protocol.ts';
import { containerProcess, run as start } from '../native/support/container.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import { sanitized } from '../native/support/supervisor-process.ts';
import { IsolatedContainer, type IsolatedOptions, type Outcome, runIsolated } from '../support/isolated-run.ts';
import { describeWith } from '../support/requires.ts';

const sh = (script: string): readonly string[] => ['/bin/sh', '-c', script];

async function run(script: string, isolated: IsolatedOptions = {}): Promise<Outcome> {
  using rootfs = new Rootfs();
  return await runIsolated(rootfs, sh(script), isolated);
}

describeWith({ root: true, tools: ['cc'] }, 'section 1B of the catalogue: who the process is', () => {
  test('CVE-2016-3697: a user whose name is a number is never looked up by it', async () => {
    // The root's passwd has the line 1000:x:0:0.
    for (const user of ['1000', '1000:1000'])
      expect((await run('id -u', { settings: { user } })).stdout).toBe('1000\n');
    expect((await run('id -u', { image: { user: '1000' } })).stdout).toBe('1000\n');
    using rootfs = new Rootfs();
    await using container = await IsolatedContainer.launch(rootfs, ['/bin/sleep', '1000']);
    await container.started();
    expect((await container.exec(['/bin/id', '-u'], { user: '1000' })).stdout).toBe('1000\n');
    // The positive control: su(1) looks by name, and is root.
    const naive = execFileSync('chroot', [rootfs.path, '/bin/busybox', 'su', '1000', '-c', 'id -u'], {
      encoding: 'utf8',
    });
    expect(naive).toBe('0\n');
  });

  describe('CVE-2024-40635, CVE-2026-46680: numbers that overflow or are none', () => {
    const likeRoot = [
      ...['00', '4294967296', '18446744073709551616', '0x0', '+0', '-0', ' 0', '0 ', '0\t', '0.0'],
      ...['0:0:0', '0:4294967296', ':'],
    ];
    test.each([...likeRoot, '-1', '2147483648', '4294967295', '1e3'])(
      '%j is refused, by the image and by the caller',
      async (user) => {
        for (const isolated of [{ image: { user } }, { settings: { user } }]) {
          const { stdout, failure } = await run('id -u', isolated);
          expect({ stdout, failed: failure !== undefined }).toEqual({ stdout: '', failed: true });
        }
      },
    );

    // Checked by its text that it is not root, and read as atoi(3) reads into 32 bits.
    const naively = (request: StartRequest): StartRequest => {
      const { user } = request.process;
      if (['', '0', 'root'].includes(user)) throw new Error('root is not allowed here');
      return { ...request, process: { ...request.process, user: String(Number.parseInt(user, 10) | 0) } };
    };
    test.each(likeRoot)('the positive control: with a naive reader of numbers %j is root', async (user) => {
      expect((await run('id -u', { image: { user }, unsafe: naively })).stdout).toBe('0\n');
    });
  });

  describe('CVE-2022-36109, CVE-2023-25173, CVE-2022-2989, CVE-2022-2990, CVE-2022-2995: supplementary groups', () => {
    test('are right at start and at exec', async () => {
      using rootfs = new Rootfs();
      await using container = await IsolatedContainer.launch(rootfs, ['/bin/sleep', '1000']);
      await container.started();
      const groups = sh('grep Groups /proc/self/status; id -g');
      const tidy = (outcome: Outcome): string => outcome.stdout.trim().split(/\s+/).join(' ');
      for (const [user, more, expected] of [
        ['app', [], 'Groups: 10 1000 2000 1000'],
        ['app', ['1234', 'extra'], 'Groups: 10 1000 1234 2000 1000'],
        ['1000:0', [], 'Groups: 0 0'],
        ['app:extra', [], 'Groups: 2000 2000'],
        ['4242', [], 'Groups: 0 0'],
      ] as const) {
        const settings = { user, groups: [...more] };
        expect(tidy(await runIsolated(rootfs, groups, { settings })), user).toBe(expected);
        expect(tidy(await container.exec(groups, settings)), `exec ${user}`).toBe(expected);
      }
    });

    test('a file that the user’s own group may not read stays closed, where /etc/group alone would open it', async () => {
      using rootfs = new Rootfs();
      rootfs.write('secret', 'denied to the group of app');
      chownSync(rootfs.at('secret'), 0, 1000);
      chmodSync(rootfs.at('secret'), 0o604);
      const program =
        '#include <stdio.h>\nint main(int n, char **v) { FILE *f = fopen(v[n - 1], "r"); for (int c; f && (c = getc(f)) != EOF;) putchar(c); return !f; }';
      // Whoever runs it has another group in place of his own, and must not lose what his own forbids.
      execFileSync('cc', ['-static', '-x', 'c', '-', '-o', rootfs.at('bin/reader')], { input: program });
      chownSync(rootfs.at('bin/reader'), 0, 3000);
      chmodSync(rootfs.at('bin/reader'), 0o2755);
      const settings = { user: 'app', noNewPrivileges: false };
      expect(await runIsolated(rootfs, ['/bin/reader', '/secret'], { settings })).toMatchObject({
        stdout: '',
        exitCode: 1,
      });
      const naive = spawnSync(
        'chroot',
        ['--userspec=+1000:+1000', '--groups=10,2000', rootfs.path, '/bin/reader', '/secret'],
        { encoding: 'utf8' },
      );
      expect(naive.stdout, 'the positive control').toBe('denied to the group of app');
    });
  });

  describe('CVE-2024-9676, CVE-2022-4318, CVE-2026-47262: /etc/passwd that is no ordinary file', () => {
    let canary: string;
    beforeAll(() => {
      canary = mkdtempSync(join(tmpdir(), 'hako-canary-'));
      writeFileSync(join(canary, 'passwd'), 'app:x:0:0::/:/bin/sh\n');
    });
    afterAll(() => rmSync(canary, { recursive: true }));
    const spoilWith = (rootfs: Rootfs, script: string): void => {
      const line = script.replace('CANARY', canary).replace(/(rm|mkfifo|mkdir|ln|mknod|truncate) /g, 'busybox $1 ');
      execFileSync('chroot', [rootfs.path, '/bin/busybox', 'sh', '-c', line]);
    };

    test.each<[string, string]>([
      ['a pipe that nobody writes to', 'rm /etc/passwd; mkfifo /etc/passwd'],
      ['a directory', 'rm /etc/passwd; mkdir /etc/passwd'],
      ['a link to the host', 'rm /etc/passwd; ln -s CANARY/passwd /etc/passwd'],
      ['a link to itself', 'rm /etc/passwd; ln -s passwd /etc/passwd'],
      ['a device without an end', 'rm /etc/passwd; mknod /etc/passwd c 1 5'],
      ['a gigabyte without a newline', 'rm /etc/passwd; truncate -s 1G /etc/passwd'],
    ])('%s: answered within five seconds, and nobody is root by it', async (_, spoil) => {
      using rootfs = new Rootfs();
      spoilWith(rootfs, spoil);
      const begin = performance.now();
      const { stdout, failure } = await runIsolated(rootfs, ['/bin/id', '-u'], { settings: { user: 'app' } });
      expect(performance.now() - begin).toBeLessThan(5000);
      expect(stdout).not.toBe('0\n');
      expect(failure).toBeDefined();
    });

    test('the positive control: read by its path, the link to the host makes root of a user', () => {
      using rootfs = new Rootfs();
      spoilWith(rootfs, 'rm /etc/passwd; ln -s CANARY/passwd /etc/passwd');
      expect(rootfs.read('etc/passwd')).toMatch(/^app:x:0:/);
    });
  });

  describe('CVE-2022-4318: a newline in what an engine might write into /etc/passwd', () => {
    const home = '/tmp\nevil:x:0:0::/:/bin/sh';

    test('from HOME, or from the name of a user, it adds no account', async () => {
      using rootfs = new Rootfs();
      const before = rootfs.read('etc/passwd');
      const settings = { user: '4242', env: { HOME: home } };
      const { stdout } = await runIsolated(rootfs, sh('cat /etc/passwd'), { settings });
      expect(stdout).toBe(before);
      expect((await runIsolated(rootfs, ['/bin/id', '-u'], { settings: { user: 'evil' } })).failure).toMatch(/^user/);
      for (const user of ['4242\nevil:x:0:0::/:/bin/sh', 'app\n', '\nroot', '0\n', '1000:\n0'])
        expect(await runIsolated(rootfs, ['/bin/id', '-u'], { settings: { user } })).toMatchObject({
          stdout: '',
          failure: expect.stringMatching(/^(user|groups)/),
        });
      expect(rootfs.read('etc/passwd')).toBe(before);
    });

    test('the positive control: an engine that gives each user a line makes root of another', async () => {
      using rootfs = new Rootfs();
      rootfs.write('etc/passwd', `${rootfs.read('etc/passwd')}4242:x:4242:0:container user:${home}:/bin/sh\n`);
      expect((await runIsolated(rootfs, ['/bin/id', '-u'], { settings: { user: 'evil' } })).stdout).toBe('0\n');
    });
  });

  test('CVE-2026-47262, GHSA-mjcv-p78q-w5fw, GHSA-72x6-4j93-7w86: ten million groups take neither time nor memory', async () => {
    using rootfs = new Rootfs();
    const bounded = ['prlimit', '--as=67108864'] as const;
    const line = 'g:x:5:app\n';
    rootfs.write('etc/group', Buffer.alloc(10_000_000 * line.length, line));
    const begin = performance.now();
    // A sanitizer's shadow is larger than the bound.
    const supervisor = sanitized ? {} : { prefix: bounded };
    const { failed } = await start(rootfs, containerProcess(['id'], { user: 'app' }), {}, { supervisor });
    expect(failed).toMatchObject({ errno: 27, detail: expect.stringContaining('16 MiB') });
    expect(performance.now() - begin).toBeLessThan(5000);
    // The positive control: whoever reads such a file as a whole has no room for it.
    const [program, ...words] = bounded;
    expect(spawnSync(program, [...words, 'sh', '-c', `x=$(cat '${rootfs.at('etc/group')}')`]).status).not.toBe(0);
  });
});
