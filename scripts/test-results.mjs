// The counts of each step of the tests, kept in build/test-results until they are summed in one line.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const directory = fileURLToPath(new URL('../build/test-results', import.meta.url));
const suffix = '.counts.json';

export function resetResults() {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
}

/** @param {{ passed: number, failed: number, skipped: number }} counts */
export function recordResult(step, counts) {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${step}${suffix}`), JSON.stringify(counts));
}

export function totals() {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const name of readdirSync(directory).filter((each) => each.endsWith(suffix))) {
    const counts = JSON.parse(readFileSync(join(directory, name), 'utf8'));
    for (const key of Object.keys(sum)) sum[key] += counts[key];
  }
  return sum;
}

export function summaryLine() {
  const { passed, failed, skipped } = totals();
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
