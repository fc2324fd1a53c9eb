import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Milliseconds that a command takes, by bench/native/launch.c. An "@" in an argument becomes a fresh number. */
export async function timeCommand(launch: string, argv: readonly string[], cwd?: string): Promise<number> {
  const { stdout } = await run(launch, ['1', ...argv], { cwd });
  return Number(stdout) / 1e6;
}

export async function output(argv: readonly string[], cwd?: string): Promise<string> {
  const [command, ...rest] = argv;
  const { stdout } = await run(command as string, rest, { cwd });
  return stdout;
}
