import { expect, test } from 'vitest';
import { Machine, machineTools } from '../qemu/machine.ts';
import { describeWith } from '../support/requires.ts';

/** On an idle machine it takes a minute; emulation beside other tests several times that. */
const TIMEOUT = 720_000;

interface Result {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | `skipped: ${string}`;
}

/** The top level of TAP 13, as node:test prints it. */
function parseTap(output: string): readonly Result[] {
  return [...output.matchAll(/^(ok|not ok) \d+ - (.*?)(?: # SKIP ?(.*))?$/gm)].map(
    ([, verdict, name = '', skipped]) => ({
      name,
      outcome: skipped !== undefined ? `skipped: ${skipped}` : verdict === 'ok' ? 'passed' : 'failed',
    }),
  );
}

describeWith(
  { root: true, tools: machineTools, other: () => (process.arch === 'x64' ? undefined : 'an x64 machine') },
  'a kernel with control groups v2 only, and AppArmor',
  () => {
    test(
      'passes the same cases',
      async () => {
        using machine = new Machine();
        const output = await machine.run(TIMEOUT);
        const results = parseTap(output);
        expect(output, output.slice(-4000)).toMatch(/^MACHINE ends with \d+/m);
        expect(
          results.filter(({ outcome }) => outcome !== 'passed'),
          output,
        ).toEqual([]);
        expect(results.length).toBeGreaterThan(35);
      },
      TIMEOUT + 60_000,
    );
  },
);
