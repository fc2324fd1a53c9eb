import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Container } from 'libhako';
import { afterAll, expect, test } from 'vitest';
import { inside, tarList, whole } from '../support/file-cases.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime } from '../support/test-runtime.ts';

const modes = {
  normal: 'normal',
  'normal with ids of its own': { driver: 'normal', options: { userns: 'auto' } },
} as const;

/** Whose rights somebody without any gets by a program. */
const runBy = (program: string) =>
  execFileSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', program, '-u'], {
    encoding: 'utf8',
  }).trim();

// As `docker cp` does it, whoever is root in a container waits for root of the host to copy out what it has made.
describeWith(
  { root: true, tools: ['busybox', 'setpriv', 'tar', 'id'] },
  'a set-user-ID program that a container has made',
  () => {
    const host = mkdtempSync(join(tmpdir(), 'hako-copied-'));
    chmodSync(host, 0o755);
    afterAll(() => rmSync(host, { recursive: true, force: true }));

    const planting = async (container: Container): Promise<void> => {
      await container.start();
      await container.copyIn('/usr/bin/id', '/id');
      await inside(
        container,
        'mkdir /out /out/shared; cp /id /out/tool; chmod 6755 /out/tool; chmod 3777 /out/shared; mkfifo /out/pipe',
      );
    };

    test.each(Object.entries(modes))('is a program like any other when it is copied out: %s', async (name, mode) => {
      await using opened = await openRuntime();
      chmodSync(dirname(opened.root), 0o711);
      await using container = await opened.runtime.containers.create({
        image: busyboxImage,
        mode,
        command: ['sleep', '100'],
        ephemeral: true,
      });
      await planting(container);
      const to = join(host, name);
      mkdirSync(to);
      const modeOf = (path: string) => lstatSync(join(to, path)).mode & 0o7777;

      // The control: taken at its word, it makes root of nobody.
      await container.copyOut('/out', join(to, 'kept'), { keepSpecial: true });
      expect([modeOf('kept/tool'), modeOf('kept/shared')]).toEqual([0o6755, 0o3777]);
      expect(runBy(join(to, 'kept/tool'))).toBe('0');

      for (const [target, options] of [
        ['copied', {}],
        ['copied with its ids', { archive: true }],
      ] as const) {
        await container.copyOut('/out', join(to, target), options);
        expect([modeOf(`${target}/tool`), modeOf(`${target}/shared`)]).toEqual([0o755, 0o1777]);
        expect(runBy(join(to, target, 'tool'))).toBe('65534');
        expect(lstatSync(join(to, target, 'pipe')).isFIFO()).toBe(true);
        // Over one that is there, of whatever mode.
        await container.copyOut('/out/tool', join(to, 'kept/tool'), options);
        expect(modeOf('kept/tool')).toBe(0o755);
      }
      // A stream is data: what it says of modes is what the container has.
      const { stream } = await container.copyOut('/out');
      expect(tarList(await whole(stream)).some((line) => /^-rwsr-sr-x .* ?out\/tool$/.test(line))).toBe(true);
    });

    test('is none, nor is a device that it has made', async () => {
      await using opened = await openRuntime();
      await using container = await opened.runtime.containers.create({
        image: busyboxImage,
        mode: 'privileged',
        command: ['sleep', '100'],
        ephemeral: true,
      });
      await container.start();
      await inside(container, 'mkdir /nodes; mknod /nodes/disk b 8 0; mknod /nodes/null c 1 3; echo x > /nodes/file');
      const [kept, copied] = [join(host, 'kept'), join(host, 'copied')];
      await container.copyOut('/nodes', kept, { keepSpecial: true });
      expect([lstatSync(join(kept, 'disk')).isBlockDevice(), lstatSync(join(kept, 'disk')).rdev]).toEqual([
        true,
        0x800,
      ]);
      await container.copyOut('/nodes', copied);
      expect(['disk', 'null', 'file'].map((name) => existsSync(join(copied, name)))).toEqual([false, false, true]);
    });
  },
);
