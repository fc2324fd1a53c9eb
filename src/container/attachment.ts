import type { Readable, Writable } from 'node:stream';
import type { ExitResult } from '../contracts/events.ts';
import type { ExecInspection } from './execs/exec-inspection.ts';

/** Rows and columns of a terminal. @public */
export interface TerminalSize {
  /** At most 65,535. */
  readonly rows: number;
  /** At most 65,535. */
  readonly columns: number;
}

/**
 * A connection to a running program's stdio. A slow reader slows the program, as with a pipe: read the streams, or
 * do not ask for them.
 *
 * @public
 */
export interface Attachment extends AsyncDisposable {
  /** Ends the program's stdin when it ends. Refuses to be written unless stdin was asked for. */
  readonly stdin: Writable;
  /** Ends with the program. With a tty all output is here. */
  readonly stdout: Readable;
  /** Ends with the program. With a tty nothing comes here. */
  readonly stderr: Readable;
  /**
   * Resolves when the program has ended and all its output has been handed over; rejects with `HAKO_ERR_DETACHED` when the
   * detach keys were typed.
   */
  readonly exited: Promise<ExitResult>;
  /** Tells the program's terminal its size (SIGWINCH follows). Without a tty: nothing. */
  resize(size: TerminalSize): void;
  /**
   * Leaves the program running; what it writes from then on is not seen here. Of what `startExec()` gives it kills the
   * program, unless that is detached.
   */
  close(): Promise<void>;
}

/** A connection to a further program in a running container. @public */
export interface ExecAttachment extends Attachment {
  /** On the host. */
  readonly pid: number;
  /** Whether it has a terminal. */
  readonly tty: boolean;
  /** Sends a signal to the program, by default SIGKILL; after what was written to its stdin. @throws HakoError `HAKO_ERR_INVALID_OPTION` */
  kill(signal?: NodeJS.Signals | number): Promise<void>;
}

/** A further program in a running container. @public */
export interface Exec extends ExecAttachment {
  /** 64 hex digits; see `container.attachExec()`. */
  readonly id: string;
  /** Leaves the program running, also when this process ends, as if it had been started `detached`. Its streams end here. */
  detach(): Promise<void>;
  /** What is known of it now. */
  inspect(): ExecInspection;
}

/** What a program that ran to its end has left. @public */
export interface ProgramResult extends ExitResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}
