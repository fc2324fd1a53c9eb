import type { Readable } from 'node:stream';
import type { ContainerId } from '../base/ids.ts';
import type { ExitResult } from '../contracts/events.ts';
import type { LogEntry, LogQuery } from '../contracts/log-driver.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { Image } from '../image/image.ts';
import type { Attachment, Exec, ExecAttachment, ProgramResult, TerminalSize } from './attachment.ts';
import type { ContainerEvents } from './event-hub.ts';
import type { ExecInspection } from './execs/exec-inspection.ts';
import type { CommitOptions } from './files/commit.ts';
import type { CopyInOptions, CopyOutOptions, CopyOutToHostOptions } from './files/copy-options.ts';
import type { FileChange } from './files/diff.ts';
import type { ContainerArchive, CopySourceChoice } from './files/file-operations.ts';
import type { PathStat } from './files/path-stat.ts';
import type { ContainerInspection } from './inspection.ts';
import type { ContainerOperations } from './operations.ts';
import type { ExecOptions } from './options.ts';
import type { UpdateOptions } from './resources.ts';
import type { ContainerStats, StatsOptions } from './stats.ts';
import type { ContainerProcesses, TopOptions } from './top/top.ts';
import type { WaitOptions } from './waiter.ts';

/** Which of a program's streams to take part in. @public */
export interface AttachOptions extends OperationOptions {
  /** Default false. */
  readonly stdin?: boolean;
  /** Default true. */
  readonly stdout?: boolean;
  /** Default true. */
  readonly stderr?: boolean;
  /** What lets go of it when it is typed into `stdin`; default: `ctrl-p,ctrl-q` for a container with a tty. The empty text: nothing. */
  readonly detachKeys?: string;
}

/** How a container is started. @public */
export interface StartOptions extends OperationOptions {
  /** Attach before the program runs, so that not a byte is missed. */
  readonly attach?: AttachOptions;
}

/** How a container is asked to end. @public */
export interface StopOptions extends OperationOptions {
  /** Default: the container's stop signal, else the image's, else SIGTERM. */
  readonly stopSignal?: NodeJS.Signals | number;
  /** Seconds until SIGKILL. Default: the container's stop timeout, else 10. */
  readonly timeout?: number;
}

/** How a container is removed. @public */
export interface RemoveOptions extends OperationOptions {
  /** Kill it first if it runs. */
  readonly force?: boolean;
}

/** Which entries of a container's log to read. @public */
export interface LogsOptions extends Omit<LogQuery, 'since' | 'until'>, OperationOptions {
  /** From this time on; a bigint is nanoseconds since the epoch. */
  readonly since?: Date | bigint;
  /** Up to this time. */
  readonly until?: Date | bigint;
}

/** Records of a log: lines, and pieces of lines longer than 16 KiB. @public */
export interface LogCounts {
  /** To the log, or the journal. */
  readonly written: number;
  /** For want of room: on the disk, or in the journal of a log driver in mode `non-blocking`. */
  readonly lost: number;
}

/**
 * A handle on a container. Closing the handle (`await using`) does nothing to the container, unless that was made
 * `ephemeral`: then it is killed and removed.
 *
 * Every method may be called from several processes at once; each throws a `HakoError`, `HAKO_ERR_CONTAINER_NOT_FOUND`
 * once the container has been removed.
 *
 * @public
 */
export class Container implements AsyncDisposable {
  /** 64 hex digits. */
  readonly id: ContainerId;
  #name: string;
  readonly #operations: ContainerOperations;
  readonly #ephemeral: boolean;
  readonly #subscriptions: { readonly event: string; readonly listener: unknown; readonly end: () => void }[] = [];

  /** @internal */
  constructor(
    operations: ContainerOperations,
    record: { readonly id: ContainerId; readonly name: string },
    ephemeral: boolean,
  ) {
    this.id = record.id;
    this.#name = record.name;
    this.#operations = operations;
    this.#ephemeral = ephemeral;
  }

