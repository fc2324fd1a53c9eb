import { execFile } from 'node:child_process';
import { accessSync, chownSync, constants, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { describeWith } from '../support/requires.ts';

const project = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
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

/** Why the sources cannot be read by somebody without rights. */
function unreadable(): string | undefined {
  for (let path = project; ; path = dirname(path)) {
    if ((statSync(path).mode & constants.S_IXOTH) === 0) return `a clone that others may read ('${path}' is closed)`;
    if (path === '/') break;
  }
  accessSync(project, constants.R_OK);
  return undefined;
}

describeWith({ root: true, tools: ['setpriv', 'unshare'], other: unreadable }, 'as an ordinary user', () => {
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
