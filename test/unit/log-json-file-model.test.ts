import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonFileDriver } from '../support/json-file-driver.ts';
import { collect, JsonFileLog, textOf } from '../support/json-file-log.ts';

type Step =
  | { readonly do: 'write'; readonly lines: number }
  | { readonly do: 'rotate' | 'compress' | 'pause' | 'read' | 'follow' };

const maxFile = 40;
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), lines: fc.integer({ min: 1, max: 30 }) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'rotate' as const,
          'compress' as const,
          'pause' as const,
          'read' as const,
          'follow' as const,
        ),
      }),
    },
  ),
  { minLength: 1, maxLength: 35 },
);

/** Whatever is done to a log, and whenever a reader comes: each gets what has been written, once and in order. */
it('is read and followed whole through any sequence of writing, rotating and compressing', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence: readonly Step[]) => {
      using log = new JsonFileLog();
      const { driver, locks, warnings } = jsonFileDriver({ maxFile, maxSize: '1k', compress: true });
      const ended = Promise.withResolvers<void>();
      const work: Promise<void>[] = [];
      const checks: Promise<void>[] = [];
      let written = 0;
      const expectAll = async (entries: ReturnType<typeof driver.read>, atLeast: number): Promise<void> => {
        const seen = (await collect(entries)).map(textOf);
        expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => String(index + 1)));
        expect(seen.length).toBeGreaterThanOrEqual(atLeast);
      };
      const act: Record<Step['do'], (step: Step) => Promise<void> | void> = {
        write: (step) => {
          log.write(...Array.from({ length: step.do === 'write' ? step.lines : 0 }, () => String(++written)));
        },
        rotate: async () => {
          if (written === 0) return;
          // The supervisor puts it off while somebody has the lock.
          const lock = await locks.lock(`${log.directory}/log.lock`);
          if (lock === null) return;
          log.rotate(maxFile);
          await lock[Symbol.asyncDispose]();
        },
        compress: () => void work.push(driver.rotated(log.container)),
        pause: () => sleep(1),
        read: () => void checks.push(expectAll(driver.read(log.container, {}, Promise.resolve()), written)),
        follow: () => void followers.push(collect(driver.read(log.container, { follow: true }, ended.promise))),
      };
      const followers = [collect(driver.read(log.container, { follow: true }, ended.promise))];
      for (const step of sequence) await act[step.do](step);
      const total = written;
      ended.resolve();
      const all = Array.from({ length: total }, (_, index) => String(index + 1));
      for (const follower of followers) expect((await follower).map(textOf)).toEqual(all);
      await Promise.all(checks);
      await Promise.all(work);
      await expectAll(driver.read(log.container, {}, Promise.resolve()), total);
      expect(warnings).toEqual([]);
    }),
    { numRuns: 120 },
  );
});
