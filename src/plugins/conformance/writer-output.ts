import type { LogEntry, LogWriter } from '../../contracts/log-driver.ts';
import { type LogOutput, piecesOf } from './sink-output.ts';

/** The entries that a journal would have of output. */
export function entriesOf(stream: LogEntry['stream'], text: string): LogEntry[] {
  return [...piecesOf(text)].map((piece) => {
    const partial = !piece.endsWith('\n');
    return {
      stream,
      time: BigInt(Date.now()) * 1_000_000n,
      line: Buffer.from(partial ? piece : piece.slice(0, -1)),
      partial,
    };
  });
}

/** Gives output to a driver's writer as hako does, so that a driver can be tested without a container. */
export function writerOutput(writer: LogWriter): LogOutput {
  return {
    write: (stream, text) => writer.write(entriesOf(stream, text)),
    [Symbol.asyncDispose]: async () => {
      await writer.flush?.();
      await writer[Symbol.asyncDispose]();
    },
  };
}
