import { describe, expect, test } from 'vitest';
import { Absent, compete, type Entrant } from '../../bench/contest.ts';
import { quantile } from '../../bench/statistics.ts';
import { toJson, toTable } from '../../bench/table.ts';

function entrant(name: string, log: string[], values: readonly number[]): Entrant {
  let turn = 0;
  return {
    name,
    prepare: async () => ({
      name,
      measure: async () => {
        log.push(name);
        return values[turn++ % values.length] as number;
      },
      close: async () => void log.push(`close ${name}`),
    }),
  };
}

describe('quantile', () => {
  test.each([
    [[5], 0.5, 5],
    [[1, 2, 3, 4], 0.5, 2],
    [[3, 1, 2], 0.5, 2],
    [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9, 9],
    [[1, 2], 1, 2],
    [[1, 2], 0, 1],
  ])('%j at %d is %d', (samples, q, expected) => {
    expect(quantile(samples, q)).toBe(expected);
  });

  test('of nothing is an error', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});

describe('a contest', () => {
  test('takes turns that begin with another each time, leaves the warm-ups out and closes in reverse', async () => {
    const log: string[] = [];
    const { samples } = await compete([entrant('a', log, [9, 1, 2]), entrant('b', log, [9, 3, 4])], 2, 1);
    expect(log).toEqual(['a', 'b', 'b', 'a', 'a', 'b', 'close b', 'close a']);
    expect(Object.fromEntries(samples)).toEqual({ a: [1, 2], b: [3, 4] });
  });

  test('goes on without one that is not installed, and says why', async () => {
    const gone: Entrant = { name: 'gone', prepare: () => Promise.reject(new Absent('not installed')) };
    const { samples, absent } = await compete([gone, entrant('a', [], [1])], 1, 0);
    expect([...samples.keys()]).toEqual(['a']);
    expect(Object.fromEntries(absent)).toEqual({ gone: 'not installed' });
  });

  test('closes those that are prepared when another fails', async () => {
    const log: string[] = [];
    const broken: Entrant = { name: 'broken', prepare: () => Promise.reject(new Error('broken')) };
    await expect(compete([entrant('a', log, [1]), broken], 1, 0)).rejects.toThrow('broken');
    expect(log).toEqual(['close a']);
  });
});

describe('the report', () => {
  const report = {
    key: 'run',
    unit: 'ms',
    better: 'lower',
    contest: {
      samples: new Map([
        ['hako', [2, 2, 4]],
        ['crun', [8, 7, 9]],
      ]),
      absent: new Map([['runc', 'not installed']]),
    },
  } as const;

  test('as JSON has medians, and the ratio to each peer', () => {
    expect(toJson(report)).toEqual({ hako: 2, unit: 'ms', peers: { crun: 8 }, ratio: { crun: 0.25 } });
  });

  test('as JSON without hako has no ratio', () => {
    const samples = new Map([['crun', [8]]]);
    expect(toJson({ ...report, contest: { ...report.contest, samples } })).toEqual({
      hako: null,
      unit: 'ms',
      peers: { crun: 8 },
      ratio: {},
    });
  });

  test('as a table names who was measured and who was not', () => {
    const table = toTable(report);
    expect(table).toMatch(/^run \(ms, lower is better\)/);
    expect(table).toMatch(/crun +8\.00 +9\.00 +3 +0\.25 ×/);
    expect(table).toMatch(/runc: not measured: not installed/);
  });
});
