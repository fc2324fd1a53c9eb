import type { ExitResult } from '../contracts/events.ts';
import type { SupervisorSession } from '../native/supervisor-session.ts';
import type { Attachment } from './attachment.ts';

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
