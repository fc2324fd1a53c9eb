import { appendFileSync, readdirSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { goJson } from '../../base/go-json.ts';
import { formatRfc3339 } from '../../base/rfc3339.ts';
import type { LogSink } from '../../contracts/log-driver.ts';
import type { NativeServices } from '../../contracts/native-services.ts';

/** Where the supervisor splits a line. */
const pieceLength = 16 * 1024;

/** A container's output on its way into a sink. @public */
export interface LogOutput extends AsyncDisposable {
  /** Resolves when all of it has been written; whole lines only. */
  write(stream: 'stdout' | 'stderr', text: string): Promise<void>;
}

/** What a sink has to do with the rest of hako. @public */
export interface SinkSurroundings {
  /** To be called after a file was rotated, when the sink asks for compression. */
  rotated(): void;
  /** While somebody has the lock `log.lock` of the directory, nothing is rotated. */
  readonly lock: NativeServices['lock'];
}

/**
 * Does in Node what the supervisor does with output, so that a driver can be tested without a container. What would
 * go into a journal goes nowhere: the kit gives it to the driver's writer.
 *
 * @public
 */
export function sinkOutput(sink: LogSink, directory: string, surroundings: SinkSurroundings): LogOutput {
  const writer = sink.kind === 'json-file' ? new JsonFileSinkWriter(sink, directory, surroundings) : null;
  return {
    write: async (stream, text) => {
      for (const piece of piecesOf(text)) {
        await writer?.write({ log: piece, stream, time: BigInt(Date.now()) * 1_000_000n });
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** As the supervisor splits output into records. */
export function* piecesOf(text: string): Generator<string> {
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    for (let start = 0; start < line.length; start += pieceLength) {
      // A newline alone is no piece of its own.
      const end = line.length - start === pieceLength + 1 ? line.length : start + pieceLength;
      yield line.slice(start, end);
      if (end === line.length) break;
    }
  }
}

/** One record of a `json-file` sink. */
export interface JsonFileRecord {
  /** With its newline, unless more of the line follows. */
  readonly log: string;
  readonly stream: 'stdout' | 'stderr';
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
}

/** The text of a record: Docker's, key by key. */
export function jsonFileRecord(
  { log, stream, time }: JsonFileRecord,
  attributes: Readonly<Record<string, string>> = {},
): string {
  const value = goJson({ log }).slice('{"log":'.length, -1);
  const attrs = Object.keys(attributes).length === 0 ? '' : `,"attrs":${goJson(attributes)}`;
  return `{"log":${value},"stream":"${stream}"${attrs},"time":"${formatRfc3339(time, 'short')}"}\n`;
}

class JsonFileSinkWriter {
  readonly #sink: LogSink & { readonly kind: 'json-file' };
  readonly #path: string;
  readonly #surroundings: SinkSurroundings;

  constructor(sink: LogSink & { readonly kind: 'json-file' }, directory: string, surroundings: SinkSurroundings) {
    this.#sink = sink;
    this.#path = join(directory, sink.fileName);
    this.#surroundings = surroundings;
    appendFileSync(this.#path, '', { mode: 0o640 });
  }

  async write(record: JsonFileRecord): Promise<void> {
    const { maxSize, attributes } = this.#sink;
    if (maxSize !== null && statSync(this.#path).size >= maxSize) await this.#rotate();
    appendFileSync(this.#path, jsonFileRecord(record, attributes));
  }

  async #rotate(): Promise<void> {
    if (!this.#sink.compress) return rotateFiles(this.#path, this.#sink.maxFiles);
    const lock = await this.#surroundings.lock(join(dirname(this.#path), 'log.lock'));
    if (lock === null) return;
    rotateFiles(this.#path, this.#sink.maxFiles);
    await lock[Symbol.asyncDispose]();
    this.#surroundings.rotated();
  }
}

/** Moves each file of a log one number up and begins a new one, in the supervisor's order. */
export function rotateFiles(path: string, maxFiles: number): void {
  const fresh = `${path}.new`;
  writeFileSync(fresh, '', { mode: 0o640 });
  const rotated = readdirSync(dirname(path)).flatMap((name) => {
    const [, index, suffix = ''] = name.startsWith(`${basename(path)}.`) ? (/\.(\d+)(\.gz)?$/.exec(name) ?? []) : [];
    return index === undefined ? [] : [{ index: Number(index), suffix }];
  });
  for (const { index, suffix } of rotated.sort((a, b) => b.index - a.index)) {
    if (index >= maxFiles - 1) unlinkSync(`${path}.${index}${suffix}`);
    else renameSync(`${path}.${index}${suffix}`, `${path}.${index + 1}${suffix}`);
  }
  if (maxFiles > 1) renameSync(path, `${path}.1`);
  renameSync(fresh, path);
}
