import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { built } from './built.ts';
import { writeBusyboxRoot } from './test-runtime.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HakoCommand {
  /** A directory of the tests' own. */
  readonly scratch: string;
  /** What starts the command, for another program's use. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Runs it to its end. */
  (args: readonly string[], input?: string): Promise<Outcome>;
  /** Runs words of a shell in a pseudo-terminal; `hako` is the command, `told_hako` prints its process ID first. */
  terminal(script: string): TerminalSession;
}

/** The built command on a root of its own, with the image bb:1; for the tests of one `describe`. */
export function useHako(): HakoCommand {
  const scratch = mkdtempSync(join(tmpdir(), 'hako-cli-'));
  const argv = [built.command, '--root', join(scratch, 'root')];
  // The node that runs the tests.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` };
  const run = (args: readonly string[], input = ''): Promise<Outcome> =>
    new Promise((resolve) => {
      const [program = '', ...words] = argv;
      const child = execFile(program, [...words, ...args], { env, timeout: 30_000 }, (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr }),
      );
      child.stdin?.on('error', () => {}).end(input);
    });
  beforeAll(async () => {
    const imported = await run(['import', '-t', 'bb:1', writeBusyboxRoot(join(scratch, 'rootfs'))]);
    expect(imported).toMatchObject({ code: 0, stderr: '' });
  });
  afterAll(async () => {
    const { stdout } = await run(['ps', '-aq']);
    const ids = stdout.split('\n').filter((id) => id !== '');
    if (ids.length > 0) await run(['rm', '-f', ...ids]);
    rmSync(scratch, { recursive: true, force: true });
  });
  const quoted = argv.map((word) => `'${word}'`).join(' ');
  const functions = `hako() { ${quoted} "$@"; }
told_hako() { sh -c 'echo "pid=$$."; exec "$@"' sh ${quoted} "$@"; }`;
  return Object.assign(run, {
    scratch,
    argv,
    env,
    terminal: (script: string) => new TerminalSession(`${functions}\n${script}`, env),
  });
}

/** A shell in a pseudo-terminal of script(1). */
export class TerminalSession implements Disposable {
  readonly #child;
  readonly exited: Promise<number>;
  output = '';

  constructor(script: string, inherited: NodeJS.ProcessEnv) {
    // With CI set Node takes no terminal for one with colours.
    const settled = { FORCE_COLOR: undefined, NO_COLOR: undefined, CI: undefined };
    const env = { ...inherited, TERM: 'xterm-256color', ...settled };
    this.#child = spawn('script', ['-qfe', '-E', 'never', '-c', script, '/dev/null'], { env });
    this.#child.stdout.on('data', (chunk) => {
      this.output += chunk;
    });
    this.#child.stdin.on('error', () => {});
    this.exited = new Promise((resolve) => this.#child.on('close', (code) => resolve(code ?? -1)));
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Waits until the output holds it. */
  async sees(text: string | RegExp): Promise<void> {
    await expect
      .poll(() => this.output, { timeout: 20_000, interval: 20 })
      .toMatch(typeof text === 'string' ? new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')) : text);
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
