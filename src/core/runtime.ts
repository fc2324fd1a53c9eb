import { type OperationSubject, observe, observeUntilEnd } from '../base/observation.ts';
import type { OperationName } from '../base/operation-names.ts';
import type { ProgramResult } from '../container/attachment.ts';
import type { Container } from '../container/container.ts';
import type { Containers, CreateOptions } from '../container/containers.ts';
import { runToEnd } from '../container/run-to-end.ts';
import type { HistoryEvent, RuntimeEvents } from '../contracts/events.ts';
import type { Plugin } from '../contracts/plugin-definition.ts';
import type { Image } from '../image/image.ts';
import { runtimeClosed } from './closed.ts';
import { compose } from './compose.ts';
import type { EventsOptions } from './events/event-query.ts';
import type { EventStream } from './events/event-stream.ts';
import type { Images } from './images.ts';
import type { RuntimeInfo } from './info.ts';
import { imageNamed } from './observed-operations.ts';
import {
  type CloseOptions,
  parseCloseOptions,
  parsePlugin,
  parseRunOptions,
  parseRuntimeOptions,
  type RuntimeOptions,
} from './options.ts';
import { publicError } from './public-error.ts';
import type { RuntimeEventBus } from './runtime-events.ts';

/** What a container can be made of: a reference, an id or a prefix of one, or an {@link Image}. @public */
export type ImageChoice = string | Image;

/** How to run one program. @public */
export type RunOptions = CreateOptions<ImageChoice> & {
  /** Written to the program's stdin, which then ends. */
  readonly input?: string | Uint8Array;
  /** Bytes that are kept of each stream. Default 16 MiB; a program that writes more is an error, and is killed. */
  readonly maxOutput?: number;
};

/** What {@link Runtime} is made of; put together by `compose`. @internal */
export interface RuntimeParts {
  readonly root: string;
  readonly images: Images;
  readonly containers: Containers<ImageChoice>;
  readonly events: RuntimeEventBus;
  readonly history: EventStream;
  register(plugin: Plugin): void;
  info(): RuntimeInfo;
  /** Ends what was started here and is not detached, and gives back all that is held. */
  close(timeout: number): Promise<void>;
}

/**
 * Everything starts here: a runtime keeps images and containers under one root directory. Several may be open at once,
 * in one process or in many, also on the same root.
 *
 * ```ts
 * await using runtime = await Runtime.open();
 * const { stdout } = await runtime.run({ image: Image.fromHost(), command: ['uname', '-n'] });
 * ```
 *
 * @public
 */
export class Runtime implements AsyncDisposable {
  readonly #parts: RuntimeParts;
  #closing: Promise<void> | undefined;

  private constructor(parts: RuntimeParts) {
    this.#parts = parts;
  }

