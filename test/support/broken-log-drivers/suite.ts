import { describe } from 'vitest';
import { logDriverConformance } from '../../../src/plugins/conformance/log-driver.ts';
import { broken, faults } from './drivers.ts';

// The control comes first and alone: what it fails in, the machine is to blame for.
describe('is sound', () => logDriverConformance({ create: broken('is sound'), reads: true }));

for (const fault of Object.keys(faults)) {
  describe.concurrent(fault, () => logDriverConformance({ create: broken(fault), reads: true }));
}
