/**
 * A CI job: its steps run one after another in one container, their output comes as it is printed, and each has its time.
 *
 *     node dist/examples/ci-runner.js
 */
import { pathToFileURL } from 'node:url';
import { type Container, HakoError, Image, type ImageChoice, Runtime } from 'libhako';

export interface Step {
  readonly name: string;
  /** For the shell. */
  readonly run: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: ten minutes. */
  readonly timeoutSeconds?: number;
}

export interface StepResult {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'timed out' | 'cancelled' | 'skipped';
  readonly exitCode?: number;
}

export interface Job {
  readonly image: ImageChoice;
  readonly steps: readonly Step[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the steps until one does not pass. Aborting the signal cancels the one that runs; nothing is left in any case. */
export async function runJob(
  runtime: Runtime,
  { image, steps, env = {} }: Job,
  onOutput: (step: string, chunk: Buffer) => void,
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly StepResult[]> {
  await using container = await runtime.containers.create({
    image,
    command: ['sleep', 'infinity'],
    init: true,
    workingDirectory: '/workspace',
    mounts: [{ type: 'tmpfs', target: '/workspace', size: '1g' }],
    env: { CI: 'true', ...env },
    resources: { memory: '2g', pids: 1000 },
    ephemeral: true,
  });
  await container.start();

  const results: StepResult[] = [];
  for (const step of steps) {
    const stopped = signal.aborted || results.some(({ outcome }) => outcome !== 'passed');
    results.push(stopped ? { name: step.name, outcome: 'skipped' } : await runStep(container, step, onOutput, signal));
  }
  return results;
}

async function runStep(
  container: Container,
  { name, run, env = {}, timeoutSeconds = 600 }: Step,
  onOutput: (step: string, chunk: Buffer) => void,
  cancel: AbortSignal,
): Promise<StepResult> {
  const late = AbortSignal.timeout(timeoutSeconds * 1000);
  const exec = await container.startExec(['sh', '-ec', run], { env, signal: AbortSignal.any([cancel, late]) });
  for (const stream of [exec.stdout, exec.stderr]) stream.on('data', (chunk: Buffer) => onOutput(name, chunk));
  const { exitCode } = await exec.exited;
  if (cancel.aborted) return { name, outcome: 'cancelled' };
  if (late.aborted) return { name, outcome: 'timed out' };
  return { name, outcome: exitCode === 0 ? 'passed' : 'failed', exitCode };
}

async function demonstrate(): Promise<void> {
  await using runtime = await Runtime.open();
  const steps = [
    { name: 'write', run: 'echo "echo it works" > build.sh' },
    { name: 'test', run: 'sh build.sh; uname -sr', timeoutSeconds: 5 },
    { name: 'hang', run: 'echo waiting; sleep 60', timeoutSeconds: 1 },
    { name: 'deploy', run: 'echo never' },
  ];
  const print = (step: string, chunk: Buffer) => process.stdout.write(`[${step}] ${chunk.toString()}`);
  console.table(await runJob(runtime, { image: Image.fromHost(), steps }, print));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await demonstrate().catch((error: unknown) => {
    if (!(error instanceof HakoError)) throw error;
    // Such as limits that an ordinary user has to be given first.
    console.error(error.message);
    process.exitCode = 1;
  });
}
