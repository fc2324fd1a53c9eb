import { HakoError } from '../../base/errors.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import { PayloadReader, protocolError } from '../protocol/wire.ts';
import { MAX_FRAME } from '../protocol.ts';
import { WorkerFrameType } from './constants.ts';
import { workerError } from './failure.ts';
import type { LaunchedWorker } from './launch.ts';

const HEADER = 5;

/**
 * One request and its answer. However it ends, the worker has ended too.
 *
 * @param grace - milliseconds from the signal to the kill, in which a worker whose input has ended can clear up
 * @throws HakoError for what the worker answers, or `HAKO_ERR_SYSCALL_FAILED` when it ended without an answer; the
 * signal's reason when that is aborted.
 */
export async function callWorker(
  worker: LaunchedWorker,
  request: Buffer,
  options: OperationOptions = {},
  grace = 0,
): Promise<PayloadReader> {
  const { signal } = options;
  let patience: NodeJS.Timeout | undefined;
  const abort = (): void => {
    if (grace === 0) worker.kill();
    else patience = setTimeout(() => worker.kill(), grace);
  };
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  const answer = await converse(worker, request);
  signal?.removeEventListener('abort', abort);
  clearTimeout(patience);
  const ended = await worker.reap();
  signal?.throwIfAborted();
  if (answer.length < HEADER) throw lost(ended.signal);
  return readAnswer(answer);
}

async function converse({ socket }: LaunchedWorker, request: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // A reset says no more than an early end does.
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(request);
  await closed;
  return Buffer.concat(chunks);
}

function readAnswer(answer: Buffer): PayloadReader {
  const length = answer.readUInt32LE(0);
  if (length > MAX_FRAME || answer.length !== HEADER + length)
    throw protocolError('a worker answers with no whole frame');
  const reader = new PayloadReader(answer.subarray(HEADER));
  const type = answer.readUInt8(4);
  if (type === WorkerFrameType.DONE) return reader;
  if (type !== WorkerFrameType.FAILED) throw protocolError(`a worker answers with a frame of type ${type}`);
  throw workerError({ operation: reader.str(), errno: reader.i32(), detail: reader.str() });
}

function lost(signal: number | null): HakoError {
  const how = signal === null ? 'ended' : `was killed by signal ${signal}`;
  return new HakoError(
    'SYSCALL_FAILED',
    `The process that works on file trees ${how} without an answer. If it was not killed for lack of memory, this is a fault of hako: please report it.`,
  );
}
