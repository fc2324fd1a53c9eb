import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const program = `
import ctypes
libc = ctypes.CDLL(None)
first = True
while True:
    for _ in range(1000): libc.renameat2(-100, b"d", -100, b"link", 2)
    if first: print("racing", flush=True)
    first = False
`;

/**
 * Exchanges `d`, a directory, and `link`, a symbolic link, as fast as it can, from when this resolves until it is
 * disposed of. It needs python3.
 */
export async function exchanging(directory: string): Promise<AsyncDisposable> {
  const racer: ChildProcess = spawn('python3', ['-c', program], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (racer.stdout !== null) await once(racer.stdout, 'data');
  return {
    [Symbol.asyncDispose]: async () => {
      const ended = once(racer, 'exit');
      racer.kill('SIGKILL');
      await ended;
    },
  };
}
