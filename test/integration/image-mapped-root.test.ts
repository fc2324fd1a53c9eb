import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Image, Runtime } from 'libhako';
import { expect, it } from 'vitest';
import { buildImage, layerOf, layoutOf, writeFiles } from '../support/image-fixtures.ts';
import { describeWith, findTool } from '../support/requires.ts';
import { writeBusyboxRoot } from '../support/test-runtime.ts';

describeWith({ root: true, tools: ['busybox'] }, 'a container whose root is somebody else outside', () => {
  it('runs on an image and on the host, while hako’s root stays closed to everybody else', async () => {
    // Below a directory that others may pass through, as /var/lib is: the way to hako's root is not hako's to open.
    const scratch = mkdtempSync('/var/lib/hako-test-');
    chmodSync(scratch, 0o711);
    try {
      await using runtime = await Runtime.open({ root: join(scratch, 'root') });
      await runtime.images.import(
        { kind: 'rootfs', rootfs: writeBusyboxRoot(join(scratch, 'fs')) },
        { reference: 'box' },
      );
      for (const image of ['box', Image.fromHost()]) {
        const command = ['/bin/sh', '-c', 'id -u; tr -s " " < /proc/self/uid_map; touch /new && stat -c "%u %g" /new'];
        const { stdout, stderr } = await runtime.run({ image, mode: 'rootless', command });
        const [uid, map, owner] = stdout.toString().split('\n');
        expect(stderr.toString()).toBe('');
        expect([uid, owner]).toEqual(['0', '0 0']);
        expect(map).toMatch(/^ ?0 [1-9]\d+ \d+$/);
      }
      // CVE-2021-41091: images hold set-uid programs, which no user of the host may reach.
      for (const directory of ['', 'overlay2', 'containers', 'content'])
        expect(statSync(join(scratch, 'root', directory)).mode & 0o7, directory).toBe(0);
      await using again = await Runtime.open({ root: join(scratch, 'root') });
      expect((await again.run({ image: 'box', mode: 'rootless', command: ['/bin/true'] })).exitCode).toBe(0);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });

  it('sees what later layers deleted as deleted, in every mode on one store', async () => {
    const scratch = mkdtempSync('/var/lib/hako-test-');
    chmodSync(scratch, 0o711);
    try {
      const busybox = readFileSync(findTool('busybox') ?? '');
      const image = buildImage({
        layers: [
          {
            tar: layerOf(
              { name: 'bin/busybox', data: busybox, mode: 0o755 },
              { name: 'd/old', data: 'x' },
              { name: 'gone', data: 'x' },
            ),
          },
          { tar: layerOf({ name: '.wh.gone' }, { name: 'd/.wh..wh..opq' }, { name: 'd/new', data: 'x' }) },
        ],
      });
      await using runtime = await Runtime.open({ root: join(scratch, 'root') });
      await runtime.images.import(writeFiles(join(scratch, 'layout'), layoutOf(image)), { reference: 'layered' });
      for (const mode of ['normal', 'rootless', 'privileged']) {
        const { stdout } = await runtime.run({ image: 'layered', mode, command: ['/bin/busybox', 'ls', '/', '/d'] });
        expect(
          stdout
            .toString()
            .replace(/^\/:\n|\n\/d:\n/g, ' ')
            .split(/\s+/)
            .filter((name) => ['old', 'new', 'gone', 'd'].includes(name)),
          mode,
        ).toEqual(['d', 'new']);
      }
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
});