  /** As it was when the handle was made, or last renamed with it. */
  get name(): string {
    return this.#name;
  }

  /**
   * Starts the container; resolves when its program runs. With `attach`, the attachment is connected before the
   * program's first instruction; without, the returned one has no streams.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_ALREADY_STARTED`, `HAKO_ERR_COMMAND_NOT_FOUND`,
   * `HAKO_ERR_COMMAND_NOT_EXECUTABLE`, `HAKO_ERR_INVALID_USER`, `HAKO_ERR_HOST_UNSUPPORTED`,
   * `HAKO_ERR_CONTAINER_START_FAILED`; nothing of the start is left behind.
   */
  start(options: StartOptions = {}): Promise<Attachment> {
    return this.#operations.start(this.id, options);
  }

  /** As {@link Container.start}, of one that only the caller knows of. @internal */
  startBriefly(options: StartOptions): Promise<Attachment> {
    return this.#operations.startBriefly(this.id, options);
  }

  /**
   * Asks the program to end, and kills it when it has not after the timeout. Not running: its last exit. No restart
   * policy starts it again.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING` when it never ran.
   */
  stop(options: StopOptions = {}): Promise<ExitResult> {
    return this.#operations.stop(this.id, options);
  }

  /**
   * Sends a signal to the container's first process. After SIGKILL, SIGTERM or the container's stop signal no restart
   * policy starts it again, also when it is just waiting to. SIGKILL and the stop signal also end a pause; others wait for
   * `unpause()`. Aborting `options.signal` ends the wait for the supervisor's answer.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING`
   */
  kill(signal: NodeJS.Signals | number = 'SIGKILL', options: OperationOptions = {}): Promise<void> {
    return this.#operations.kill(this.id, signal, options);
  }

  /**
   * Stops the container if it runs, and starts it. Its restart policy begins anew.
   *
   * @throws HakoError as `stop` and `start` do.
   */
  restart(options: StopOptions = {}): Promise<void> {
    return this.#operations.restart(this.id, options);
  }

  /**
   * Resolves when the container has ended; at once when it has already, unless `condition` says otherwise. `signal` ends
   * the wait, not the container.
   */
  wait(options: WaitOptions = {}): Promise<ExitResult> {
    return this.#operations.wait(this.id, options);
  }

  /**
   * Runs a further program to its end and gathers its output. Aborting `options.signal` kills it.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING`, `HAKO_ERR_COMMAND_NOT_FOUND`, `HAKO_ERR_COMMAND_NOT_EXECUTABLE`,
   * `HAKO_ERR_OUTPUT_TOO_LARGE`; `signal.reason` when aborted.
   */
  exec(command: readonly string[], options?: ExecOptions): Promise<ProgramResult> {
    return this.#operations.exec(this.id, command, options);
  }

  /** Runs a further program and gives its streams. Aborting `options.signal` kills it. */
  startExec(command: readonly string[], options?: ExecOptions): Promise<Exec> {
    return this.#operations.startExec(this.id, command, options);
  }

  /**
   * The further programs that this runtime has started in the container, the newest last: those that run, and of those
   * that have ended as many as make a hundred.
   */
  execs(): Promise<readonly ExecInspection[]> {
    return this.#operations.execs(this.id);
  }

  /** What this runtime knows of one of them. @throws HakoError `HAKO_ERR_EXEC_NOT_FOUND` */
  inspectExec(execId: string): Promise<ExecInspection> {
    return this.#operations.inspectExec(this.id, execId);
  }

  /**
   * Joins the stdio of a further program from here on, whichever process has started it; several may at once. What is
   * closed, aborted or let go of by its detach keys is this connection: the program goes on.
   *
   * @param execId - or its beginning
   * @throws HakoError `HAKO_ERR_EXEC_NOT_FOUND` when no such program runs, `HAKO_ERR_CONTAINER_NOT_RUNNING`
   */
  attachExec(execId: string, options: AttachOptions = {}): Promise<ExecAttachment> {
    return this.#operations.attachExec(this.id, execId, options);
  }

