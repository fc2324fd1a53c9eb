import type { Attachment, ProgramResult } from './attachment.ts';
import { collect } from './collect.ts';

export interface RunToEnd {
  readonly input?: string | Uint8Array | undefined;
  /** Bytes of each stream. */
  readonly maxOutput: number;
  readonly signal?: AbortSignal | undefined;
  /** Ends the program. */
  kill(): Promise<unknown>;
}

/**
 * Feeds a program that has just been started, and reads it to its end.
 *
 * @throws HakoError `HAKO_ERR_OUTPUT_TOO_LARGE`; `signal.reason` when aborted, once the program has ended.
 */
export async function runToEnd(attachment: Attachment, run: RunToEnd): Promise<ProgramResult> {
  const { input, maxOutput, signal } = run;
  if (input !== undefined) attachment.stdin.on('error', () => {}).end(input);
  const abort = () => void run.kill().catch(() => {});
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  try {
    const result = await collect(attachment, maxOutput);
    signal?.throwIfAborted();
    return result;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
