import { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import { operationOptions } from '../container/call-options.ts';
import { parseOptions } from '../container/options.ts';
import {
  type Container,
  type ContainerSettings,
  type ExecOptions,
  entryPrinter,
  Image,
  type ImageChoice,
  type OperationOptions,
  type ProgramResult,
  Runtime,
} from '../index.ts';
import { describeCheck, type ReadyCheck, untilReady } from './ready.ts';
import { borrowRuntime } from './shared-runtime.ts';

/**
 * What to run, and how to know that it is ready: the options of a container, and these.
 *
 * @public
 */
export interface ServiceOptions
  extends Omit<ContainerSettings, 'autoRemove' | 'detached' | 'ephemeral' | 'restart' | 'stdin'>,
    OperationOptions {
  /** Default: the host's own programs, `Image.fromHost()`. */
  readonly image?: ImageChoice;
  /** Default: ready when it runs. */
  readonly ready?: ReadyCheck;
  /** Seconds until it must be ready. Default 30. */
  readonly timeout?: number;
  /** The root of the runtime that is opened for the services of this process. Default: as for `Runtime.open`. */
  readonly root?: string;
  /** A runtime of your own, instead. */
  readonly runtime?: Runtime;
}

const schema = z.looseObject({
  ...operationOptions,
  ready: z
    .union(
      [
        z.strictObject({ log: z.union([z.string().min(1), z.instanceof(RegExp)]) }),
        z.strictObject({ exec: z.array(z.string()).min(1) }),
        z.strictObject({ tcp: z.int().min(1).max(65_535) }),
        z.strictObject({ call: z.custom<() => unknown>((value) => typeof value === 'function') }),
      ],
      { error: 'write { log }, { exec }, { tcp } or { call }' },
    )
    .optional(),
  timeout: z.number().min(0).max(86_400).default(30),
  root: z.string().min(1).optional(),
  runtime: z.custom<Runtime>((value) => value instanceof Runtime, 'give what Runtime.open() has given').optional(),
});

/** Lines of output that an error quotes. */
const quotedLines = 20;

/** A container that is there until it is closed, or its process ends. @public */
export class Service implements AsyncDisposable {
  readonly container: Container;
  readonly #release: () => Promise<void>;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(container: Container, release: () => Promise<void>) {
    this.container = container;
    this.#release = release;
  }

  /** Runs a program in it to the end, as `container.exec()` does. */
  exec(command: readonly string[], options: ExecOptions = {}): Promise<ProgramResult> {
    return this.container.exec(command, options);
  }

  /** What it has printed so far, on both streams. */
  output(): Promise<string> {
    return outputOf(this.container);
  }

  /** Kills and removes the container. Again: nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.container.close();
    } finally {
      await this.#release();
    }
  }
}

/**
 * Starts a program in a container of its own, and resolves when it is ready. It goes when the service is closed
 * (`await using`), and when the process ends, however that ends: by `kill -9` too.
 *
 * ```ts
 * await using redis = await startService({ command: ['redis-server'], ready: { log: 'Ready to accept' } });
 * const { stdout } = await redis.exec(['redis-cli', 'ping']);
 * ```
 *
 * @throws HakoError `HAKO_ERR_SERVICE_NOT_READY`, with what it has printed; and as `containers.create()` and `start()` do.
 * Nothing is left behind then.
 * @public
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { timeout } = parseOptions(schema, options, 'service');
  const { image = Image.fromHost(), ready, timeout: _timeout, root, runtime: own, ...settings } = options;
  options.signal?.throwIfAborted();
  const { runtime, release } =
    own === undefined ? await borrowRuntime(root) : { runtime: own, release: () => Promise.resolve() };
  let service: Service | undefined;
  try {
    const container = await runtime.containers.create({ ...settings, image, ephemeral: true });
    service = new Service(container, release);
    await container.start(options.signal === undefined ? {} : { signal: options.signal });
    if (ready !== undefined) await waitUntilReady(container, ready, timeout, options.signal);
    return service;
  } catch (error) {
    await (service === undefined ? release() : service.close());
    throw error;
  }
}

async function waitUntilReady(
  container: Container,
  ready: ReadyCheck,
  timeout: number,
  given: AbortSignal | undefined,
): Promise<void> {
  const limit = new AbortController();
  const late = setTimeout(() => limit.abort('was not ready'), timeout * 1000);
  const signal = given === undefined ? limit.signal : AbortSignal.any([given, limit.signal]);
  container
    .wait({ signal })
    .then(({ exitCode }) => limit.abort(`ended with exit code ${exitCode}`))
    .catch(() => {});
  let cause: unknown;
  try {
    await untilReady(container, ready, signal, (why) => {
      cause = why;
    });
  } catch (error) {
    given?.throwIfAborted();
    if (error !== limit.signal.reason) throw error;
    const within = error === 'was not ready' ? ` in ${timeout} s` : '';
    const output = (await outputOf(container)).trimEnd().split('\n').slice(-quotedLines).join('\n');
    throw new HakoError(
      'SERVICE_NOT_READY',
      `The service '${container.name}' ${error}${within}, while it was waited for ${describeCheck(ready)}. ${output === '' ? 'It has printed nothing.' : `It has printed:\n${output}`}`,
      { cause },
    );
  } finally {
    clearTimeout(late);
    limit.abort();
  }
}

async function outputOf(container: Container): Promise<string> {
  const print = entryPrinter();
  const lines: Uint8Array[] = [];
  for await (const entry of container.logs()) lines.push(print(entry));
  return Buffer.concat(lines).toString();
}
