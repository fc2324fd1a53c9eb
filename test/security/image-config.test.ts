import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ParsedContainerOptions } from '../../src/container/options.ts';
import { parseContainerOptions } from '../../src/container/options.ts';
import { compileStart } from '../../src/container/spec/index.ts';
import type { StartRequest } from '../../src/native/protocol.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import { IsolatedContainer, type IsolatedOptions, type Outcome, runIsolated } from '../support/isolated-run.ts';
import { describeWith } from '../support/requires.ts';
import { context, scratch } from '../support/spec-context.ts';

const sh = (script: string): readonly string[] => ['/bin/sh', '-c', script];

async function run(script: string, isolated: IsolatedOptions = {}): Promise<Outcome> {
  using rootfs = new Rootfs();
  return await runIsolated(rootfs, sh(script), isolated);
}

describeWith({ root: true }, 'section 1B of the catalogue: users, groups, and the image’s config as input', () => {
  test('CVE-2016-3697: a user whose name is a number is never looked up by it', async () => {
    // The root's passwd has the line 1000:x:0:0.
    for (const user of ['1000', '1000:1000'])
      expect((await run('id -u', { settings: { user } })).stdout).toBe('1000\n');
    expect((await run('id -u', { image: { user: '1000' } })).stdout).toBe('1000\n');
    using rootfs = new Rootfs();
    await using container = await IsolatedContainer.launch(rootfs, ['/bin/sleep', '1000']);
    await container.started();
    expect((await container.exec(['/bin/id', '-u'], { user: '1000' })).stdout).toBe('1000\n');
    // The positive control: who looks by name alone is root.
    const naive = rootfs
      .read('etc/passwd')
      .split('\n')
      .find((line) => line.startsWith('1000:'))
      ?.split(':')[2];
    expect(naive).toBe('0');
  });

  describe('CVE-2024-40635, CVE-2026-46680: numbers that overflow or are none', () => {
    test.each([
      '00',
      '-1',
      '2147483648',
      '4294967295',
      '4294967296',
      '0x0',
      '+0',
      ' 0',
      '1e3',
      '0:0:0',
      '-0',
      '0 ',
      '0\t',
      '18446744073709551616',
      '0.0',
      ':',
      '0:4294967296',
    ])('%j is refused, by the image and by the caller', async (user) => {
      for (const isolated of [{ image: { user } }, { settings: { user } }]) {
        const { stdout, failure } = await run('id -u', isolated);
        expect({ stdout, failed: failure !== undefined }).toEqual({ stdout: '', failed: true });
      }
    });

    test('the positive control: 32 bits of such a number are root', () => {
      expect(Number('4294967296') | 0).toBe(0);
    });
  });

  test('CVE-2022-36109, CVE-2023-25173, CVE-2022-2989, CVE-2022-2990, CVE-2022-2995: supplementary groups, at start and at exec', async () => {
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

  describe('CVE-2022-23648: volumes whose path leads out', () => {
    test.each(['/../../host-canary', '/data/../../host-canary', '..', 'data', '/a/..'])(
      'an image with the volume %j is not run',
      async (volume) => {
        await expect(run('true', { image: { volumes: [volume] } })).rejects.toMatchObject({
          code: 'HAKO_ERR_INVALID_IMAGE',
        });
      },
    );

    test('the positive control: joined to a root by name, it is outside', () => {
      expect(posix.join('/var/lib/hako/root', '/../../host-canary').startsWith('/var/lib/hako/root')).toBe(false);
    });
  });

  test('CVE-2026-57231: nothing of the service’s environment is in a container’s', async () => {
    process.env['ENGINE_SECRET'] = 'canary-of-the-environment';
    try {
      const env = ['PATH', '*', 'A*', 'ENGINE_SECRET', '=x', '']
        .map((name) => `${name}=`)
        .filter((entry) => !entry.startsWith('='));
      const { stdout } = await run('env; cat /proc/self/environ', { image: { env } });
      expect(stdout).not.toContain('canary-of-the-environment');
      // The positive control: an engine that fills in what has no value.
      const naive = env.map((entry) =>
        entry.endsWith('=') ? `${entry}${process.env[entry.slice(0, -1)] ?? ''}` : entry,
      );
      expect(
        (await run('env', { settings: { env: naive.filter((entry) => !entry.startsWith('PATH')) } })).stdout,
      ).toContain('canary-of-the-environment');
    } finally {
      delete process.env['ENGINE_SECRET'];
    }
  });

  describe('CVE-2014-6408, CVE-2026-53488, CVE-2026-94603, CVE-2026-121885: labels of an image that mean something to an engine', () => {
    const labels = {
      'io.containers.checkpoint': 'true',
      'io.podman.annotations.privileged': 'TRUE',
      'io.podman.annotations.seccomp': 'unconfined',
      'containerd.io/restart.status': 'running',
      'containerd.io/restart.loguri': 'binary:///bin/sh',
      'io.kubernetes.cri-o.userns-mode': 'host',
      PODMAN_SYSTEMD_UNIT: 'x.service',
      'io.hako.mode': 'privileged',
      'hako.privileged': 'true',
      privileged: 'true',
      'com.docker.security.apparmor': 'unconfined',
      'org.opencontainers.image.stopSignal': 'SIGKILL',
      'run.oci.seccomp': 'unconfined',
      'org.systemd.property.CPUQuota': '1',
    };
    const strip = ({ process: { argv: _, ...rest }, ...request }: StartRequest) => ({ ...request, process: rest });

    test('have no effect at all', async () => {
      const base = await context();
      expect(strip(compileStart({ ...base, image: { ...scratch, labels } }))).toEqual(strip(compileStart(base)));
    });

    test('the positive control: an engine that reads one gives a privileged container', async () => {
      const naive = (options: ParsedContainerOptions): ParsedContainerOptions => ({
        ...options,
        capabilities: { add: labels.privileged === 'true' ? ['ALL'] : [], drop: [] },
      });
      const base = await context();
      const misled = await context({ capabilities: naive(parseContainerOptions({})).capabilities });
      expect(strip(compileStart(misled))).not.toEqual(strip(compileStart(base)));
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
});
