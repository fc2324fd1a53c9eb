// What .ci/run does after `npm ci`: the tests, then each check, all of them even when one fails. Each check counts as
// one test of the closing line, and the exit status is the failures'.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { recordResult, summaryLine, totals } from './test-results.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const checks = ['lint', 'typecheck', 'check:deps', 'check:api'];

function npm(...args) {
  const began = Date.now();
  console.log(`\n── npm ${args.join(' ')}`);
  const { status } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  console.log(
    `── npm ${args.join(' ')}: ${status === 0 ? 'passed' : `failed (${status})`}, ${Math.round((Date.now() - began) / 1000)} s`,
  );
  return status === 0;
}

// Its own counts are in build/test-results by then; a run that never came to them is a failure all the same.
const tested = npm('test');
for (const check of checks) {
  const passed = npm('run', check);
  recordResult(check.replace(':', '-'), { passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 });
}
if (!tested && totals().failed === 0) recordResult('npm-test', { passed: 0, failed: 1, skipped: 0 });
console.log(`\n${summaryLine()}`);
process.exitCode = totals().failed === 0 ? 0 : 1;
