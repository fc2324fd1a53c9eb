import type { Contest } from './contest.ts';
import { quantile } from './statistics.ts';

export interface Report {
  readonly key: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly contest: Contest;
}

export interface JsonFigure {
  readonly hako: number | null;
  readonly unit: string;
  readonly peers: Readonly<Record<string, number>>;
  readonly ratio: Readonly<Record<string, number>>;
}

const rounded = (value: number): number => Number(value.toPrecision(4));

/** Medians, and hako's divided by each peer's. */
export function toJson(report: Report): JsonFigure {
  const medians = Object.fromEntries(
    [...report.contest.samples].map(([name, samples]) => [name, rounded(quantile(samples, 0.5))]),
  );
  const { hako, ...peers } = medians;
  const ratio =
    hako === undefined
      ? {}
      : Object.fromEntries(Object.entries(peers).map(([name, value]) => [name, rounded(hako / value)]));
  return { hako: hako ?? null, unit: report.unit, peers, ratio };
}

export function toTable(report: Report): string {
  const hako = report.contest.samples.get('hako');
  const rows = [...report.contest.samples].map(([name, samples]) => {
    const median = quantile(samples, 0.5);
    const ratio = hako === undefined || name === 'hako' ? '' : `${(quantile(hako, 0.5) / median).toFixed(2)} ×`;
    return [name, format(median), format(quantile(samples, 0.9)), String(samples.length), ratio];
  });
  const title = `${report.key} (${report.unit}, ${report.better} is better)`;
  const lines = align([['', 'p50', 'p90', 'n', 'hako is'], ...rows]);
  const absent = [...report.contest.absent].map(([name, reason]) => `  ${name}: not measured: ${reason}`);
  return [title, ...lines.map((line) => `  ${line}`), ...absent].join('\n');
}

function format(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
