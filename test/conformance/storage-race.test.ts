import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { overlay2 } from 'libhako/plugins/storage/overlay2';
import { vfs } from 'libhako/plugins/storage/vfs';
import { expect, it } from 'vitest';
import { contextOn } from '../../src/plugin-conformance.ts';
import { contentOf, key, names } from '../../src/plugins/conformance/storage-subject.ts';
import { runSource } from '../support/source-process.ts';

const plugins = { overlay2, vfs };

it.each([
  ['overlay2', 400],
  ['vfs', 60],
] as const)(
  '%s: three processes at once on one directory keep to the contract, and lose nothing',
  { timeout: 120_000 },
  async (id, rounds) => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-race-'));
    try {
      const results = await Promise.all(
        [1, 2, 3].map((seed) =>
          runSource('storage-race-child.ts', [directory, id, String(seed * 7919), String(rounds)]),
        ),
      );
      for (const result of results) expect(result).toMatchObject({ exitCode: 0, signal: null, stderr: '' });
      const total = results.map(({ stdout }) => JSON.parse(stdout) as Record<string, number>);
      // Each outcome was met, else there was no race to speak of.
      for (const outcome of [
        'done',
        'HAKO_ERR_SNAPSHOT_EXISTS',
        'HAKO_ERR_SNAPSHOT_NOT_FOUND',
        // The few rounds that copying allows may pass without it.
        ...(id === 'overlay2' ? ['HAKO_ERR_SNAPSHOT_HAS_CHILDREN'] : []),
      ]) {
        expect(
          total.reduce((sum, each) => sum + (each[outcome] ?? 0), 0),
          outcome,
        ).toBeGreaterThan(0);
      }
      const context = contextOn(directory);
      const driver = await plugins[id].create(context, {});
      // Every parent is there, and everything can be removed: leaves first.
      for (let left = await names(driver); left.length > 0; left = await names(driver)) {
        const before = left.length;
        for (const each of left) {
          const { kind } = await driver.stat(key(each));
          if (kind === 'committed') await contentOf(driver, each);
          else await driver.mounts(key(each));
          await driver
            .remove(key(each))
            .catch((error: { code: string }) => expect(error.code).toBe('HAKO_ERR_SNAPSHOT_HAS_CHILDREN'));
        }
        expect((await names(driver)).length, 'each round removes the leaves').toBeLessThan(before);
      }
      await driver[Symbol.asyncDispose]();
      expect(context.warnings).toEqual([]);
      expect(readdirSync(join(directory, '.tmp'))).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
);
