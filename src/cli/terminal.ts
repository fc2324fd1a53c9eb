import { pipeline } from 'node:stream/promises';
import type { Attachment } from '../index.ts';
import type { CommandIo } from './command.ts';

/**
 * Joins the caller's own stdio to a program's until it ends: raw mode and window size for a tty.
 *
 * @returns its exit code
 */
export async function connectTerminal(
  attachment: Attachment,
  { interactive, tty }: { interactive: boolean; tty: boolean },
  io: CommandIo,
): Promise<number> {
  const resize = () => attachment.resize({ rows: io.stdout.rows, columns: io.stdout.columns });
  const raw = tty && interactive && io.stdin.isTTY;
  if (raw) io.stdin.setRawMode(true);
  if (tty && io.stdout.isTTY) {
    resize();
    io.stdout.on('resize', resize);
  }
  if (interactive) {
    // A program that stops reading is no failure of ours.
    pipeline(io.stdin, attachment.stdin).catch(() => {});
  }
  try {
    const [exit] = await Promise.all([
      attachment.exited,
      pipeline(attachment.stdout, io.stdout, { end: false }),
      pipeline(attachment.stderr, io.stderr, { end: false }),
    ]);
    return exit.exitCode;
  } finally {
    io.stdout.off('resize', resize);
    if (raw) io.stdin.setRawMode(false);
    // Without this an open stdin keeps the process waiting for a key after the program has ended.
    if (interactive) io.stdin.destroy();
  }
}
