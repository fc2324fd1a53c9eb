import { hostname } from 'node:os';
import { HakoError } from '../base/errors.ts';
import { goJson } from '../base/go-json.ts';
import type { ContainerId } from '../base/ids.ts';
import type { LogContainerInfo, LogDriver, LogEntry, LogQuery, LogSink, LogWriter } from '../contracts/log-driver.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { PluginReference } from '../contracts/plugin-definition.ts';
import { selectEntries } from './select-entries.ts';

type LogReference = Omit<PluginReference<'log'>, 'kind'>;

/** Where drivers come from: the plugin registry, which makes each once for each set of options. */
export interface LogDriverSource {
  driver(reference: LogReference): Promise<LogDriver>;
}

/** What the log service has to know of a container. */
export interface LoggedContainer {
  readonly id: ContainerId;
  readonly name: string;
  readonly createdAt: Date;
  readonly image: { readonly id: string; readonly name: string };
  readonly argv: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** The container's own directory on the host. */
  readonly directory: string;
  readonly log: LogReference;
}

/** Stands between containers and the drivers that keep their output. */
export class LogService {
  readonly #drivers: LogDriverSource;

  constructor(drivers: LogDriverSource) {
    this.#drivers = drivers;
  }

  /**
   * What the supervisor is told to do with the output; asked before each start.
   *
   * @throws HakoError `HAKO_ERR_PLUGIN_API_MISMATCH` when nobody would take it from there.
   */
  async open(container: LoggedContainer, options?: OperationOptions): Promise<LogSink> {
    const driver = await this.#drivers.driver(container.log);
    const sink = await driver.open(toLogContainerInfo(container), options);
    if (sink.kind === 'journal' && driver.writer === undefined) throw withoutWriter(container);
    return sink;
  }

  /**
   * What takes a container's output out of its journal.
   *
   * @throws HakoError `HAKO_ERR_PLUGIN_NOT_FOUND` when this runtime does not know the driver.
   */
  async writer(container: LoggedContainer, options?: OperationOptions): Promise<LogWriter> {
    const driver = await this.#drivers.driver(container.log);
    if (driver.writer === undefined) throw withoutWriter(container);
    return driver.writer(toLogContainerInfo(container), options);
  }

  /**
   * Reads a container's log back.
   *
   * @param ended settles when no more will be written
   * @throws HakoError `HAKO_ERR_LOG_NOT_READABLE`, `HAKO_ERR_INVALID_OPTION`
   */
  read(
    container: LoggedContainer,
    query: LogQuery,
    ended: Promise<unknown>,
    options?: OperationOptions,
  ): AsyncGenerator<LogEntry> {
    // A supervisor that was lost writes no more either. Taken at once: nobody else may be there to take a rejection.
    const settled = ended.then(
      () => {},
      () => {},
    );
    return this.#read(container, query, settled, options);
  }

  async *#read(
    container: LoggedContainer,
    query: LogQuery,
    ended: Promise<void>,
    options: OperationOptions | undefined,
  ): AsyncGenerator<LogEntry> {
    checkQuery(query);
    options?.signal?.throwIfAborted();
    const driver = await this.#drivers.driver(container.log);
    if (driver.read === undefined) {
      throw new HakoError(
        'LOG_NOT_READABLE',
        `The log of container '${container.name}' cannot be read back: its log driver '${container.log.driver}' does not keep it. Create the container with another one, such as json-file.`,
      );
    }
    yield* selectEntries(driver.read(toLogContainerInfo(container), query, ended, options), query);
  }

  /** Called when the supervisor has told of a rotation. */
  async rotated(container: LoggedContainer): Promise<void> {
    const driver = await this.#drivers.driver(container.log);
    await driver.rotated?.(toLogContainerInfo(container));
  }

  /** `LogPath` of `inspect`: empty when the driver has none. */
  async path(container: LoggedContainer): Promise<string> {
    const driver = await this.#drivers.driver(container.log);
    return driver.path?.(toLogContainerInfo(container)) ?? '';
  }
}

export function toLogContainerInfo(container: LoggedContainer): LogContainerInfo {
  const { id, name, createdAt, image, argv, env, labels, directory } = container;
  return {
    id,
    name,
    createdAt,
    labels,
    env,
    directory,
    command: argv.join(' '),
    imageId: image.id,
    imageName: image.name,
    hostname: hostname(),
  };
}

/** The attributes of a sink as the text that stands in each record; empty when there are none. */
export function attributesText(attributes: Readonly<Record<string, string>>): string {
  return Object.keys(attributes).length === 0 ? '' : goJson(attributes);
}

function withoutWriter({ name, log }: LoggedContainer): HakoError {
  return new HakoError(
    'PLUGIN_API_MISMATCH',
    `The log driver '${log.driver}' of container '${name}' has the output put into a journal, and no writer() that would take it out. Install a version of the plugin that has one.`,
  );
}

function checkQuery({ tail, since, until }: LogQuery): void {
  if (tail !== undefined && !(Number.isSafeInteger(tail) && tail >= 0)) {
    throw new HakoError(
      'INVALID_OPTION',
      `tail: ${tail} is not a number of lines; give 0 or more, or leave it out for all.`,
    );
  }
  if (since !== undefined && until !== undefined && since > until) {
    throw new HakoError(
      'INVALID_OPTION',
      'since is later than until, so that no line can lie between them; exchange the two.',
    );
  }
}
