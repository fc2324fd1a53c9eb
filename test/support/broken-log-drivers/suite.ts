import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { logDriverConformance } from '../../../src/plugins/conformance/log-driver.ts';
import { sent } from '../sending-log-driver.ts';
import { broken, brokenWriter, faults, writerFaults } from './drivers.ts';

// The control comes first and alone: what it fails in, the machine is to blame for.
describe('is sound', () => logDriverConformance({ create: broken('is sound'), reads: true }));

for (const fault of Object.keys(faults)) {
  describe.concurrent(fault, () => logDriverConformance({ create: broken(fault), reads: true }));
}

const sends = (fault: string): void => {
  const path = join(tmpdir(), fault);
  const received = async ({ id }: { readonly id: string }) => sent(path, id);
  logDriverConformance({ create: brokenWriter(fault, path), reads: false, received });
};

describe('sends soundly', () => sends('sends soundly'));

for (const fault of Object.keys(writerFaults)) describe.concurrent(fault, () => sends(fault));
