/**
 * Somebody on the host changes the tree while it is unpacked (CVE-2025-47290): between a check and a use, a directory
 * becomes a symlink that leads out.
 */
import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { plainRequest, workerThrough } from '../native/support/worker-process.ts';
import { Canary } from '../support/canary.ts';
import { exchanging } from '../support/exchange.ts';
import { describeWith } from '../support/requires.ts';
import { directory, file, tar } from '../support/tar.ts';

class Race implements AsyncDisposable {
  readonly #scratch = mkdtempSync(join(tmpdir(), 'hako-race-'));
  readonly root = join(this.#scratch, 'root');
  readonly canary = new Canary(join(this.#scratch, 'outside'));
  #racer: AsyncDisposable | undefined;

  async begin(): Promise<this> {
    mkdirSync(join(this.root, 'd'), { recursive: true });
    symlinkSync('../outside', join(this.root, 'link'));
    this.#racer = await exchanging(this.root);
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#racer?.[Symbol.asyncDispose]();
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

describeWith({ root: true, tools: ['python3'] }, 'CVE-2025-47290: a racer in the tree', () => {
  test('two layers at once, 200 times over, never reach the canary', async () => {
    await using race = await new Race().begin();
    const layer = tar(
      directory('d'),
      ...Array.from({ length: 200 }, (_, index) => file(`d/etc/${index % 2 === 0 ? 'new' : 'passwd'}${index}`, 'x')),
      file('d/etc/passwd', 'overwritten', { mode: 0o777 }),
      file('d/etc/.wh.whitedout'),
    );
    const worker = workerThrough();
    for (let round = 0; round < 100; round++) {
      const both = [0, 1].map(() =>
        worker.unpack(plainRequest(race.root, { whiteouts: 'apply' }), Readable.from([layer])),
      );
      const results = await Promise.allSettled(both);
      for (const result of results) if (result.status === 'rejected') expect(result.reason).toHaveProperty('code');
      expect(race.canary.damage).toBeUndefined();
    }
  }, 120_000);

  test('the positive control: looking before writing does not help', async () => {
    await using race = await new Race().begin();
    const deadline = Date.now() + 30_000;
    while (race.canary.damage === undefined && Date.now() < deadline) {
      try {
        if (lstatSync(join(race.root, 'd')).isDirectory())
          writeFileSync(join(race.root, 'd/etc/passwd'), 'overwritten');
      } catch {
        // The directory has no etc at this moment.
      }
    }
    expect(race.canary.damage).toBeDefined();
  }, 60_000);
});