  /**
   * Joins the running program's stdio from here on; several may at once. `signal` ends the attachment, not the program:
   * its `exited` then rejects with the signal's reason.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING`
   */
  attach(options: AttachOptions = {}): Promise<Attachment> {
    return this.#operations.attach(this.id, options);
  }

  /**
   * Gives the container another name.
   *
   * @throws HakoError `HAKO_ERR_INVALID_NAME`, `HAKO_ERR_CONTAINER_NAME_IN_USE`
   */
  async rename(name: string): Promise<void> {
    this.#name = await this.#operations.rename(this.id, name);
  }

  /**
   * The processes of the container, those of execs too, read from the host's side.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING`, `HAKO_ERR_INVALID_OPTION` for `psArgs` that are not understood.
   */
  top(options: TopOptions = {}): Promise<ContainerProcesses> {
    return this.#operations.top(this.id, options);
  }

  /** Sets the size of the container's terminal. */
  resize(size: TerminalSize): Promise<void> {
    return this.#operations.resize(this.id, size);
  }

  /** The output so far, and with `follow` what comes until the end. @throws HakoError `HAKO_ERR_LOG_NOT_READABLE` */
  logs(options: LogsOptions = {}): AsyncIterable<LogEntry> {
    return this.#operations.logs(this.id, options);
  }

  /** What has become of the output of this run. @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING` */
  logCounts(): Promise<LogCounts> {
    return this.#operations.logCounts(this.id);
  }

  /**
   * What the container has changed of its image, a directory before what is in it. What is mounted in it is none of it.
   */
  diff(options: OperationOptions = {}): Promise<readonly FileChange[]> {
    return this.#operations.files.diff(this.id, options);
  }

  /**
   * What is at a path of the container, running or not, as its programs see it. A symbolic link is followed at the end of
   * a path only with `followLink`, or when a slash or `/.` comes after it.
   *
   * @throws HakoError `HAKO_ERR_PATH_NOT_FOUND`, `HAKO_ERR_PATH_CONFLICT`, `HAKO_ERR_PATH_UNSUPPORTED` for files of /proc and the like
   */
  statPath(path: string, options: CopyOutOptions = {}): Promise<PathStat> {
    return this.#operations.files.stat(this.id, path, options);
  }

  /**
   * Takes a file or a directory out of the container, running or not: as a tar stream or, with the second form, to a path
   * of the host by the rules of `docker cp`. Of a directory, `path/.` takes what is in it, without itself.
   *
   * @throws HakoError `HAKO_ERR_PATH_NOT_FOUND`, `HAKO_ERR_PATH_CONFLICT`, `HAKO_ERR_PATH_UNSUPPORTED`
   */
  copyOut(path: string, options?: CopyOutOptions): Promise<ContainerArchive>;
  /** The same, to a path of the host. */
  copyOut(path: string, hostPath: string, options?: CopyOutToHostOptions): Promise<void>;
  copyOut(path: string, target: string | CopyOutOptions = {}, options: CopyOutToHostOptions = {}): Promise<unknown> {
    return typeof target === 'string'
      ? this.#operations.files.copyToHost(this.id, path, target, options)
      : this.#operations.files.archive(this.id, path, target);
  }

  /**
   * Puts files into the container, running or not. A path of the host goes by the rules of `docker cp`; an archive and
   * files in memory go into a directory that must be there. What came before a failure or an abort stays.
   *
   * @throws HakoError `HAKO_ERR_PATH_NOT_FOUND`, `HAKO_ERR_PATH_CONFLICT`, `HAKO_ERR_PATH_UNSUPPORTED`,
   * `HAKO_ERR_INVALID_ARCHIVE`
   */
  copyIn(source: CopySourceChoice, path: string, options: CopyInOptions = {}): Promise<void> {
    return this.#operations.files.copyIn(this.id, source, path, options);
  }

