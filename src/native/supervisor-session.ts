import { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { HakoError } from '../base/errors.ts';
import type { ExitResult } from '../contracts/events.ts';
import { failureToError } from './failure.ts';
import {
  type AttachStreams,
  type ClientFrame,
  type ExecRequest,
  encodeExec,
  encodeFrame,
  encodeGo,
  encodeStart,
  type FailedFrame,
  type Frame,
  FrameDecoder,
  type GoRequest,
  MAX_FRAME,
  type StartedFrame,
  type StartRequest,
  type StateReplyFrame,
} from './protocol.ts';

/** Something that the next state reply answers. */
interface Question {
  /** What came before it is answered only when it fails, by a failure of this operation. */
  readonly after: 'signal' | 'cgroup' | null;
  /** null: the program has ended. */
  answered(frame: StateReplyFrame | null): void;
  failed(error: HakoError): void;
}

/**
 * One session with a supervisor, over one connection: the owner's, an exec's or an attachment's. Output flows no
 * faster than it is read: while a stream's buffer is full the socket is paused, and the supervisor's own buffer
 * fills in turn.
 */
export class SupervisorSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Rejects with `HAKO_ERR_SUPERVISOR_LOST` when the connection ends before the program did. */
  readonly exited: Promise<ExitResult>;
  /** Resolves when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;
  /** Resolves when nothing of the container is left in the kernel, or at the latest with {@link closed}. */
  readonly cleared: Promise<void>;
  /** Called when a rotated log file waits to be compressed. */
  onLogRotated: (() => void) | undefined;
  /** Called with the number of OOM kills since the start when there were more of them. */
  onOom: ((kills: number) => void) | undefined;
  /** Called when frames begin to wait for a reader who is behind. */
  onHeldUp: (() => void) | undefined;

  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #prepared = Promise.withResolvers<void>();
  readonly #started = Promise.withResolvers<StartedFrame>();
  readonly #exited = Promise.withResolvers<ExitResult>();
  readonly #cleared = Promise.withResolvers<void>();
  /** Questions and signals whose answer is still to come, in order. */
  #questions: Question[] = [];
  /** Streams whose reader is behind. */
  readonly #full = new Set<Readable>();
  #during: 'start' | 'exec' = 'start';
  #carriesStreams = false;
  #hasExited = false;
  #isHeld = false;
  /** Why there is no connection any more. */
  #end: HakoError | undefined;
  #streamsEnded = false;

  /** @param socket - connected, from a descriptor of a socketpair or to the control socket */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.exited = this.#exited.promise;
    this.cleared = this.#cleared.promise;
    // Nobody may be waiting when a supervisor is lost: that is no unhandled rejection.
    this.exited.catch(() => {});
    this.#started.promise.catch(() => {});
    this.#prepared.promise.catch(() => {});
    this.stdout = this.#readable();
    this.stderr = this.#readable();
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => this.#sendStdin(chunk, done),
      final: (done) => this.#send({ type: 'stdin-eof' }, done),
    });
    // That the program reads no more is told by its exit; an 'error' that nobody listens to would end node.
    this.stdin.on('error', () => {});
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#lost(error));
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#lost(undefined);
        this.#cleared.resolve();
        resolve();
      });
    });
  }

  static overDescriptor(fd: number): SupervisorSession {
    return new SupervisorSession(new Socket({ fd, readable: true, writable: true }));
  }

  /**
   * Starts the container; the first frame on the owner's session. Resolves when the program runs, or, with `wait`, when
   * there is only that to be told.
   *
   * @throws HakoError what the supervisor's failure record says
   */
  async start(request: StartRequest): Promise<void> {
    const { stdin, stdout, stderr } = request.attach;
    this.#carriesStreams = stdin || stdout || stderr;
    this.#socket.write(encodeStart(request));
    await (request.wait ? this.#prepared : this.#started).promise;
  }

  /** Runs the program in a container that waits for it. */
  async go(request: GoRequest): Promise<StartedFrame> {
    this.#socket.write(encodeGo(request));
    return this.#started.promise;
  }

  /** Of the program. */
  get started(): Promise<StartedFrame> {
    return this.#started.promise;
  }

  /** Runs a further program; the first frame on a session of its own. */
  exec(request: ExecRequest): Promise<StartedFrame> {
    this.#during = 'exec';
    this.#socket.write(encodeExec(request));
    return this.#started.promise;
  }

  /**
   * Whether the program's streams flow over this session. Frames are in order: a signal waits behind stdin that the
   * program does not read, the program's end behind output that nobody does.
   */
  get carriesStreams(): boolean {
    return this.#carriesStreams;
  }

  /** Frames wait for a reader who is behind. */
  get isHeldUp(): boolean {
    return this.#full.size > 0;
  }

  /** The connection has ended, or may, while a detached container goes on. */
  get isOutlived(): boolean {
    return this.#isHeld && !this.#hasExited;
  }

  /** Lets Node end while there is this session. */
  unref(): void {
    this.#socket.unref();
  }

  ref(): void {
    this.#socket.ref();
  }

  attach(streams: AttachStreams): void {
    this.#send({ type: 'attach', ...streams });
  }

  /**
   * Joins a further program that runs; the first frame on a session of its own.
   *
   * @param id - its beginning, which only one has
   * @throws HakoError whose operation is `attach` when there is none
   */
  attachExec(id: string, streams: AttachStreams): Promise<StartedFrame> {
    this.#during = 'exec';
    this.#send({ type: 'attach', ...streams, exec: id });
    return this.#started.promise;
  }

  /** From here on the further program that this session has joined ends with no session. */
  release(): Promise<unknown> {
    this.#send({ type: 'hold', hold: false });
    return this.state();
  }

  state(): Promise<StateReplyFrame> {
    const reply = Promise.withResolvers<StateReplyFrame>();
    this.#ask({ after: null, answered: (frame) => frame !== null && reply.resolve(frame), failed: reply.reject });
    return reply.promise;
  }

  /**
   * Resolves when the supervisor has sent the signal, or the program has ended. May be left unawaited.
   *
   * @throws HakoError when the kernel refuses the signal
   */
  signal(signal: number): Promise<void> {
    return this.#order({ type: 'signal', signal }, 'signal');
  }

  /**
   * Has the supervisor make a further control group, which it removes with the others and puts every exec into from now
   * on. What runs already is for the caller to put in. Resolves also when the program has ended.
   *
   * @throws HakoError when the group cannot be made
   */
  addGroup(directory: string): Promise<void> {
    return this.#order({ type: 'group', directory }, 'cgroup');
  }

  /** The start has been recorded: from here on a container that is detached outlives this process. */
  hold(): void {
    this.#isHeld = true;
    this.#send({ type: 'hold', hold: true });
  }

  resize(rows: number, columns: number): void {
    this.#send({ type: 'resize', rows, columns });
  }

  /** Ends the streams on this side; what the program still writes is thrown away. The session goes on. */
  endStreams(): void {
    if (this.#streamsEnded) return;
    this.#streamsEnded = true;
    // What comes now waits for no reader.
    this.#full.clear();
    this.#socket.resume();
    for (const stream of [this.stdout, this.stderr]) if (!stream.destroyed) stream.push(null);
    this.stdin.destroy();
  }

  /** Ends the session. What that means for the program is the supervisor's to say: see HAKO_START_DETACHED, HAKO_EXEC_DETACHED. */
  async close(): Promise<void> {
    this.#socket.destroy();
    await this.closed;
  }

  /** It is answered only when it fails. Frames are taken in order, so the answer to a question after it tells. */
  #order(frame: ClientFrame, operation: 'signal' | 'cgroup'): Promise<void> {
    const done = Promise.withResolvers<void>();
    done.promise.catch(() => {});
    this.#send(frame);
    this.#ask({ after: operation, answered: () => done.resolve(), failed: done.reject });
    return done.promise;
  }

  #ask(question: Question): void {
    if (this.#hasExited && question.after !== null) {
      question.answered(null);
    } else if (this.#end !== undefined) {
      question.failed(this.#end);
    } else {
      this.#questions.push(question);
      this.#send({ type: 'state' });
    }
  }

  #readable(): Readable {
    const stream = new Readable({
      read: () => this.#caughtUp(stream),
      destroy: (error, done) => {
        this.#caughtUp(stream);
        done(error);
      },
    });
    return stream;
  }

  #caughtUp(stream: Readable): void {
    this.#full.delete(stream);
    if (this.#full.size === 0) this.#socket.resume();
  }

  #send(frame: ClientFrame, done?: (error?: Error | null) => void): void {
    this.#socket.write(encodeFrame(frame), (error) => done?.(error));
  }

  #sendStdin(chunk: Buffer, done: (error?: Error | null) => void): void {
    for (let at = 0; at < chunk.length; at += MAX_FRAME) {
      const data = chunk.subarray(at, at + MAX_FRAME);
      this.#send({ type: 'stdin', data }, at + MAX_FRAME >= chunk.length ? done : undefined);
    }
    if (chunk.length === 0) done();
  }

  #receive(chunk: Buffer): void {
    let frames: Frame[];
    try {
      frames = this.#decoder.push(chunk);
    } catch (error) {
      this.#socket.destroy(error as Error);
      return;
    }
    for (const frame of frames) this.#handle(frame);
  }

  #handle(frame: Frame): void {
    switch (frame.type) {
      case 'output': {
        const stream = frame.stream === 'stdout' ? this.stdout : this.stderr;
        if (!this.#streamsEnded && !stream.destroyed && !stream.push(frame.data)) {
          this.#full.add(stream);
          this.#socket.pause();
          this.onHeldUp?.();
        }
        return;
      }
      case 'prepared':
        this.#prepared.resolve();
        return;
      case 'started':
        this.#started.resolve(frame);
        return;
      case 'failed':
        this.#failed(frame);
        return;
      case 'exited':
        this.#exited.resolve({
          exitCode: frame.exitCode,
          signal: frame.signal === 0 ? null : frame.signal,
          oomKilled: frame.oomKilled,
          finishedAt: new Date(Number(frame.finishedAt / 1_000_000n)),
        });
        if (frame.cleared) this.#cleared.resolve();
        this.#hasExited = true;
        this.#ordersAreMoot();
        this.endStreams();
        return;
      case 'state-reply':
        this.#questions.shift()?.answered(frame);
        return;
      case 'log-rotated':
        this.onLogRotated?.();
        return;
      case 'oom':
        this.onOom?.(frame.kills);
        return;
    }
  }

  #failed(frame: FailedFrame): void {
    const error = failureToError(frame, this.#during);
    // The session goes on after an order that could not be carried out; the question that follows it is answered all the same.
    const order = this.#questions.find(({ after }) => after === frame.operation);
    if (order === undefined) this.#endWith(error);
    else order.failed(error);
  }

  /** The program has ended, whatever was to be done to it. */
  #ordersAreMoot(): void {
    for (const question of this.#questions) if (question.after !== null) question.answered(null);
    this.#questions = this.#questions.filter(({ after }) => after === null);
  }

  #lost(cause: Error | undefined): void {
    this.#endWith(
      cause instanceof HakoError
        ? cause
        : new HakoError(
            'SUPERVISOR_LOST',
            "The container's supervisor has gone away. Look at the container's state: it has ended, or its host is out of memory.",
            { cause },
          ),
    );
  }

  /** A promise that was settled before keeps its value: only what is still open ends with the error. */
  #endWith(error: HakoError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#prepared.reject(error);
    this.#started.reject(error);
    this.#exited.reject(error);
    for (const question of this.#questions.splice(0)) question.failed(error);
    this.endStreams();
  }
}