  /**
   * Opens a runtime; finishes what others on the same root left half done.
   *
   * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED`, `HAKO_ERR_NATIVE_NOT_FOUND`, `HAKO_ERR_PERMISSION_DENIED`,
   * `HAKO_ERR_STATE_TOO_NEW`, `HAKO_ERR_INVALID_OPTION`
   */
  static open(options: RuntimeOptions = {}): Promise<Runtime> {
    return observe(
      {
        operation: 'runtime.open',
        subject: () => ({}),
        learn: (runtime) => ({ root: runtime.#parts.root }),
      },
      () => Runtime.#opened(options),
    );
  }

  static async #opened(options: RuntimeOptions): Promise<Runtime> {
    const parsed = parseRuntimeOptions(options);
    parsed.signal?.throwIfAborted();
    try {
      return new Runtime(await compose(parsed));
    } catch (error) {
      throw publicError(error);
    }
  }

  /** The images of this root. */
  get images(): Images {
    return this.#open().images;
  }

  /** The containers of this root. */
  get containers(): Containers<ImageChoice> {
    return this.#open().containers;
  }

  /**
   * Makes a plugin known, for containers that are made from here on.
   *
   * @throws HakoError `HAKO_ERR_PLUGIN_EXISTS`, `HAKO_ERR_PLUGIN_API_MISMATCH`
   */
  register(plugin: Plugin): void {
    this.#open().register(parsePlugin(plugin));
  }

  /** What this runtime and its host can do, and why not. */
  info(): Promise<RuntimeInfo> {
    return this.#observe('runtime.info', async () => this.#open().info());
  }

  /**
   * Runs one program in a container of its own, gathers its output, and removes the container. A program that fails is
   * no error: look at `exitCode`. No log is kept unless `log` names a driver.
   *
   * @throws HakoError when the program could not be started; `HAKO_ERR_OUTPUT_TOO_LARGE`; `signal.reason` when aborted.
   * The container is gone in every case.
   */
  run(options: RunOptions): Promise<ProgramResult> {
    return this.#observe('runtime.run', () => this.#run(options), imageNamed(options?.image));
  }

  async #run(runOptions: RunOptions): Promise<ProgramResult> {
    const { input, maxOutput, ...options } = parseRunOptions(runOptions);
    const container = await this.containers.createToStart({
      // Its output goes to the caller, and its handle to nobody: there is no one to read a log.
      log: 'none',
      ...options,
      ephemeral: true,
      stdin: input !== undefined,
    } as CreateOptions<ImageChoice>);
    let result: ProgramResult;
    try {
      const { signal } = options;
      const attach = { stdin: input !== undefined };
      const attachment = await container.startBriefly(signal === undefined ? { attach } : { attach, signal });
      result = await runToEnd(attachment, { input, maxOutput, signal, kill: () => container.kill() });
    } catch (error) {
      // Why it failed matters more than that it could not be cleared away besides.
      await container
        .close()
        .catch((cause: unknown) => void this.#parts.events.emit('warning', { message: notRemoved(container), cause }));
      throw error;
    }
    await container.close();
    return result;
  }

  /**
   * Calls the listener for every such event of this runtime's containers and images: of what is done by it, or by
   * others to the containers that it has a session with. Warnings that nobody has heard yet come at once.
   */
  on<Event extends keyof RuntimeEvents>(event: Event, listener: (...values: RuntimeEvents[Event]) => void): this {
    this.#parts.events.on(event, listener);
    return this;
  }

  /** Ends what `on()` has begun. */
  off<Event extends keyof RuntimeEvents>(event: Event, listener: (...values: RuntimeEvents[Event]) => void): this {
    this.#parts.events.off(event, listener);
    return this;
  }

  /**
   * What happens to containers and images from this call on, by whichever process on the root, and with `since` what
   * has happened. The root remembers the newest 8,192 events. The stream ends when the runtime closes; a slow reader
   * holds up nobody.
   *
   * @throws HakoError `HAKO_ERR_INVALID_OPTION`; `signal.reason` when aborted.
   */
  events(options: EventsOptions = {}): AsyncIterable<HistoryEvent> {
    const subject = () => ({ root: this.#parts.root });
    return observeUntilEnd({ operation: 'runtime.events', subject }, () => this.#open().history.read(options));
  }

  /**
   * Kills the containers that were started here and are not `detached`, removes those that are `ephemeral`, and closes
   * everything. An import that is under way is given up; starts and removals are waited for. Again: nothing.
   *
   * @throws HakoError `HAKO_ERR_INVALID_OPTION`
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const { timeout } = parseCloseOptions(options);
    if (this.#closing === undefined) {
      this.#closing = this.#observe('runtime.close', () => this.#parts.close(timeout));
      this.#parts.events.emit('close');
    }
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #observe<Result>(operation: OperationName, work: () => Promise<Result>, more?: OperationSubject): Promise<Result> {
    return observe({ operation, subject: () => ({ root: this.#parts.root, ...more }) }, work);
  }

  #open(): RuntimeParts {
    if (this.#closing !== undefined) throw runtimeClosed();
    return this.#parts;
  }
}

function notRemoved({ name }: Container): string {
  return `Container '${name}' could not be removed after its run. Remove it by name.`;
}
