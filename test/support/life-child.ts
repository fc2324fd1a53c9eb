import { spawn } from 'node:child_process';
import { built } from './built.ts';

export interface ChildResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program against the built package in a process of its own, by way of a command that changes what the process
 * sees of the machine (unshare(1), a shell that mounts something first). `runtime` is open in it.
 */
export function runChild(wrapper: readonly string[], root: string, program: string): Promise<ChildResult> {
  const script = `
    import { Runtime, Image } from ${JSON.stringify(built.entry)};
    try {
      await using runtime = await Runtime.open({ root: ${JSON.stringify(root)} });
      const warnings = [];
      runtime.on('warning', ({ message }) => warnings.push(message));
      ${program}
    } catch (error) {
      console.log(error.code ?? error.stack);
      process.exitCode = 3;
    }`;
  const [command = '', ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', script];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}
