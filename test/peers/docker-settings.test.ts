import { expect, it } from 'vitest';
import { withoutRecentDockerd } from '../support/docker-peer.ts';
import { describeWith } from '../support/requires.ts';
import { compareAll } from './docker-settings/compare-all.ts';
import { knownDifferences } from './docker-settings/known-differences.ts';

describeWith(
  { root: true, tools: ['docker'], peer: withoutRecentDockerd },
  'what a program sees, beside dockerd',
  () => {
    it('is the same for each setting, but for what is known and has a reason', async () => {
      const unexplained: string[] = [];
      const reasons = new Set<string>();
      let count = 0;
      for await (const { setting, lines, differences } of compareAll()) {
        count++;
        expect(lines, setting.flags.join(' ')).toBeGreaterThan(100);
        for (const { line, only, reason } of differences) {
          if (reason === undefined) unexplained.push(`${setting.flags.join(' ')}: only ${only}: ${line}`);
          else reasons.add(reason);
        }
      }
      expect(unexplained).toEqual([]);
      expect(count).toBeGreaterThanOrEqual(60);
      expect(
        [...new Set(knownDifferences.map(({ reason }) => reason))].filter((reason) => !reasons.has(reason)),
      ).toEqual([]);
    }, 300_000);
  },
);
