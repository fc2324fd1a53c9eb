import { afterAll } from 'vitest';
import { testCases } from '../support/cases.ts';
import { thisHost } from '../support/isolated-run.ts';
import { isolationCases } from '../support/isolation-cases.ts';
import { Probe } from '../support/probe.ts';
import { describeWith } from '../support/requires.ts';

const host = await thisHost();

describeWith({ tools: ['cc'] }, 'isolation, as a program sees it', () => {
  const probe = new Probe();
  afterAll(() => probe[Symbol.dispose]());
  testCases(isolationCases({ probe: probe.path, host }));
});
