import type { Readable } from 'node:stream';
import { HakoError } from '../base/errors.ts';
import type { Attachment, ProgramResult } from './attachment.ts';

/** Output that a call keeps in memory unless told otherwise, for each stream: enough for what people look at. */
export const defaultMaxOutput = 16 * 1024 * 1024;

/**
 * Reads a program's output to its end.
 *
 * @throws HakoError `HAKO_ERR_OUTPUT_TOO_LARGE` when a stream goes past `maxOutput` bytes.
 */
export async function collect(attachment: Attachment, maxOutput: number): Promise<ProgramResult> {
  const [exit, stdout, stderr] = await Promise.all([
    attachment.exited,
    gather(attachment.stdout, 'stdout', maxOutput),
    gather(attachment.stderr, 'stderr', maxOutput),
  ]);
  return { ...exit, stdout, stderr };
}

/** By events, not by `for await`: this is on the path of every short run, and costs a third. */
function gather(stream: Readable, name: string, maxOutput: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxOutput) {
        stream.destroy(
          new HakoError(
            'OUTPUT_TOO_LARGE',
            `The program wrote more than ${maxOutput} bytes to ${name}. Raise maxOutput, or read the stream of startExec() or attach() piece by piece.`,
          ),
        );
        return;
      }
      chunks.push(chunk);
    });
    stream.on('end', () => resolve(Buffer.concat(chunks, length)));
    stream.on('error', reject);
  });
}
