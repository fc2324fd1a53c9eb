import { readdirSync, readFileSync } from 'node:fs';
import type { ExitStatus, SpawnedProcess } from '../../../src/contracts/native-binding.ts';
import { native } from './native-binding.ts';

/** /bin/sh, to be spawned. */
export const shell = await native.sealExecutable('/bin/sh');

export const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

/** Runs a shell script by the addon and gives its standard output and error. */
export async function run(script: string, fds: readonly number[] = []): Promise<{ output: string } & ExitStatus> {
  const [read, write] = native.pipe();
  let child: SpawnedProcess;
  try {
    child = await native.spawn({ executable: shell, argv: ['sh', '-c', script], fds, stdio: [null, write, write] });
  } finally {
    native.close(write);
  }
  const output = readFileSync(read, 'utf8');
  native.close(read);
  return { output, ...(await native.reap(child)) };
}
