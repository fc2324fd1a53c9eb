import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostInfo } from '../../src/contracts/host-info.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import type { Case } from './case.ts';
import { ownByMappedRoot, runIsolated } from './isolated-run.ts';

/** Roots that try to have something of the isolation set up elsewhere: all are refused, and the host is as it was. */
export function hostileRootCases(mode: 'normal' | 'rootless', host: HostInfo): readonly Case[] {
  const spoilt = ['proc', 'sys', 'dev'].flatMap((path) =>
    (['link to a directory', 'link to the host', 'file'] as const).map((what) => ({ path, what })),
  );
  return spoilt.map(({ path, what }) => ({
    name: `an image whose /${path} is a ${what} is refused (CVE-2019-19921, CVE-2026-41579)`,
    async run() {
      using rootfs = new Rootfs();
      const canary = mkdtempSync(join(tmpdir(), 'hako-canary-'));
      try {
        rmSync(rootfs.at(path), { recursive: true });
        mkdirSync(rootfs.at('elsewhere'));
        if (what === 'file') writeFileSync(rootfs.at(path), '');
        else symlinkSync(what === 'link to the host' ? canary : '/elsewhere', rootfs.at(path));
        ownByMappedRoot(rootfs, host);
        const outcome = await runIsolated(rootfs, ['/bin/true'], { mode });
        assert.match(outcome.failure ?? '', new RegExp(`/${path}`), JSON.stringify(outcome));
        assert.deepEqual(execFileSync('ls', ['-A', canary], { encoding: 'utf8' }), '');
      } finally {
        rmSync(canary, { recursive: true });
      }
    },
  }));
}
