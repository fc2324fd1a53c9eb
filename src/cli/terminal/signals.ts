/** What a program may be told by; not what the kernel sends a process for its own doings. */
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'] as const;
/** Those that ask for an end, and how often they are passed on before it is made. */
const endings: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']);
const patience = 2;

/**
 * Passes on to a program what this process is sent, as Docker's client does (`--sig-proxy`). A program that is process 1
 * may be deaf to it: the third time such a signal kills it.
 */
export function forwardSignals(send: (signal: NodeJS.Signals) => Promise<void>): Disposable {
  const sent = new Map<NodeJS.Signals, number>();
  const forward = (signal: NodeJS.Signals): void => {
    const times = (sent.get(signal) ?? 0) + 1;
    sent.set(signal, times);
    // One that has ended by itself is told of by its exit.
    send(endings.has(signal) && times > patience ? 'SIGKILL' : signal).catch(() => {});
  };
  for (const signal of forwarded) process.on(signal, forward);
  return {
    [Symbol.dispose]: () => {
      for (const signal of forwarded) process.off(signal, forward);
    },
  };
}
