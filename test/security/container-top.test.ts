import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { prepared } from '../support/file-cases.ts';
import { describeWith, findTool } from '../support/requires.ts';
import { openRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';

const programs = ['ps', 'nsenter', 'top', 'sh.real', 'cat', 'id', 'getent'];

describeWith(
  { root: true, tools: ['busybox', 'chroot', 'cp'] },
  'a container with programs in place of those that look at processes',
  () => {
    test('CVE-2022-1227: its processes, statistics and inspection are read without any of them', async () => {
      await using opened = await openRuntime();
      const scratch = mkdtempSync(join(tmpdir(), 'hako-top-'));
      try {
        const root = writeBusyboxRoot(join(scratch, 'root'));
        for (const place of ['bin', 'usr/bin', 'sbin', 'usr/sbin']) {
          mkdirSync(join(root, place), { recursive: true });
          for (const name of programs) {
            rmSync(join(root, place, name), { force: true });
            writeFileSync(join(root, place, name), '#!/bin/sh\necho run > /run-by-host\n', { mode: 0o755 });
          }
        }
        await opened.runtime.images.import({ kind: 'rootfs', rootfs: root }, { reference: 'trojan' });
        for (const mode of ['normal', { driver: 'normal', options: { userns: 'auto' } }] as const) {
          const container = await prepared(opened.runtime, 'true', { image: 'trojan', mode });
          for (const psArgs of ['-ef', 'aux', '-o pid,user,args'])
            expect((await container.top({ psArgs })).rows.join()).toContain('sleep');
          await container.stats();
          await container.inspect();
          await expect(container.statPath('/run-by-host')).rejects.toMatchObject({ code: 'HAKO_ERR_PATH_NOT_FOUND' });
          await container.remove({ force: true });
        }
        // The control: who enters first, and then looks for ps.
        const naive = join(scratch, 'naive');
        execFileSync('cp', ['-a', root, naive]);
        spawnSync(findTool('chroot') ?? '', [naive, 'ps'], { env: { PATH: '/usr/bin:/bin' } });
        expect(existsSync(join(naive, 'run-by-host'))).toBe(true);
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    });
  },
);
