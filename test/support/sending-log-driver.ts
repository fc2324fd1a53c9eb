import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { definePlugin, type LogContainerInfo, type LogEntry, type LogWriter } from 'libhako/plugin';
import { z } from 'zod';

/** A log driver that sends output away: to a file, which stands for a far end. A file `<path>.down` beside it breaks that. */
export const sending = definePlugin({
  kind: 'log',
  id: 'sending',
  api: 1,
  options: z.object({
    path: z.string(),
    capacity: z.number().default(1 << 20),
    mode: z.enum(['blocking', 'non-blocking']).default('blocking'),
    /** Milliseconds that each batch takes. */
    delay: z.number().default(0),
    /** The far end never answers. */
    hangs: z.boolean().default(false),
  }),
  create: async (_context, options) => ({
    open: async () => ({ kind: 'journal' as const, capacity: options.capacity, mode: options.mode }),
    writer: async (container): Promise<LogWriter> => ({
      write: async (entries) => {
        if (options.hangs) await new Promise(() => {});
        if (options.delay > 0) await delay(options.delay);
        if (existsSync(`${options.path}.down`)) throw new Error('the far end is down');
        appendFileSync(options.path, entries.map((entry) => toLine(container, entry)).join(''));
      },
      [Symbol.asyncDispose]: async () => {},
    }),
    [Symbol.asyncDispose]: async () => {},
  }),
});

function toLine({ id }: LogContainerInfo, { line, time, ...entry }: LogEntry): string {
  return `${JSON.stringify({ id, ...entry, time: String(time), line: Buffer.from(line).toString('base64') })}\n`;
}

/** What has arrived of a container's output, or of all. */
export function sent(path: string, id?: string): LogEntry[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((text) => JSON.parse(text) as Record<string, string>)
    .filter((record) => id === undefined || record['id'] === id)
    .map(({ stream, time, line, partial }) => ({
      stream: stream as LogEntry['stream'],
      time: BigInt(time ?? 0),
      line: Buffer.from(line ?? '', 'base64'),
      partial: Boolean(partial),
    }));
}

export const sentTexts = (path: string): string[] => sent(path).map(({ line }) => Buffer.from(line).toString());
