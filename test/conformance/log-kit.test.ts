import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { faults, writerFaults } from '../support/broken-log-drivers/drivers.ts';

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly fullName: string;
      readonly status: string;
    }[];
  }[];
}

const vitest = 'node_modules/vitest/vitest.mjs';
const failures = new Map<string, string[]>();

function takeReport(report: Report): void {
  for (const { ancestorTitles, fullName, status } of report.testResults.flatMap((file) => file.assertionResults)) {
    const [fault = ''] = ancestorTitles;
    const failed = failures.get(fault) ?? [];
    failures.set(fault, status === 'failed' ? [...failed, fullName] : failed);
  }
}

/** The suite that authors of drivers run must fail for a driver that breaks the contract, and only then. */
describe('the conformance kit for log drivers', () => {
  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-log-kit-'));
    try {
      const output = join(directory, 'report.json');
      const args = [
        'run',
        '--config',
        'test/support/broken-log-drivers/vitest.config.ts',
        '--reporter=json',
        `--outputFile=${output}`,
      ];
      // It ends with 1, because tests fail; what those that were timed out leave behind goes with the directory.
      await promisify(execFile)(process.execPath, [vitest, ...args], {
        maxBuffer: 64 << 20,
        env: { ...process.env, HAKO_LEAK_CHECK: '', TMPDIR: directory },
      }).catch(() => {});
      takeReport(JSON.parse(readFileSync(output, 'utf8')) as Report);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }, 180_000);

  it.each(['is sound', 'sends soundly'])('passes one that %s', (sound) => {
    expect(failures.get(sound)).toEqual([]);
  });

  it.each(Object.keys({ ...faults, ...writerFaults }))('fails one that %s', (fault) => {
    expect(failures.get(fault)?.length).toBeGreaterThan(0);
  });
});
