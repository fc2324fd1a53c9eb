import { setTimeout as sleep } from 'node:timers/promises';
import { raceSignal } from '../base/signal.ts';
import { isListening } from '../container/health/listening.ts';
import { type Container, reassembleLines } from '../index.ts';

/**
 * How a service tells that it is ready: by a line of its output, by a program in it that ends with 0, by a TCP port of
 * its own network namespace on which something listens, or by a function that gives no false and throws nothing.
 *
 * @public
 */
export type ReadyCheck =
  | { readonly log: string | RegExp }
  | { readonly exec: readonly string[] }
  | { readonly tcp: number }
  | { readonly call: (container: Container, options: ReadyOptions) => unknown };

/** How long to wait for a service, and for what. @public */
export interface ReadyOptions {
  /** Aborted when the service has ended, or took too long. */
  readonly signal: AbortSignal;
}

/** Milliseconds from one look to the next. */
const betweenLooks = 25;

/**
 * Resolves when a container is ready.
 *
 * @param failed - hears why the newest look was in vain, where there is more to tell than that it was
 * @throws the reason of the signal
 */
export async function untilReady(
  container: Container,
  check: ReadyCheck,
  signal: AbortSignal,
  failed: (why: unknown) => void,
): Promise<void> {
  if ('log' in check) return raceSignal(untilLogged(container, check.log, signal), signal);
  for (;;) {
    signal.throwIfAborted();
    try {
      if (await raceSignal(isReady(container, check, signal), signal)) return;
    } catch (error) {
      signal.throwIfAborted();
      failed(error);
    }
    await sleep(betweenLooks, null, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function untilLogged(container: Container, wanted: string | RegExp, signal: AbortSignal): Promise<void> {
  for await (const { line } of reassembleLines(container.logs({ follow: true, signal }), { maxLength: 1 << 20 })) {
    const text = Buffer.from(line).toString();
    if (typeof wanted === 'string' ? text.includes(wanted) : text.search(wanted) >= 0) return;
  }
  // The log has ended without it, and so will the container.
  await new Promise(() => {});
}

async function isReady(
  container: Container,
  check: Exclude<ReadyCheck, { log: unknown }>,
  signal: AbortSignal,
): Promise<boolean> {
  if ('exec' in check) return (await container.exec(check.exec, { signal })).exitCode === 0;
  if ('call' in check) return (await check.call(container, { signal })) !== false;
  const { state } = await container.inspect();
  return 'pid' in state && isListening(state.pid, check.tcp);
}

/** In words, for an error. */
export function describeCheck(check: ReadyCheck): string {
  if ('log' in check) return `a line with ${check.log instanceof RegExp ? check.log : `'${check.log}'`}`;
  if ('exec' in check) return `'${check.exec.join(' ')}' to end with 0`;
  return 'tcp' in check ? `TCP port ${check.tcp} to be listened on` : "the function 'ready.call'";
}
