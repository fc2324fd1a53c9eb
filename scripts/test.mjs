// Every test: what the machine needs, the vitest projects with a leak check, the same native tests under sanitizers,
// and in CI the fuzzers. The counts of all of them are summed in build/test-results.
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fuzzTargets } from './native/fuzzers.mjs';
import { hostLibc, sanitizerReports, sanitizeToolchain } from './native/toolchain.mjs';
import { recordResult, resetResults, summaryLine, totals } from './test-results.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: 'vitest,sanitize,fuzz' },
    'fuzz-seconds': { type: 'string' },
  },
});
const inCi = process.env.CI === 'true';
const fuzzSeconds = Number(options['fuzz-seconds'] ?? (inCi ? 60 : 5));
const steps = { vitest, sanitize, fuzz };

function run(command, args, env = {}) {
  return (
    spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } })
      .status ?? 1
  );
}

function node(...args) {
  if (run(process.execPath, args) !== 0) process.exit(1);
}

/** One vitest run; its counts are those of its own report, and a run that fails without a failed test counts as one. */
function runVitest(name, args, env) {
  const output = join(root, 'build/test-results', `${name}.vitest.json`);
  rmSync(output, { force: true });
  const status = run(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${output}`,
      ...args,
    ],
    env,
  );
  let counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    const report = JSON.parse(readFileSync(output, 'utf8'));
    counts = {
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      skipped: report.numPendingTests + (report.numTodoTests ?? 0),
    };
  } catch (error) {
    console.error(`no report of ${name}: ${error.message}`);
  }
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  recordResult(name, counts);
}

function vitest() {
  runVitest('vitest', positionals, { HAKO_LEAK_CHECK: '1', HAKO_BUILT: '1' });
}

/**
 * Left out under sanitizers: tests that make the supervisor's own system calls fail, which a sanitizer makes as well,
 * those that look at what a program was linked with or give it too little room for a shadow memory, and those whose
 * native code is none of the three parts'.
 */
const notSanitized = [
  '**/worker-sandbox*',
  '**/helper-program*',
  '**/container-faults*',
  '**/kernel-v2*',
  '**/json-line*',
  '**/hostile-report*',
  '**/readme*',
  '**/image-users*',
  '**/isolation-peers*',
];

/** The same tests with the addon, the supervisor and the worker under ASan and UBSan. */
function sanitize() {
  node('scripts/build-native.mjs', '--sanitize');
  const { preload, arch } = sanitizeToolchain();
  rmSync(sanitizerReports, { recursive: true, force: true });
  mkdirSync(sanitizerReports, { recursive: true });
  // A container's first process reports as whoever it is.
  chmodSync(sanitizerReports, 0o1777);
  const projects = ['native', 'conformance', 'integration', 'security'].map((name) => `--project=${name}`);
  runVitest('sanitize', [...projects, ...notSanitized.map((pattern) => `--exclude=${pattern}`)], {
    HAKO_NATIVE_DIR: join(root, `build/native-sanitize/linux-${arch}-${hostLibc()}`),
    HAKO_SANITIZE: '1',
    HAKO_BUILT: '1',
    LD_PRELOAD: preload,
    // Node itself keeps what it allocated until the end.
    ASAN_OPTIONS: `detect_leaks=0:log_path=${join(sanitizerReports, 'node')}`,
  });
  // The runtime is preloaded into whatever a test runs: what it finds in dd(1) is not ours. Nor is it a finding that
  // there was no memory for itself, under a limit that a test had set.
  const found = readdirSync(sanitizerReports)
    .map((name) => readFileSync(join(sanitizerReports, name), 'utf8'))
    .filter((report) => /ERROR: AddressSanitizer: |runtime error: /.test(report) && /hako|native\//.test(report));
  for (const report of found) console.error(report);
  recordResult('sanitizer-reports', { passed: found.length === 0 ? 1 : 0, failed: found.length, skipped: 0 });
}

/** A minute for each target, two at a time. */
async function fuzz() {
  if (run(process.execPath, ['scripts/build-native.mjs', '--fuzz']) !== 0) {
    // Only clang has libFuzzer, and an ordinary clone need not have it. CI installs it.
    recordResult('fuzz', { passed: 0, failed: inCi ? 1 : 0, skipped: inCi ? 0 : 1 });
    return;
  }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const waiting = fuzzTargets();
  const worker = async () => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      counts[(await fuzzOne(target)) ? 'passed' : 'failed']++;
    }
  };
  await Promise.all([worker(), worker()]);
  recordResult('fuzz', counts);
}

function fuzzOne(target) {
  const [corpus, seeds, crashes] = ['corpus', 'seeds', 'crashes'].map((name) => join(root, 'build/fuzz', name, target));
  for (const directory of [corpus, seeds, crashes]) mkdirSync(directory, { recursive: true });
  const seedMaker = join(root, 'native/fuzz', `${target}-seeds.mjs`);
  if (existsSync(seedMaker)) node(seedMaker, seeds);
  const limits = [`-max_total_time=${fuzzSeconds}`, '-timeout=10', '-rss_limit_mb=2048'];
  const args = [...limits, '-verbosity=0', '-print_final_stats=1', `-artifact_prefix=${crashes}/`, corpus, seeds];
  return new Promise((resolve) => {
    execFile(join(root, 'build/fuzz', target), args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const units = /number_of_executed_units: (\d+)/.exec(stderr)?.[1] ?? 'an unknown number of';
      console.log(
        `fuzzing ${target} for ${fuzzSeconds} s: ${units} inputs, ${error === null ? 'nothing found' : 'failed'}`,
      );
      if (error !== null) console.error(`${stdout}${stderr}`.split('\n').slice(-80).join('\n'));
      resolve(error === null);
    });
  });
}

resetResults();
node('scripts/test-setup.mjs');
node('scripts/build-native.mjs');
node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json');
for (const name of options.only.split(',')) {
  if (steps[name] === undefined) throw new Error(`--only ${name}: the steps are ${Object.keys(steps).join(', ')}`);
  await steps[name]();
}
console.log(summaryLine());
process.exitCode = totals().failed === 0 ? 0 : 1;
