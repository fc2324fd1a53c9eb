/**
 * An online judge: compiles a C program of a stranger's and runs it against tests, each time in a container of its own that
 * can do nothing but compute.
 *
 *     node dist/examples/online-judge.js
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HakoError, Image, type ProgramResult, type RunOptions, Runtime } from 'libhako';

/** Accepted, wrong answer, time, memory or output limit exceeded, runtime error, compile error. */
export type Verdict = 'AC' | 'WA' | 'TLE' | 'MLE' | 'OLE' | 'RE' | 'CE';

export interface Test {
  readonly input: string;
  readonly output: string;
}

export interface Limits {
  readonly seconds: number;
  readonly memory: string;
  readonly outputBytes: number;
}

/** The verdict on the first test that is not passed. */
export async function judge(
  runtime: Runtime,
  source: string,
  tests: readonly Test[],
  limits: Limits = { seconds: 2, memory: '64m', outputBytes: 1 << 20 },
): Promise<Verdict> {
  const directory = await mkdtemp(join(tmpdir(), 'hako-judge-'));
  try {
    // The compiler runs as nobody, who writes the program here; the program itself sees it read-only.
    await chmod(directory, 0o777);
    if (!(await compile(runtime, source, directory))) return 'CE';
    for (const test of tests) {
      const verdict = await runTest(runtime, directory, test, limits);
      if (verdict !== 'AC') return verdict;
    }
    return 'AC';
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What both have in common: nobody, in a root that cannot be written, without a network. */
const confined = {
  image: Image.fromHost(),
  user: 'nobody',
  readonlyRoot: true,
  capabilities: { drop: ['ALL'] },
  workingDirectory: '/work',
} satisfies Partial<RunOptions>;

async function compile(runtime: Runtime, source: string, directory: string): Promise<boolean> {
  const { exitCode } = await runtime.run({
    ...confined,
    command: ['gcc', '-O2', '-std=c17', '-x', 'c', '-', '-o', '/work/program', '-lm'],
    input: source,
    mounts: [
      { type: 'bind', source: directory, target: '/work' },
      { type: 'tmpfs', target: '/tmp', size: '64m' },
    ],
    resources: { memory: '512m', pids: 32 },
    ulimits: { fsize: 32 << 20 },
    signal: AbortSignal.timeout(20_000),
  });
  return exitCode === 0;
}

async function runTest(runtime: Runtime, directory: string, test: Test, limits: Limits): Promise<Verdict> {
  let result: ProgramResult;
  try {
    result = await runtime.run({
      ...confined,
      command: ['/work/program'],
      input: test.input,
      mounts: [{ type: 'bind', source: directory, target: '/work', readonly: true }],
      resources: { memory: limits.memory, cpus: 1, pids: 16 },
      maxOutput: limits.outputBytes,
      signal: AbortSignal.timeout(limits.seconds * 1000),
    });
  } catch (error) {
    if (error instanceof HakoError && error.code === 'HAKO_ERR_OUTPUT_TOO_LARGE') return 'OLE';
    if (error instanceof Error && error.name === 'TimeoutError') return 'TLE';
    throw error;
  }
  if (result.oomKilled) return 'MLE';
  if (result.exitCode !== 0) return 'RE';
  return result.stdout.toString().trim() === test.output.trim() ? 'AC' : 'WA';
}

async function demonstrate(): Promise<void> {
  await using runtime = await Runtime.open();
  const tests = [{ input: '2 3', output: '5' }];
  const sum = '#include <stdio.h>\nint main(void) { int a, b; scanf("%d %d", &a, &b); printf("%d\\n", a + b); }';
  const bomb = '#include <unistd.h>\nint main(void) { for (;;) fork(); }';
  console.log('a sum:', await judge(runtime, sum, tests), '| a fork bomb:', await judge(runtime, bomb, tests));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await demonstrate().catch((error: unknown) => {
    if (!(error instanceof HakoError)) throw error;
    // Such as limits that an ordinary user has to be given first.
    console.error(error.message);
    process.exitCode = 1;
  });
}
