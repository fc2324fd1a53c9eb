import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime } from '../support/test-runtime.ts';

const attribute = 'security.capability';
/** cap_dac_override, cap_setgid and cap_setuid, effective and permitted (capabilities(7), "File capability extended attribute versioning"). */
const capabilities = Buffer.from('01000002c2000000000000000000000000000000', 'hex');
const modes = {
  normal: 'normal',
  'normal with ids of its own': { driver: 'normal', options: { userns: 'auto' } },
  rootless: 'rootless',
} as const;

const hexOf = (path: string): string => {
  try {
    return execFileSync('getfattr', ['-h', '-e', 'hex', '-n', attribute, path], { encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return '';
  }
};

describeWith(
  { root: true, tools: ['busybox', 'getfattr', 'setfattr'] },
  'a program with file capabilities in a container',
  () => {
    const host = mkdtempSync(join(tmpdir(), 'hako-file-capabilities-'));
    afterAll(() => rmSync(host, { recursive: true, force: true }));

    test.each(Object.entries(modes))('has none on the host when it is copied out: %s', async (name, mode) => {
      await using opened = await openRuntime();
      // The mode's root is somebody else outside, who has to come by.
      chmodSync(dirname(opened.root), 0o711);
      await using container = await opened.runtime.containers.create({
        image: busyboxImage,
        mode,
        command: ['sleep', '100'],
        ephemeral: true,
      });
      await container.start();
      // The control: an archive that is taken at its word gives them to whoever runs the file.
      const source = join(host, `source of ${name}`);
      execFileSync('cp', ['/bin/true', source]);
      execFileSync('setfattr', ['-n', attribute, '-v', `0x${capabilities.toString('hex')}`, source]);
      expect(hexOf(source)).toContain('0x01000002c2');
      await container.copyIn(source, '/tool');
      const target = join(host, `target of ${name}`);
      await container.copyOut('/tool', target);
      await container.copyOut('/tool', `${target}, ids kept`, { archive: true });
      expect([hexOf(target), hexOf(`${target}, ids kept`)]).toEqual(['', '']);
    });
  },
);

describeWith({ root: true, tools: ['busybox'] }, 'a directory of the host in a container with ids of its own', () => {
  const shared = mkdtempSync(join(tmpdir(), 'hako-shared-'));
  afterAll(() => rmSync(shared, { recursive: true, force: true }));

  test.each([
    ['a mode without such ids: the control', 'normal', true],
    ['the mode normal with userns auto', { driver: 'normal', options: { userns: 'auto' } }, false],
  ] as const)(
    'is not written by copies into it while it is at rest, by a link of the container: %s',
    async (_title, mode, written) => {
      await using opened = await openRuntime();
      chmodSync(dirname(opened.root), 0o711);
      await using container = await opened.runtime.containers.create({
        image: busyboxImage,
        mode,
        command: ['ln', '-s', '/data', '/app'],
        mounts: [{ type: 'bind', source: shared, target: '/data' }],
      });
      await container.start();
      await container.wait();
      const planted = join(shared, 'planted');
      const copied = container.copyIn({ files: { planted: 'by root of the host' } }, '/app');
      if (written) await copied;
      else await expect(copied).rejects.toThrow();
      expect(existsSync(planted)).toBe(written);
      rmSync(planted, { force: true });
      await container.remove();
    },
  );
});
