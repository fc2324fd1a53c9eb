import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const hooks = fileURLToPath(new URL('source-hooks.mjs', import.meta.url));

export interface SourceResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line that runs a script of test/support in a process of its own, from the sources. */
export function sourceCommand(script: string, args: readonly string[]): readonly string[] {
  return [process.execPath, '--import', hooks, fileURLToPath(new URL(script, import.meta.url)), ...args];
}

/** Starts a script of test/support in a process of its own, that runs the sources. */
export function startSource(script: string, args: readonly string[]): ChildProcess {
  return start(sourceCommand(script, args));
}

export function runSource(script: string, args: readonly string[]): Promise<SourceResult> {
  return finish(startSource(script, args));
}

/** As {@link runSource}, as another user with nothing but its own rights. */
export function runSourceAs(uid: number, script: string, args: readonly string[]): Promise<SourceResult> {
  return finish(
    start(['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...sourceCommand(script, args)]),
  );
}

function start([program = '', ...args]: readonly string[]): ChildProcess {
  return spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
}

async function finish(child: ChildProcess): Promise<SourceResult> {
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, name) => resolve([code, name]));
  });
  return { exitCode, signal, stdout: stdout(), stderr: stderr() };
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}
