import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpCheck } from './http-options.ts';
import { Output } from './output.ts';
import type { Finding } from './prober.ts';

/** Of a response's status line and headers, in bytes; node's own default, whatever it is started with. */
const maxHeaderSize = 16_384;

/**
 * Asks over a connection that is there already, and closes it. The status decides: a redirect is not followed, and a body
 * is read only to tell of a failure. What the other side may do is bounded by `signal` in time, and in memory by the sizes of a
 * header and of a {@link Finding}.
 */
export async function checkHttp(
  socket: Socket,
  { port, path, status, headers }: HttpCheck,
  signal: AbortSignal,
): Promise<Finding> {
  try {
    const response = await responseTo(socket, {
      path,
      headers: { host: `localhost:${port}`, 'user-agent': 'hako-healthcheck', accept: '*/*', ...headers },
      signal,
    });
    const { statusCode = 0, statusMessage = '' } = response;
    const output = new Output();
    output.add(Buffer.from(`${statusCode} ${statusMessage}\n`));
    const [lowest, highest] = status;
    if (statusCode >= lowest && statusCode <= highest) return { exitCode: 0, output: output.text() };
    await readInto(output, response);
    return { exitCode: 1, output: output.text() };
  } finally {
    socket.destroy();
  }
}

interface Question {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

function responseTo(socket: Socket, question: Question): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ ...question, maxHeaderSize, createConnection: () => socket })
      .on('response', resolve)
      // A protocol that was not asked for.
      .on('upgrade', () => reject(new Error('The server switches to another protocol than HTTP.')))
      .on('error', reject)
      .end();
  });
}

/** As much as will be told. A body that breaks off says what it has said. */
async function readInto(output: Output, response: IncomingMessage): Promise<void> {
  try {
    for await (const chunk of response) {
      output.add(chunk as Buffer);
      if (output.isFull) return;
    }
  } catch {
    // The status has told already; a check that takes too long is told by its signal.
  }
}
