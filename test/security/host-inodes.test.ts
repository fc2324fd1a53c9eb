import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Image } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

/** A device of this test's own: what a container can do to it, it could do to a disk. */
function ownDevice(directory: string): string {
  const path = join(directory, 'device');
  execFileSync('mknod', ['-m', '600', path, 'c', '1', '5']);
  return path;
}

describeWith(
  { root: true, tools: ['busybox', 'mknod'], paths: [built.entry] },
  'what of the host a container holds',
  () => {
    let test: TestRuntime;
    const scratch = mkdtempSync(join(tmpdir(), 'hako-host-inodes-'));
    beforeAll(async () => {
      test = await openRuntime();
    });
    afterAll(async () => {
      await test[Symbol.asyncDispose]();
      rmSync(scratch, { recursive: true, force: true });
    });
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

    it('a device that is bound cannot be given another mode; its control, a bind mount of the caller’s, can', async () => {
      const device = ownDevice(scratch);
      const script = ['sh', '-c', 'chmod 666 /dev/given; head -c 4 /dev/given | wc -c'];
      const granted = await test.runtime.run({
        image,
        command: ['busybox', ...script],
        devices: [`${device}:/dev/given:r`],
      });
      expect(granted.stdout.toString()).toBe('4\n');
      expect(mode(device)).toBe('600');
      await test.runtime.run({
        image,
        command: ['busybox', 'chmod', '666', '/given'],
        mounts: [{ type: 'bind', source: device, target: '/given' }],
      });
      expect(mode(device)).toBe('666');
    });

    it('its records are closed to everybody else', () => {
      for (const name of ['hako.db', 'hako.db-wal', 'hako.db-shm'])
        expect(mode(join(test.root, name)), name).toBe('600');
      expect(mode(test.root)).toBe('700');
    });

    it('an exec from elsewhere among the control groups goes into those that the container was started in', async () => {
      await using container = await test.runtime.containers.create({
        image,
        command: ['sleep', '60'],
        ephemeral: true,
      });
      await container.start();
      const program = `
      import { Runtime } from ${JSON.stringify(built.entry)};
      await using runtime = await Runtime.open({ root: ${JSON.stringify(test.root)} });
      const container = await runtime.containers.get(${JSON.stringify(container.id)});
      const { stdout } = await container.exec(['sh', '-c', 'cat /proc/self/cgroup; mknod /f c 10 229 && cat /f']);
      process.stdout.write(stdout);
    `;
      // Without control groups in sight, a plan made anew would hold the process to nothing.
      const elsewhere = execFileSync(
        'unshare',
        [
          '-m',
          'sh',
          '-c',
          'umount -R /sys/fs/cgroup && exec "$@"',
          'sh',
          process.execPath,
          '--input-type=module',
          '-e',
          program,
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      );
      const here = await container.exec(['cat', '/proc/self/cgroup']);
      expect(elsewhere.trim()).toBe(here.stdout.toString().trim());
      const { state } = await container.inspect();
      expect(state.status === 'running' && readFileSync(`/proc/${state.pid}/cgroup`, 'utf8')).toContain(container.id);
    });

    it('the host’s root as an image shows no password hashes', async () => {
      const script = 'cat /etc/shadow | wc -c; ls /etc/ssh 2>/dev/null | wc -l';
      const hidden = await test.runtime.run({ image: Image.fromHost(), command: ['sh', '-c', script] });
      expect(hidden.stdout.toString()).toBe('0\n0\n');
      const shown = await test.runtime.run({ image: Image.fromHost({ hide: [] }), command: ['sh', '-c', script] });
      expect(Number(shown.stdout.toString().split('\n')[0])).toBeGreaterThan(0);
    });
  },
);
