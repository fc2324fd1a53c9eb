import { execFile } from 'node:child_process';
import { availableParallelism, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime } from '../support/test-runtime.ts';
import { amount, patience } from './support/amounts.ts';
import { leftovers } from './support/leftovers.ts';

/** Whether this machine has little else to do. */
const isQuiet = (loadavg()[0] ?? Infinity) < availableParallelism() / 2;

const service = fileURLToPath(new URL('many/service.ts', import.meta.url));

/** Milliseconds; see many/service.ts. */
interface Lag {
  readonly waited: number;
  readonly delay: number;
  readonly busy: number;
}

interface Told {
  readonly running: number;
  readonly startMilliseconds: number;
  readonly removeMilliseconds: number;
  readonly lagOfStart: Lag;
  readonly lagOfRemove: Lag;
  readonly kibibytesEach: number;
  readonly ids: readonly string[];
}

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'many containers at once', () => {
  it('keep nobody waiting, take little memory, and leave nothing', { timeout: patience }, async () => {
    const count = amount('containers', 50, 1000);
    await using test = await openRuntime();
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--expose-gc', service, built.entry, test.root, busyboxImage, String(count)],
      { maxBuffer: 1 << 24 },
    );
    const { ids, ...told } = JSON.parse(stdout) as Told;
    console.log(`${count} containers: ${JSON.stringify(told)}`);
    expect(told.running).toBe(count);
    expect(told.kibibytesEach).toBeLessThan(2048);
    for (const { waited, delay, busy } of [told.lagOfStart, told.lagOfRemove]) {
      expect(busy).toBeLessThan(50);
      // What the machine's other work takes from the service counts here, so only a quiet one shows it.
      if (isQuiet) expect(Math.max(waited, delay)).toBeLessThan(50);
    }
    const left = () => leftovers(test.root, ids).filter((line) => !/^file (claims|content\/blobs)/.test(line));
    await expect.poll(left, { timeout: 15_000 }).toEqual([]);
  });
});
