import { HakoError, hasHakoCode } from '../../base/errors.ts';
import { Gate } from '../../base/gate.ts';
import { type OperationSubject, observe } from '../../base/observation.ts';
import type { OperationName } from '../../base/operation-names.ts';
import { raceSignal } from '../../base/signal.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import type { Attachment, ProgramResult } from '../attachment.ts';
import type { Container } from '../container.ts';
import type { PreparedContainer } from '../container-launcher.ts';
import type { Program } from '../program.ts';
import { runToEnd } from '../run-to-end.ts';
import { Background } from './background.ts';
import { type ParsedPoolRun, type PoolRunOptions, parsePoolRun, parseReady } from './pool-options.ts';

/** A container that waits for its program. */
interface Ready {
  readonly container: Container;
  readonly prepared: PreparedContainer;
}

export interface PoolParts {
  readonly size: number;
  /** For those who observe. */
  readonly subject: OperationSubject;
  /** Makes a container that no program has been named to. */
  create(): Promise<Container>;
  prepare(container: Container): Promise<PreparedContainer>;
  run(prepared: PreparedContainer, program: Program): Promise<Attachment>;
  warn(message: string, cause?: unknown): void;
  closed(pool: ContainerPool): void;
}

/**
 * Containers that are kept ready, so that a program runs a millisecond or two after it is asked for. Each runs one
 * program and is removed: nothing is left of one run for the next.
 *
 * ```ts
 * await using pool = await runtime.containers.pool({ image, size: 4, namespaces: { network: 'private' } });
 * const { stdout } = await pool.run(['wc', '-c'], { input: 'hello' });
 * ```
 *
 * @public
 */
