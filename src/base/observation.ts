import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel';
import { finished, type Readable } from 'node:stream';
import type { ContainerId } from './ids.ts';
import type { OperationName } from './operation-names.ts';

/** What an operation is done to, as far as that is known. @public */
export interface OperationSubject {
  /** The root directory of the runtime. */
  readonly root?: string;
  /** Of the container that it is done to, if there is one. */
  readonly containerId?: ContainerId;
  /** As it was at the beginning. */
  readonly containerName?: string;
  /** By what name the image was asked for, or its id. */
  readonly image?: string;
}

/**
 * One operation, as the subscribers of its channel see it: one object from the start to the end.
 *
 * @public
 */
export type OperationContext = {
  readonly operation: OperationName;
  /** When it began. */
  readonly startedAt: Date;
  /** How long it took, in milliseconds; only when it has ended. */
  readonly duration?: number;
  /** What the caller got, when it has ended well. */
  readonly result?: unknown;
  /** What the caller was thrown, when it has failed. */
  readonly error?: unknown;
} & OperationSubject;

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

const channels = new Map<OperationName, TracingChannel<unknown, OperationContext>>();

/**
 * The tracing channel of an operation, `tracing:hako:<operation>:start` and so on, as node:diagnostics_channel makes them:
 * `start` and `end` come while the call is made, `asyncStart` and `asyncEnd` when its promise is settled, and `error` before
 * them if it was rejected. Operations that give a stream or an async iterable last until its end.
 *
 * @public
 */
export function operationChannel(operation: OperationName): TracingChannel<unknown, OperationContext> {
  let channel = channels.get(operation);
  if (channel === undefined) {
    channel = tracingChannel<unknown, OperationContext>(`hako:${operation}`);
    channels.set(operation, channel);
  }
  return channel;
}

/** How what is watched is described; asked only when there is somebody to tell. */
export interface Description<Result> {
  readonly operation: OperationName;
  subject(): OperationSubject;
  /** What only the result tells of the subject. */
  learn?(result: Result): OperationSubject;
}

/** Does the work, and tells those who have subscribed to its channel. */
export function observe<Result>(description: Description<Result>, work: () => Promise<Result>): Promise<Result> {
  const channel = operationChannel(description.operation);
  if (!channel.hasSubscribers) return work();
  const context: Writable<OperationContext> = begin(description);
  const began = performance.now();
  const timed = async () => {
    try {
      const result = await work();
      Object.assign(context, description.learn?.(result));
      return result;
    } finally {
      context.duration = performance.now() - began;
    }
  };
  return channel.tracePromise(timed, context);
}

/** As {@link observe}, for what goes on until its reader or its source ends it. */
export function observeUntilEnd<Result extends AsyncIterable<unknown>>(
  description: Description<void>,
  work: () => Result,
): Result {
  if (!operationChannel(description.operation).hasSubscribers) return work();
  const content = work();
  return isReadable(content)
    ? watchStream(description, content)
    : (watchIterable(description, content) as AsyncIterable<unknown> as Result);
}

function begin({ operation, subject }: Description<never>): OperationContext {
  return { operation, startedAt: new Date(), ...subject() };
}

function isReadable(content: AsyncIterable<unknown>): content is AsyncIterable<unknown> & Readable {
  return 'readable' in content;
}

function watchStream<Stream extends Readable>(description: Description<void>, stream: Stream): Stream {
  const end = Promise.withResolvers<void>();
  finished(stream, (error) => (error && !isGivenUp(error) ? end.reject(error) : end.resolve()));
  observe(description, () => end.promise).catch(() => {});
  return stream;
}

/** Its reader has had enough: it has not failed. */
function isGivenUp({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ABORT_ERR';
}

async function* watchIterable<Item>(
  description: Description<void>,
  content: AsyncIterable<Item>,
): AsyncGenerator<Item> {
  const end = Promise.withResolvers<void>();
  observe(description, () => end.promise).catch(() => {});
  try {
    yield* content;
  } catch (error) {
    end.reject(error);
    throw error;
  } finally {
    end.resolve();
  }
}
