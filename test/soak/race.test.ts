import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Runtime } from 'libhako';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime } from '../support/test-runtime.ts';
import { again, amount, patience, seed } from './support/amounts.ts';
import { leftovers } from './support/leftovers.ts';

const child = fileURLToPath(new URL('race/child.ts', import.meta.url));

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'several processes on one root', () => {
  it('do everything at once to the same containers, and none is told a thing that is not so', {
    timeout: patience,
  }, async () => {
    await using test = await openRuntime();
    const rounds = String(amount('rounds', 40, 2000));
    const results = await Promise.all(
      Array.from({ length: amount('processes', 3, 8) }, async (_, number) => {
        const args = [child, built.entry, test.root, busyboxImage, String(seed + number), rounds];
        const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 26 });
        return JSON.parse(stdout) as { outcomes: Record<string, number>; strangers: string[] };
      }),
    );
    expect(
      results.flatMap(({ strangers }) => strangers),
      again,
    ).toEqual([]);
    const total: Record<string, number> = {};
    for (const { outcomes } of results)
      for (const [outcome, count] of Object.entries(outcomes)) total[outcome] = (total[outcome] ?? 0) + count;
    // Each was met, else there was no race to speak of.
    for (const outcome of ['create', 'start', 'exec', 'remove', 'run', 'HAKO_ERR_CONTAINER_NAME_IN_USE'])
      expect(total[outcome] ?? 0, `${outcome}; ${again}`).toBeGreaterThan(0);
    await using last = await Runtime.open({ root: test.root });
    const ids = (await last.containers.list()).map(({ id }) => id);
    for (const id of ids) await (await last.containers.get(id)).remove({ force: true });
    await Promise.all([last.close(), test.runtime.close()]);
    const left = () => leftovers(test.root, ids).filter((line) => !line.startsWith('file content/blobs'));
    await expect.poll(left, { timeout: 15_000, message: again }).toEqual([]);
  });
});
