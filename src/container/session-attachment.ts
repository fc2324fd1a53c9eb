import { Writable } from 'node:stream';
import { HakoError } from '../base/errors.ts';
import type { ExitResult } from '../contracts/events.ts';
import type { SupervisorSession } from '../native/supervisor-session.ts';
import type { Attachment } from './attachment.ts';
import { DetachKeys, defaultDetachKeys, parseDetachKeys } from './detach-keys.ts';

/**
 * A session, as users see it.
 *
 * @param close - what closing means: an attachment's own session is closed, the owner's session is not
 */
export function sessionAttachment(
  session: SupervisorSession,
  exited: Promise<ExitResult>,
  close: () => Promise<void>,
): Attachment {
  return {
    stdin: session.stdin,
    stdout: session.stdout,
    stderr: session.stderr,
    exited,
    resize: ({ rows, columns }) => session.resize(rows, columns),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Which keys end an attachment: those that were chosen, else Docker's for a terminal that is fed. Null: none. */
export function detachKeysFor(
  chosen: string | undefined,
  { tty, stdin }: { readonly tty: boolean; readonly stdin: boolean },
): Buffer | null {
  if (!stdin) return null;
  const keys = parseDetachKeys(chosen ?? (tty ? defaultDetachKeys : ''));
  return keys.length === 0 ? null : keys;
}

/** The same attachment, which leaves the program alone when the keys are typed. */
export function detachable<A extends Attachment>(attachment: A, keys: Buffer, leave: () => Promise<void>): A {
  const detached = Promise.withResolvers<never>();
  const exited = Promise.race([attachment.exited, detached.promise]);
  exited.catch(() => {});
  const search = new DetachKeys(keys);
  const { stdin: inner } = attachment;
  const stdin: Writable = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const { data, found } = search.take(chunk);
      if (!found) {
        write(inner, data, done);
        return;
      }
      write(inner, data, () => {
        detached.reject(new HakoError('DETACHED', 'The detach keys were typed: the program goes on by itself.'));
        void leave();
        done();
        stdin.destroy();
      });
    },
    final: (done) => write(inner, search.end(), () => inner.end(done)),
    destroy: (error, done) => {
      inner.destroy();
      done(error);
    },
  });
  // As that of the session: that the program reads no more is told by its exit.
  stdin.on('error', () => {});
  return { ...attachment, stdin, exited };
}

function write(stream: Writable, data: Buffer, done: (error?: Error | null) => void): void {
  if (data.length === 0) done();
  else stream.write(data, done);
}
