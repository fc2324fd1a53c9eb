import { test } from 'vitest';
import type { Case } from './case.ts';

/** Runs cases as tests of vitest. */
export function testCases(cases: readonly Case[]): void {
  for (const { name, missing, run } of cases) {
    const lack = missing?.();
    if (lack === undefined) test(name, run);
    else test.skip(`${name} [skipped: needs ${lack}]`, run);
  }
}
