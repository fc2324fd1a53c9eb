import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import { signal as signalOption, stopTimeout } from '../container/option-parts.ts';
import { parseOptions } from '../container/options.ts';
import type { Runtime } from './runtime.ts';

/** When a process that is to end closes its runtimes, and how. @public */
export interface CloseOnExitOptions {
  /** Default SIGINT, SIGTERM and SIGHUP. */
  readonly signals?: readonly NodeJS.Signals[];
  /** Seconds that containers have to end by themselves, from their stop signal on; then they are killed. Default 10. */
  readonly timeout?: number;
}

const schema = z.strictObject({
  signals: z
    .array(
      z.custom<NodeJS.Signals>(
        (name) => signalOption.safeParse(name).success && name !== 'SIGKILL' && name !== 'SIGSTOP',
        'write the name of a signal that a process can handle, such as SIGTERM',
      ),
    )
    .default(['SIGINT', 'SIGTERM', 'SIGHUP']),
  timeout: stopTimeout.default(10),
});

/** Seconds that all else of closing may take: a process that was asked to end must not hang. */
const patience = 5;

const kept = new Map<Runtime, z.output<typeof schema>>();
const listened = new Set<NodeJS.Signals>();
let isClosing = false;

/**
 * Closes a runtime when the process is asked to end by a signal, or has nothing more to do: its containers are stopped,
 * and killed after the timeout. Then the signal takes its course, so that whoever waits for the process sees what ended it; a
 * second signal does not wait. Other listeners of the signal stay, and then it is for them to end the process.
 *
 * Containers end with their process in any case, also by `kill -9`; this is for those that want to be asked. Called
 * again, it changes the options. A runtime that is closed by other means is forgotten.
 *
 * @returns what ends the arrangement when it is disposed of
 * @throws HakoError `HAKO_ERR_INVALID_OPTION`; `HAKO_ERR_HOST_UNSUPPORTED` in a worker thread, which gets no signals
 * @public
 */
export function closeOnExit(runtime: Runtime, options: CloseOnExitOptions = {}): Disposable {
  const parsed = parseOptions(schema, options, 'closeOnExit');
  if (!isMainThread)
    throw new HakoError(
      'HOST_UNSUPPORTED',
      'A worker thread gets no signals. Call closeOnExit in the main thread, or close the runtime when the worker is told to end.',
    );
  const forget = () => {
    kept.delete(runtime);
    listen();
  };
  if (!kept.has(runtime)) runtime.on('close', forget);
  kept.set(runtime, parsed);
  listen();
  return { [Symbol.dispose]: forget };
}

/** Listens for what the runtimes want to hear, and for no more: a listener keeps a signal from its course. */
function listen(): void {
  if (isClosing) return;
  const wanted = new Set([...kept.values()].flatMap(({ signals }) => signals));
  for (const signal of wanted) if (!listened.has(signal)) process.on(signal, onSignal);
  for (const signal of listened) if (!wanted.has(signal)) process.off(signal, onSignal);
  process.off('beforeExit', closeAll);
  if (kept.size > 0) process.on('beforeExit', closeAll);
  listened.clear();
  for (const signal of wanted) listened.add(signal);
}

async function onSignal(signal: NodeJS.Signals): Promise<void> {
  if (!isClosing) {
    isClosing = true;
    await closeAll();
    isClosing = false;
  }
  for (const each of listened) process.off(each, onSignal);
  listened.clear();
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

async function closeAll(): Promise<void> {
  const runtimes = [...kept];
  const closed = Promise.all(runtimes.map(([runtime, { timeout }]) => runtime.close({ timeout }).catch(warn)));
  const longest = Math.max(0, ...runtimes.map(([, { timeout }]) => timeout));
  const late = new AbortController();
  await Promise.race([closed, sleep((longest + patience) * 1000, null, { signal: late.signal }).catch(() => {})]);
  late.abort();
  kept.clear();
  listen();
}

function warn(error: unknown): void {
  process.emitWarning(`A runtime could not be closed: ${(error as Error).message}`, 'HakoWarning');
}
