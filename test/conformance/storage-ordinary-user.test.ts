import { execFile } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { closedSources, project } from '../support/readable-sources.ts';
import { describeWith } from '../support/requires.ts';

const nobody = 65_534;

interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

describeWith({ root: true, tools: ['setpriv', 'unshare'], other: closedSources }, 'as an ordinary user', () => {
  it.each(['overlay2', 'vfs'])('%s passes the same kit, in a user namespace', { timeout: 300_000 }, async (driver) => {
    const home = mkdtempSync(join(tmpdir(), 'hako-user-'));
    chownSync(home, nobody, nobody);
    const report = join(home, 'report.json');
    onTestFinished(() => rmSync(home, { recursive: true }));
    const vitest = [
      process.execPath,
      `${project}/node_modules/vitest/vitest.mjs`,
      'run',
      '--configLoader',
      'runner',
      '--reporter',
      'json',
      '--outputFile',
      report,
      `test/conformance/storage-${driver}.test.ts`,
    ];
    // It fails when a test does; the report says which.
    await promisify(execFile)('setpriv', [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', ...vitest], {
      cwd: project,
      env: { PATH: process.env['PATH'], HOME: home },
      maxBuffer: 64 << 20,
    }).catch(() => undefined);
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    const failed = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === 'failed');
    expect(failed.map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages[0]?.slice(0, 300)}`)).toEqual(
      [],
    );
    expect(numPassedTests).toBeGreaterThan(50);
  });
});
