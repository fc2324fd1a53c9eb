import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { overlay2 } from 'libhako/plugins/storage/overlay2';
import { vfs } from 'libhako/plugins/storage/vfs';
import { describe, expect, it } from 'vitest';
import type { StorageDriver } from '../../src/contracts/storage-driver.ts';
import { contextOn } from '../../src/plugin-conformance.ts';
import { contentOf, expectCode, key, makeLayer, name, names } from '../../src/plugins/conformance/storage-subject.ts';
import { runSource } from '../support/source-process.ts';

const plugins = { overlay2, vfs };

interface CrashCase {
  readonly operation: 'prepare' | 'view' | 'commit' | 'remove' | 'remove-committed';
  readonly setUp: (driver: StorageDriver) => Promise<unknown>;
  /** What there is if it did not happen, and if it did. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

const cases: readonly CrashCase[] = [
  { operation: 'prepare', setUp: async () => undefined, before: ['A'], after: ['A', 'subject'] },
  { operation: 'view', setUp: async () => undefined, before: ['A'], after: ['A', 'subject'] },
  {
    operation: 'commit',
    setUp: (driver) => driver.prepare(key('subject'), name('A')),
    before: ['A', 'subject'],
    after: ['A', 'SUBJECT'],
  },
  {
    operation: 'remove',
    setUp: (driver) => driver.prepare(key('subject'), name('A')),
    before: ['A', 'subject'],
    after: ['A'],
  },
  {
    operation: 'remove-committed',
    setUp: async (driver) => {
      await driver.prepare(key('subject'), name('A'));
      await driver.commit(name('SUBJECT'), key('subject'));
    },
    before: ['A', 'SUBJECT'],
    after: ['A'],
  },
];

describe.each(['overlay2', 'vfs'] as const)('%s, killed in the middle', (id) => {
  const open = (directory: string) => {
    const context = contextOn(directory);
    return { context, driver: plugins[id].create(context, {}) };
  };

  it.each(cases)(
    'of $operation: it has happened or it has not, and everything goes on',
    { timeout: 240_000 },
    async ({ operation, setUp, before, after }) => {
      const scratch = mkdtempSync(join(tmpdir(), 'hako-crash-'));
      try {
        const model = join(scratch, 'model');
        mkdirSync(model);
        const driver = await open(model).driver;
        await makeLayer(driver, 'A', null, 'mkdir d; echo a > d/a');
        await setUp(driver);
        await driver[Symbol.asyncDispose]();
        let changes = 0;
        const seen = new Set<string>();
        for (let killAt = 1; ; killAt++) {
          const directory = join(scratch, String(killAt));
          execFileSync('cp', ['-a', model, directory]);
          const result = await runSource('storage-crash-child.ts', [directory, id, operation, String(killAt)]);
          if (result.signal !== 'SIGKILL') {
            expect(result, `the run without a kill, at ${killAt}`).toMatchObject({ exitCode: 0, stderr: '' });
            changes = Number(result.stdout);
            break;
          }
          seen.add((await checkInvariants(directory, before, after, `killed before change ${killAt}`)).join());
          rmSync(directory, { recursive: true });
        }
        // Else nothing was killed, and nothing tested.
        expect(changes).toBeGreaterThan(2);
        expect(seen).toContain(before.join());
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    },
  );

  async function checkInvariants(
    directory: string,
    before: readonly string[],
    after: readonly string[],
    when: string,
  ): Promise<readonly string[]> {
    const { context, driver } = open(directory);
    const opened = await driver;
    const found = await names(opened);
    expect([before.join(), after.join()], when).toContain(found.join());
    expect(await contentOf(opened, 'A'), when).toEqual(['d d 755', 'd/a f 644 a']);
    if (found.includes('SUBJECT')) {
      expect(await contentOf(opened, 'SUBJECT'), when).toEqual(['d d 755', 'd/a f 644 a']);
      await expectCode(opened.remove(name('A')), 'HAKO_ERR_SNAPSHOT_HAS_CHILDREN');
      await opened.remove(name('SUBJECT'));
    } else if (found.includes('subject')) {
      await expectCode(opened.remove(name('A')), 'HAKO_ERR_SNAPSHOT_HAS_CHILDREN');
      await opened.remove(key('subject'));
    }
    // Names are free again, and nothing dead keeps its parent.
    await opened.prepare(key('subject'), name('A'));
    await opened.commit(name('SUBJECT'), key('subject'));
    await opened.remove(name('SUBJECT'));
    await opened.remove(name('A'));
    expect(await names(opened), when).toEqual([]);
    await opened[Symbol.asyncDispose]();
    expect(context.warnings, when).toEqual([]);
    expect(readdirSync(join(directory, '.tmp')), when).toEqual([]);
    expect(readdirSync(join(directory, '.trash')), when).toEqual([]);
    return found;
  }
});
