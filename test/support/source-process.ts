import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const hooks = fileURLToPath(new URL('source-hooks.mjs', import.meta.url));

/** Starts a script of test/support in a process of its own, that runs the sources. */
export function startSource(script: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ['--import', hooks, fileURLToPath(new URL(script, import.meta.url)), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export interface SourceResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runSource(script: string, args: readonly string[]): Promise<SourceResult> {
  return finish(startSource(script, args));
}

async function finish(child: ChildProcess): Promise<SourceResult> {
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.on('close', (code, name) => resolve([code, name])),
  );
  return { exitCode, signal, stdout: stdout(), stderr: stderr() };
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}

/** As {@link runSource}, as another user with nothing but its own rights. */
export async function runSourceAs(uid: number, script: string, args: readonly string[]): Promise<SourceResult> {
  return finish(
    spawn(
      'setpriv',
      [
        `--reuid=${uid}`,
        `--regid=${uid}`,
        '--clear-groups',
        process.execPath,
        '--import',
        hooks,
        fileURLToPath(new URL(script, import.meta.url)),
        ...args,
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    ),
  );
}