export class ContainerPool implements AsyncDisposable {
  readonly #parts: PoolParts;
  /** Of what is to be waited for before the pool's containers are removed. */
  readonly #gate = new Gate(poolClosed);
  readonly #background = new Background();
  readonly #ready: Ready[] = [];
  /** Being prepared, and promised to no run. */
  readonly #coming: Promise<Ready>[] = [];
  /** Those that run a program, or have. */
  readonly #used = new Set<Container>();
  /** Why there are fewer than there should be: it is tried again when somebody asks for one. */
  #failure: unknown;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(parts: PoolParts) {
    this.#parts = parts;
  }

  /** How many containers wait for a program now. */
  get available(): number {
    return this.#ready.length;
  }

  /**
   * Resolves when as many containers wait as the pool was made for.
   *
   * @throws HakoError why one could not be prepared; `HAKO_ERR_POOL_CLOSED`; `signal.reason` when aborted.
   */
  ready(options: OperationOptions = {}): Promise<void> {
    return this.#observe('pool.ready', () => this.#untilReady(options));
  }

  async #untilReady(options: OperationOptions): Promise<void> {
    const { signal } = parseReady(options);
    this.#failure = undefined;
    while (this.available < this.#parts.size) {
      this.#gate.signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      this.#fill();
      await raceSignal(this.#background.idle(), signal);
    }
  }

  /**
   * Runs a program in a container of its own that was prepared beforehand, or in one that is made now when none is
   * ready, and gathers its output. A program that fails is no error: look at `exitCode`. Removing the container, and
   * preparing another, is nothing that this waits for.
   *
   * @param command - after the pool's or the image's entrypoint, as in `runtime.run`
   * @throws HakoError when the program could not be started; `HAKO_ERR_OUTPUT_TOO_LARGE`; `HAKO_ERR_POOL_CLOSED`;
   * `signal.reason` when aborted, once the program has ended.
   */
  run(command: readonly string[], options: PoolRunOptions = {}): Promise<ProgramResult> {
    return this.#observe('pool.run', () => this.#run(command, options));
  }

  async #run(command: readonly string[], options: PoolRunOptions): Promise<ProgramResult> {
    const run = parsePoolRun(command, options);
    run.signal?.throwIfAborted();
    const { container, attachment } = await this.#gate.pass(() => this.#start(run));
    try {
      return await runToEnd(attachment, { ...run, kill: () => container.kill() });
    } finally {
      this.#clearAway(container);
    }
  }

  /** Kills the programs that run, removes all containers of the pool, and resolves when nothing is left of it. */
  close(): Promise<void> {
    this.#closing ??= this.#observe('pool.close', () => this.#close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Makes one, and the others later. @throws HakoError what was in the way of it @internal */
  async open(): Promise<this> {
    this.#keep(await this.#prepare());
    this.#fill();
    return this;
  }

  async #start(run: ParsedPoolRun): Promise<{ readonly container: Container; readonly attachment: Attachment }> {
    this.#failure = undefined;
    const ready = await (this.#ready.shift() ?? this.#coming.shift() ?? this.#prepare());
    try {
      return await this.#tell(ready, run);
    } catch (error) {
      // It was killed while it waited, by the host or for want of memory: nothing has been run.
      if (!(error instanceof HakoError) || error.operation !== 'child') throw error;
      return await this.#tell(await this.#prepare(), run);
    }
  }

  async #tell({ container, prepared }: Ready, run: ParsedPoolRun) {
    const { command, env, workingDirectory, input } = run;
    try {
      const attachment = await this.#parts.run(prepared, {
        command,
        env,
        workingDirectory,
        stdin: input !== undefined,
      });
      this.#used.add(container);
      return { container, attachment };
    } catch (error) {
      this.#clearAway(container);
      throw error;
    }
  }

  #clearAway(container: Container): void {
    this.#background.add(async () => {
      await this.#remove(container);
      this.#used.delete(container);
    });
    this.#fill();
  }

  /** As many as are missing, one after the other. */
  #fill(): void {
    if (this.#failure !== undefined || this.#gate.signal.aborted) return;
    if (this.#ready.length + this.#coming.length >= this.#parts.size) return;
    const coming = Promise.withResolvers<Ready>();
    coming.promise.catch(() => {});
    this.#coming.push(coming.promise);
    this.#background.add(async () => {
      try {
        const ready = await this.#prepare();
        if (this.#isUnclaimed(coming.promise)) this.#keep(ready);
        coming.resolve(ready);
      } catch (error) {
        this.#fail(error, this.#isUnclaimed(coming.promise));
        coming.reject(error);
      }
      this.#fill();
    });
  }

  /** Whether no run has taken it as it came. */
  #isUnclaimed(coming: Promise<Ready>): boolean {
    const at = this.#coming.indexOf(coming);
    if (at >= 0) this.#coming.splice(at, 1);
    return at >= 0;
  }

  async #prepare(): Promise<Ready> {
    const container = await this.#parts.create();
    try {
      return { container, prepared: await this.#parts.prepare(container) };
    } catch (error) {
      await this.#remove(container);
      throw error;
    }
  }

  #keep(ready: Ready): void {
    this.#ready.push(ready);
    ready.prepared.ended.catch((error: unknown) => this.#lost(ready, error));
  }

  /** One that a run has taken is the run's to tell of. */
  #lost(ready: Ready, error: unknown): void {
    const at = this.#ready.indexOf(ready);
    if (at < 0) return;
    this.#ready.splice(at, 1);
    this.#background.add(() => this.#discard(ready));
    this.#fail(error, true);
  }

  /** It is not tried again before somebody asks: what was in the way would be so again. */
  #fail(error: unknown, untold: boolean): void {
    if (this.#gate.signal.aborted || hasHakoCode(error, 'HAKO_ERR_RUNTIME_CLOSED')) return;
    this.#failure = error;
    if (untold) this.#parts.warn(`A pool could not keep a container ready: ${(error as Error).message}`, error);
  }

  async #close(): Promise<void> {
    await this.#gate.close();
    await this.#background.idle();
    await Promise.all([
      ...this.#ready.splice(0).map((ready) => this.#discard(ready)),
      ...[...this.#used].map((container) => this.#remove(container)),
    ]);
    await this.#background.idle();
    this.#parts.closed(this);
  }

  #observe<Result>(operation: OperationName, work: () => Promise<Result>): Promise<Result> {
    return observe({ operation, subject: () => this.#parts.subject }, work);
  }

  async #discard({ container, prepared }: Ready): Promise<void> {
    await prepared.cancel().catch((error: unknown) => this.#parts.warn(notRemoved(container), error));
    await this.#remove(container);
  }

  async #remove(container: Container): Promise<void> {
    await container.close().catch((error: unknown) => this.#parts.warn(notRemoved(container), error));
  }
}

function notRemoved({ name }: Container): string {
  return `Container '${name}' of a pool could not be removed. Remove it by name.`;
}

function poolClosed(): HakoError {
  return new HakoError('POOL_CLOSED', 'The pool has been closed. Make another with runtime.containers.pool().');
}
