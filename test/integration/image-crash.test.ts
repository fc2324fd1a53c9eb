import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ActiveKey } from '../../src/contracts/storage-driver.ts';
import { runMounted } from '../../src/plugin-conformance.ts';
import { buildImage, layerOf, layoutOf, writeFiles } from '../support/image-fixtures.ts';
import { leftovers, openImageRuntime } from '../support/image-runtime.ts';
import { describeWith } from '../support/requires.ts';
import { runSource } from '../support/source-process.ts';

const same = { kind: 'same' } as const;

/** Every so many of the changes, so that the test takes seconds: two processes are started for each. */
const stride = 5;

describeWith({ root: true }, 'an import that is killed', () => {
  it('has happened or not; the next one succeeds, and nothing of it stays for ever', { timeout: 240_000 }, async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'hako-killed-'));
    try {
      const image = buildImage({
        layers: [
          { tar: layerOf({ name: 'a', data: 'a' }), compression: 'gzip' },
          { tar: layerOf({ name: 'b', data: 'b' }) },
        ],
      });
      const layout = writeFiles(join(scratch, 'layout'), layoutOf(image));
      let killed = 0;
      for (let killAt = 1; ; killAt += stride) {
        const root = join(scratch, `root-${killAt}`);
        const result = await runSource('image-crash-child.ts', [root, layout, String(killAt)]);
        if (result.signal !== 'SIGKILL') {
          expect(result).toMatchObject({ exitCode: 0, stderr: '' });
          break;
        }
        killed++;
        await check(root, layout);
        rmSync(root, { recursive: true });
      }
      expect(killed).toBeGreaterThan(5);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });

  async function check(root: string, layout: string): Promise<void> {
    await using runtime = await openImageRuntime({ root });
    const found = await runtime.images.list();
    expect(found.map(({ references }) => references)).toEqual(
      found.length === 0 ? [] : [['docker.io/library/app:latest']],
    );
    const imported = await runtime.images.import({ kind: 'oci-layout', path: layout }, same, { reference: 'again' });
    const parent = await runtime.images.withSnapshot(imported, same, async (name) => name);
    expect(runMounted(await runtime.storage.prepare('container' as ActiveKey, parent), 'cat a b')).toBe('ab');
    await runtime.storage.remove('container' as ActiveKey);
    await runtime.storage[Symbol.asyncDispose]();

    await using next = await openImageRuntime({ root });
    await next.images.remove(imported.id);
    await next.collector.collect();
    await next.storage[Symbol.asyncDispose]();
    expect(leftovers(root)).toEqual([]);
  }
});
