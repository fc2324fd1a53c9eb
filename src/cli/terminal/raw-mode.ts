import type { ReadStream } from 'node:tty';

/** Signals that end a process without its exit handlers, when nobody listens for them. */
const deadly = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;

/** Gives every key to whoever reads, until it is disposed of; the terminal is put back in whatever way the process ends. */
export function rawMode(stdin: ReadStream): Disposable {
  const restore = (): void => void stdin.setRawMode(false);
  const endAs = (signal: NodeJS.Signals): void => {
    // Whoever else listens decides what the signal does.
    if (process.listenerCount(signal) > 1) return;
    restore();
    process.off(signal, endAs);
    process.kill(process.pid, signal);
  };
  stdin.setRawMode(true);
  process.on('exit', restore);
  for (const signal of deadly) process.on(signal, endAs);
  return {
    [Symbol.dispose]: () => {
      process.off('exit', restore);
      for (const signal of deadly) process.off(signal, endAs);
      restore();
    },
  };
}
