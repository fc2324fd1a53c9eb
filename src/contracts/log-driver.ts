import type { ContainerId } from '../base/ids.ts';
import type { OperationOptions } from './operation.ts';

/** One line, or one piece of a line longer than 16 KiB. @public */
export interface LogEntry {
  /** With a tty all is `stdout`. */
  readonly stream: 'stdout' | 'stderr';
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
  /** The bytes without the newline. */
  readonly line: Uint8Array;
  /** More of the same line follows in the next entry of this stream. */
  readonly partial: boolean;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Which entries of a log to read. @public */
export interface LogQuery {
  /** Goes on with what is still to be written, until the container has ended. */
  readonly follow?: boolean;
  /** Only the last so many lines of those that the query is for; the pieces of a long line count as one. */
  readonly tail?: number;
  /** Nanoseconds since the epoch, inclusive. */
  readonly since?: bigint;
  /** Nanoseconds since the epoch, inclusive. */
  readonly until?: bigint;
  /** Default true. */
  readonly stdout?: boolean;
  /** Default true. */
  readonly stderr?: boolean;
}

/** What a log driver may know of the container whose output it keeps. Docker's logger.Info. @public */
export interface LogContainerInfo {
  readonly id: ContainerId;
  readonly name: string;
  readonly command: string;
  readonly imageId: string;
  readonly imageName: string;
  /** Of the host, not of the container. */
  readonly hostname: string;
  readonly createdAt: Date;
  readonly labels: Readonly<Record<string, string>>;
  /** `NAME=value`. */
  readonly env: readonly string[];
  /** The container's own directory on the host; a file sink writes here and nowhere else. */
  readonly directory: string;
}

/**
 * Where the supervisor puts output by itself, with no Node process needed.
 *
 * A `journal` is a file of bounded size, from which hako feeds the driver's {@link LogWriter}. `mode` and `capacity`
 * are Docker's `mode` and `max-buffer-size` (docs.docker.com, "Configure logging drivers"): in mode `blocking` a full
 * journal slows the container down, in mode `non-blocking` what finds no room is dropped and counted. In both the
 * buffer outlives the Node process.
 *
 * @public
 */
export type LogSink =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'json-file';
      /** A file name in the container's directory. */
      readonly fileName: string;
      /** Bytes; a file that has reached it is rotated before the next write. null: no limit. */
      readonly maxSize: number | null;
      readonly maxFiles: number;
      readonly compress: boolean;
      readonly attributes: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'journal';
      /** Bytes; each line takes 32 to 63 more than its text. Less than 64 KiB is taken for 64 KiB. Docker's default is 1 MiB. */
      readonly capacity: number;
      /** Docker's default is `blocking`. */
      readonly mode: 'blocking' | 'non-blocking';
    };

/**
 * Takes one container's output to wherever its driver keeps it, out of the journal.
 *
 * Entries come in order, and one `write` at a time. They leave the journal when `write` has resolved, so each is
 * delivered *at least* once: after a crash, or after `write` has failed, the same entries come again. What is not
 * settled some seconds after the container has ended is given up: `signal` is aborted, and the writer disposed of.
 *
 * @public
 */
export interface LogWriter extends AsyncDisposable {
  /**
   * Resolves when the entries are safe at the far end: until then they are kept, and no more are given. Rejects when
   * they are not: they are given again, after a pause that grows.
   */
  write(entries: readonly LogEntry[], options?: OperationOptions): Promise<void>;
  /** The last entry has been written: resolves when nothing is left on its way. */
  flush?(options?: OperationOptions): Promise<void>;
}

/**
 * A log driver decides where a container's output is kept, and reads it back.
 *
 * `open` is called before each start and names a {@link LogSink}, which the supervisor runs by itself: that is
 * why a driver goes on working when no Node process is alive. One that sends output elsewhere names a `journal`, and
 * has a `writer`. `read` is optional: a driver without it answers `logs()` with `HAKO_ERR_LOG_NOT_READABLE`, never
 * with an empty stream.
 *
 * @public
 */
export interface LogDriver extends AsyncDisposable {
  /** Says where the output of a run is to be kept, before it starts. */
  open(container: LogContainerInfo, options?: OperationOptions): Promise<LogSink>;
  /**
   * What takes a container's output out of its journal; required of a driver whose sink is one. Called in whichever
   * process delivers, one at a time for each container; called again, after a pause, when it has failed.
   */
  writer?(container: LogContainerInfo, options?: OperationOptions): Promise<LogWriter>;
  /** `ended` resolves (it never rejects) when the container's last byte has been written: the end of a followed log. */
  read?(
    container: LogContainerInfo,
    query: LogQuery,
    ended: Promise<void>,
    options?: OperationOptions,
  ): AsyncIterable<LogEntry>;
  /** The supervisor has rotated a file (only of sinks that ask for compression). Resolves when the work is done. */
  rotated?(container: LogContainerInfo): Promise<void>;
  /** The path that `inspect` shows as LogPath, when the driver has one that users may rely on. */
  path?(container: LogContainerInfo): string;
}
