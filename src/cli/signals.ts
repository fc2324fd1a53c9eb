const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * Passes on to a program what this process is sent, as Docker's client does (`--sig-proxy`). A program that is process 1
 * may be deaf to it: the same signal again kills it.
 */
export function forwardSignals(send: (signal: NodeJS.Signals) => Promise<void>): Disposable {
  const sent = new Set<NodeJS.Signals>();
  const forward = (signal: NodeJS.Signals): void => {
    // One that has ended by itself is told of by its exit.
    send(sent.has(signal) ? 'SIGKILL' : signal).catch(() => {});
    sent.add(signal);
  };
  for (const signal of forwarded) process.on(signal, forward);
  return {
    [Symbol.dispose]: () => {
      for (const signal of forwarded) process.off(signal, forward);
    },
  };
}
