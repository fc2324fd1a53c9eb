import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime } from '../support/test-runtime.ts';
import { graph, type Series } from './flat/graph.ts';
import { figuresOf, growth, type Sample } from './flat/sample.ts';
import { amount, isLong, patience } from './support/amounts.ts';

const service = fileURLToPath(new URL('flat/service.ts', import.meta.url));

/** How much a figure may seem to grow; in a short run node has not come to rest. */
const slack: readonly (readonly [name: RegExp, most: number])[] = [
  [/outside its heap/, isLong ? 8192 : 32_768],
  // V8 doubles its young generation once in some ten thousand rounds; what is kept alive shows in the heap.
  [/memory of node \(KiB\)/, 40_960],
  [/^heap of node/, isLong ? 2048 : 16_384],
  [/of the supervisor \(KiB\)/, 32],
  [/descriptors/, 1.5],
  [/threads|children/, 0.5],
  // The write-ahead log, which begins anew when it is long enough; the history has its bound.
  [/state store/, 16_384],
  [/files/, 24],
  // Some are made ahead, some are about to go.
  [/control groups|mounts|containers/, 4],
];

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'a service that goes on and on', () => {
  it('takes up no more at the end than at the beginning', { timeout: patience }, async () => {
    await using test = await openRuntime();
    const series: Series[] = [];
    for (const [what, count, samples] of [
      ['exec', amount('execs', 240, 100_000), isLong ? 60 : 12],
      ['run', amount('cycles', 48, 20_000), isLong ? 60 : 12],
      ['life', amount('lives', 12, 1000), isLong ? 50 : 3],
    ] as const) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--expose-gc', service, built.entry, test.root, busyboxImage, what, String(count), String(samples)],
        { maxBuffer: 1 << 24 },
      );
      const lines = stdout.trim().split('\n');
      series.push({ title: `${count} × ${what}`, samples: lines.map((line) => JSON.parse(line) as Sample) });
    }
    const file = process.env['HAKO_SOAK_GRAPH'];
    if (file !== undefined) writeFileSync(file, graph(series));
    for (const { title, samples: taken } of series)
      for (const name of figuresOf(taken)) {
        const most = slack.find(([pattern]) => pattern.test(name))?.[1] ?? 0;
        expect(growth(taken, name), `growth of ${name} over ${title}`).toBeLessThanOrEqual(most);
      }
  });
});
