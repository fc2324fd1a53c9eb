import { appendFileSync, existsSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { goJson } from '../../base/go-json.ts';
import { formatRfc3339 } from '../../base/rfc3339.ts';
import type { LogSink } from '../../contracts/log-driver.ts';

/** Where the supervisor splits a line. */
const pieceLength = 16 * 1024;

/** A container's output on its way into a sink. @public */
export interface LogOutput extends AsyncDisposable {
  /** Resolves when all of it has been written; whole lines only. */
  write(stream: 'stdout' | 'stderr', text: string): Promise<void>;
}

/**
 * Does in Node what the supervisor does with output, so that a driver can be tested without a container.
 *
 * @param rotated - is called after a file was rotated
 * @public
 */
export function sinkOutput(sink: LogSink, directory: string, rotated: () => void): LogOutput {
  const writer = sink.kind === 'json-file' ? new JsonFileSinkWriter(sink, directory, rotated) : null;
  return {
    write: async (stream, text) => {
      for (const piece of piecesOf(text)) writer?.write({ log: piece, stream, time: BigInt(Date.now()) * 1_000_000n });
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function* piecesOf(text: string): Generator<string> {
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
  readonly #rotated: () => void;

  constructor(sink: LogSink & { readonly kind: 'json-file' }, directory: string, rotated: () => void) {
    this.#sink = sink;
    this.#path = join(directory, sink.fileName);
    this.#rotated = rotated;
    appendFileSync(this.#path, '', { mode: 0o640 });
  }

  write(record: JsonFileRecord): void {
    const { maxSize, maxFiles, attributes } = this.#sink;
    if (maxSize !== null && statSync(this.#path).size >= maxSize) {
      rotateFiles(this.#path, maxFiles);
      this.#rotated();
    }
    appendFileSync(this.#path, jsonFileRecord(record, attributes));
  }
}

/** Moves each file of a log one number up and begins a new one, in the supervisor's order. */
export function rotateFiles(path: string, maxFiles: number): void {
  const fresh = `${path}.new`;
  writeFileSync(fresh, '', { mode: 0o640 });
  for (let index = maxFiles - 1; index > 0; index--) {
    for (const suffix of ['', '.gz']) {
      const name = `${path}.${index}${suffix}`;
      if (!existsSync(name)) continue;
      if (index === maxFiles - 1) unlinkSync(name);
      else renameSync(name, `${path}.${index + 1}${suffix}`);
    }
  }
  if (maxFiles > 1) renameSync(path, `${path}.1`);
  renameSync(fresh, path);
}
