import { pipeline } from 'node:stream/promises';
import { HakoError, hasHakoCode } from '../../base/errors.ts';
import type { Attachment } from '../../index.ts';
import type { CommandIo } from '../command.ts';
import { rawMode } from './raw-mode.ts';

/** The sizes of the caller's terminal, as the options of containers and execs name them; none when there is no terminal. */
export function terminalSizeOf({ stdout }: CommandIo): { terminalSize?: { rows: number; columns: number } } {
  return stdout.isTTY && stdout.rows > 0 && stdout.columns > 0
    ? { terminalSize: { rows: stdout.rows, columns: stdout.columns } }
    : {};
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` for a terminal that nobody could type into */
export function requireTerminal(
  { interactive, tty }: { readonly interactive: boolean; readonly tty: boolean },
  { stdin }: CommandIo,
): void {
  if (interactive && tty && !stdin.isTTY)
    throw new HakoError('INVALID_OPTION', 'The input is not a terminal; leave out -t to feed the program from it.');
}

/**
 * Joins the caller's own stdio to a program's until that ends: raw mode and window size for a tty.
 *
 * @returns its exit code; null when the detach keys were typed
 */
export async function connectTerminal(
  attachment: Attachment,
  { interactive, tty }: { readonly interactive: boolean; readonly tty: boolean },
  io: CommandIo,
): Promise<number | null> {
  const resize = () => attachment.resize({ rows: io.stdout.rows, columns: io.stdout.columns });
  const raw = tty && interactive && io.stdin.isTTY ? rawMode(io.stdin) : undefined;
  if (tty && io.stdout.isTTY) {
    resize();
    io.stdout.on('resize', resize);
  }
  // A program that stops reading is no failure of ours.
  if (interactive) pipeline(io.stdin, attachment.stdin).catch(() => {});
  try {
    const [exit] = await Promise.all([
      attachment.exited,
      pipeline(attachment.stdout, io.stdout, { end: false }),
      pipeline(attachment.stderr, io.stderr, { end: false }),
    ]);
    return exit.exitCode;
  } catch (error) {
    if (hasHakoCode(error, 'HAKO_ERR_DETACHED')) return null;
    throw error;
  } finally {
    io.stdout.off('resize', resize);
    // Before stdin is closed, which has the terminal.
    raw?.[Symbol.dispose]();
    // Without this an open stdin keeps the process waiting for a key after the program has ended.
    if (interactive) io.stdin.destroy();
  }
}
