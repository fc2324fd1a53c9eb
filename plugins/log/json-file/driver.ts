import { join } from 'node:path';
import {
  type LogContainerInfo,
  type LogDriver,
  type LogEntry,
  type LogQuery,
  type LogSink,
  type OperationOptions,
  type PluginContext,
  selectLogAttributes,
} from 'libhako/plugin';
import { compressRotated, removeLeftovers } from './compressor.ts';
import type { JsonFileSettings } from './options.ts';
import { readLog } from './read.ts';

export class JsonFileDriver implements LogDriver {
  readonly #settings: JsonFileSettings;
  readonly #context: Pick<PluginContext, 'native' | 'signal' | 'warn'>;
  /** The compression that goes on for a log, by its path; the next one waits for it. */
  readonly #compressing = new Map<string, Promise<void>>();

  constructor(context: Pick<PluginContext, 'native' | 'signal' | 'warn'>, settings: JsonFileSettings) {
    this.#context = context;
    this.#settings = settings;
  }

  async open(container: LogContainerInfo, options: OperationOptions = {}): Promise<LogSink> {
    options.signal?.throwIfAborted();
    const { maxSize, maxFiles, compress } = this.#settings;
    if (compress) {
      await removeLeftovers(this.path(container));
      // Those that were rotated while no Node process was there. The start of the container need not wait for it.
      void this.rotated(container);
    }
    return {
      kind: 'json-file',
      fileName: fileName(container),
      maxSize,
      maxFiles,
      compress,
      attributes: this.#attributes(container),
    };
  }

  #attributes(container: LogContainerInfo): Record<string, string> {
    const attributes = selectLogAttributes(container, this.#settings);
    const tag = this.#settings.tag?.render(container) ?? '';
    return tag === '' ? attributes : { ...attributes, tag };
  }

  async *read(
    container: LogContainerInfo,
    query: LogQuery,
    ended: Promise<void>,
    options: OperationOptions = {},
  ): AsyncGenerator<LogEntry> {
    const source = {
      path: this.path(container),
      maxFiles: this.#settings.maxFiles,
      warn: (message: string, cause?: unknown) => this.#context.warn(message, cause),
    };
    for await (const batch of readLog(source, query, ended, options.signal)) yield* batch;
  }

  rotated(container: LogContainerInfo): Promise<void> {
    const path = this.path(container);
    const work = (this.#compressing.get(path) ?? Promise.resolve()).then(() => this.#compress(path));
    this.#compressing.set(path, work);
    return work.finally(() => {
      if (this.#compressing.get(path) === work) this.#compressing.delete(path);
    });
  }

  // A file that stays uncompressed is no loss: it is tried again at the next rotation.
  async #compress(path: string): Promise<void> {
    const { native, signal } = this.#context;
    try {
      await compressRotated(path, this.#settings.maxFiles, native, signal);
    } catch (error) {
      if (!signal.aborted)
        this.#context.warn(`A rotated file of ${path} could not be compressed; it stays as it is for now.`, error);
    }
  }

  path(container: LogContainerInfo): string {
    return join(container.directory, fileName(container));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#compressing.values());
  }
}

function fileName(container: LogContainerInfo): string {
  return `${container.id}-json.log`;
}