  /** The container's root filesystem as a tar stream, without what is mounted in it, with ids as the container sees them. */
  export(options: OperationOptions = {}): Readable {
    return this.#operations.files.export(this.id, options);
  }

  /**
   * Changes limits, at once if the container runs and for all its starts from now on, and the restart policy, from its next
   * end on. All are changed, or none.
   *
   * @throws HakoError `HAKO_ERR_INVALID_OPTION`; `HAKO_ERR_HOST_UNSUPPORTED` for what this host cannot limit;
   * `HAKO_ERR_SYSCALL_FAILED` when the kernel refuses a limit, with errno `EBUSY` for less memory than is in use.
   */
  update(options: UpdateOptions): Promise<void> {
    return this.#operations.resources.update(this.id, options);
  }

  /**
   * Holds every process of the container where it is, without its knowledge; resolves when all are held.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING`, `HAKO_ERR_CONTAINER_PAUSED`; `HAKO_ERR_HOST_UNSUPPORTED` where
   * there is no freezer; `HAKO_ERR_SYSCALL_FAILED` for a process that waits for a device, after 10 seconds.
   */
  pause(options: OperationOptions = {}): Promise<void> {
    return this.#operations.resources.pause(this.id, options);
  }

  /** Lets a paused container go on. @throws HakoError `HAKO_ERR_CONTAINER_NOT_PAUSED` */
  unpause(options: OperationOptions = {}): Promise<void> {
    return this.#operations.resources.unpause(this.id, options);
  }

  /**
   * What the container uses, read once; with an `interval` twice, so that there is a `cpuPercent`. See also
   * {@link toDockerStats}.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING`; `HAKO_ERR_HOST_UNSUPPORTED` for one that is in no control group.
   */
  stats(options: StatsOptions = {}): Promise<ContainerStats> {
    return this.#operations.resources.stats(this.id, options);
  }

  /** The same again and again, until the container ends. Throws as `stats` does, and `signal.reason` when aborted. */
  watchStats(options: StatsOptions = {}): AsyncIterable<ContainerStats> {
    return this.#operations.resources.watchStats(this.id, options);
  }

  /**
   * Makes an image of the container's image and what the container has changed, with the container's own settings. What is
   * mounted in it is left out.
   *
   * @throws HakoError `HAKO_ERR_INVALID_REFERENCE`, `HAKO_ERR_IMAGE_NOT_FOUND` for a container on the host's own root
   */
  commit(options: CommitOptions = {}): Promise<Image> {
    return this.#operations.files.commit(this.id, options);
  }

  /** Everything that is known of the container, as it is now. */
  inspect(): Promise<ContainerInspection> {
    return this.#operations.inspect(this.id);
  }

  /**
   * Removes the container, its files and its log. What has begun is finished by the next runtime on this root if
   * this one does not live to.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_RUNNING` unless `force` is given.
   */
  remove(options: RemoveOptions = {}): Promise<void> {
    return this.#operations.remove(this.id, options);
  }

  /**
   * Calls the listener for every such event until the handle is closed, whichever process starts the container.
   */
  on<Event extends keyof ContainerEvents>(event: Event, listener: (...values: ContainerEvents[Event]) => void): this {
    this.#subscriptions.push({ event, listener, end: this.#operations.subscribe(this.id, event, listener) });
    return this;
  }

  /** Ends what `on()` has begun. */
  off<Event extends keyof ContainerEvents>(event: Event, listener: (...values: ContainerEvents[Event]) => void): this {
    const at = this.#subscriptions.findIndex((each) => each.event === event && each.listener === listener);
    if (at >= 0) for (const { end } of this.#subscriptions.splice(at, 1)) end();
    return this;
  }

  /** Closes the handle; an ephemeral container is killed and removed. */
  async close(): Promise<void> {
    for (const { end } of this.#subscriptions.splice(0)) end();
    if (this.#ephemeral) await this.#operations.discard(this.id);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
