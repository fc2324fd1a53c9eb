import { type LogEntry, parseRfc3339 } from 'libhako/plugin';
import { z } from 'zod';
import { leadingNuls, newline, startsWith } from './bytes.ts';
import { backslash, copy, unescapeJson } from './json-string.ts';
import { TimeDecoder } from './time-decoder.ts';

const head = Buffer.from('{"log":"');
const afterLog = Buffer.from(',"stream":"std');
const beforeTime = Buffer.from(',"time":"');
const recordEnd = Buffer.from('"}');
const attributesHead = Buffer.from(',"attrs":');

const recordSchema = z.object({
  log: z.string().default(''),
  stream: z.enum(['stdout', 'stderr']),
  time: z
    .string()
    .transform(parseRfc3339)
    .refine((time) => time !== null),
  attrs: attributesSchema().optional(),
});

function attributesSchema() {
  return z.record(z.string(), z.string());
}

const quote = 0x22;
const letterN = 0x6e;
const space = 0x20;

/**
 * Decodes records of a json-file log. The form that Docker and hako write is taken apart byte by byte; whatever else
 * is JSON with the same keys goes the slow way. What is neither is no record.
 */
export class RecordDecoder {
  readonly #time = new TimeDecoder();
  #attributesText: Buffer = Buffer.alloc(0);
  #attributes: Readonly<Record<string, string>> | undefined;

  /** The record in `bytes` from `start` to `end` (its newline not counted), or null. The bytes are copied. */
  decode(bytes: Buffer, start: number, end: number): LogEntry | null {
    const first = start + leadingNuls(bytes, start, end);
    if (first === end) return null;
    return (
      this.#decodeFast(bytes, first, end) ?? decodeSlowly(bytes, first, end) ?? this.#resynchronize(bytes, first, end)
    );
  }

  // A record may follow what a crash left of another. Its head cannot stand inside a value: quotes are escaped there.
  #resynchronize(bytes: Buffer, start: number, end: number): LogEntry | null {
    const next = bytes.subarray(start, end).lastIndexOf(head) + start;
    if (next <= start) return null;
    return this.#decodeFast(bytes, next, end) ?? decodeSlowly(bytes, next, end);
  }

  #decodeFast(bytes: Buffer, start: number, end: number): LogEntry | null {
    if (!startsWith(bytes, start, end, head)) return null;
    const log = start + head.length;
    let at = log;
    let escapes = 0;
    let lastEscape = -1;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === quote) break;
      if (byte < space) return null;
      if (byte === backslash) {
        escapes++;
        lastEscape = at++;
      }
    }
    const logEnd = at;
    at++;
    if (!startsWith(bytes, at, end, afterLog)) return null;
    at += afterLog.length;
    const stream = streamOf(bytes, at);
    if (stream === null) return null;
    at += 4;
    const timeAt = startsWith(bytes, at, end, attributesHead) ? bytes.lastIndexOf(beforeTime, end - 1) : at;
    if (timeAt < at) return null;
    const time = startsWith(bytes, timeAt, end, beforeTime)
      ? this.#time.decode(bytes, timeAt + beforeTime.length, end - recordEnd.length)
      : null;
    if (time === null || !startsWith(bytes, end - recordEnd.length, end, recordEnd)) return null;
    const attributes = timeAt === at ? undefined : this.#decodeAttributes(bytes, at + attributesHead.length, timeAt);
    if (attributes === null) return null;

    const text = decodeText(bytes, log, logEnd, escapes, lastEscape);
    if (text === null) return null;
    const { line, partial } = text;
    return attributes === undefined ? { stream, time, line, partial } : { stream, time, line, partial, attributes };
  }

  // They are the same in every record of a container's run.
  #decodeAttributes(bytes: Buffer, start: number, end: number): Readonly<Record<string, string>> | null {
    if (
      this.#attributes !== undefined &&
      bytes.compare(this.#attributesText, 0, this.#attributesText.length, start, end) === 0
    )
      return this.#attributes;
    const parsed = attributesSchema().safeParse(parseJson(bytes.toString('utf8', start, end)));
    if (!parsed.success) return null;
    this.#attributesText = Buffer.from(bytes.subarray(start, end));
    this.#attributes = parsed.data;
    return parsed.data;
  }
}

/** `out"` or `err"`. */
function streamOf(bytes: Buffer, at: number): LogEntry['stream'] | null {
  if (bytes[at + 3] !== quote) return null;
  if (bytes[at] === 0x6f && bytes[at + 1] === 0x75 && bytes[at + 2] === 0x74) return 'stdout';
  if (bytes[at] === 0x65 && bytes[at + 1] === 0x72 && bytes[at + 2] === 0x72) return 'stderr';
  return null;
}

/** The text of a log value, without the newline that ends a whole line. */
function decodeText(
  bytes: Buffer,
  start: number,
  end: number,
  escapes: number,
  lastEscape: number,
): Pick<LogEntry, 'line' | 'partial'> | null {
  if (escapes === 0) return { line: copy(bytes, start, end), partial: true };
  // Nearly every line is like this: its newline is the one thing escaped.
  if (escapes === 1 && lastEscape === end - 2 && bytes[end - 1] === letterN) {
    return { line: copy(bytes, start, end - 2), partial: false };
  }
  const text = unescapeJson(bytes, start, end);
  if (text === null) return null;
  return text.at(-1) === newline ? { line: text.subarray(0, -1), partial: false } : { line: text, partial: true };
}

function decodeSlowly(bytes: Buffer, start: number, end: number): LogEntry | null {
  const record = recordSchema.safeParse(parseJson(bytes.toString('utf8', start, end)));
  if (!record.success) return null;
  const { log, stream, time, attrs } = record.data;
  const partial = !log.endsWith('\n');
  const line = Buffer.from(partial ? log : log.slice(0, -1));
  return attrs === undefined ? { stream, time, line, partial } : { stream, time, line, partial, attributes: attrs };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
