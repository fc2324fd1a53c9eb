import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { startSource } from './source-process.ts';

/** Another process that runs this with a runtime on the root, and stays. */
export async function elsewhere(root: string, text: string): Promise<ChildProcess> {
  const child = startSource('script-child.ts', [root, text, 'stay']);
  child.stderr?.pipe(process.stderr);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

/** Kills it in a way that it cannot notice. */
export async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}
