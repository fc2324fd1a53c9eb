import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { hasErrno } from '../../base/errno.ts';
import { randomHex } from '../../base/random.ts';
import { isMakerAlive, makerPrefix } from '../../host/process-identity.ts';

const sweepSchema = z.object({ directory: z.string(), below: z.boolean() });

const intentSchema = z.object({
  /** Where files are copied to; null: to the host. */
  container: z.string().nullable(),
  /** Where one that was cut short may have left a file, see `temporary`. */
  places: z.array(sweepSchema).min(1),
  /** What a file is called until it is whole. */
  temporary: z.string().regex(/^\.hako-[0-9a-f]{32}$/),
});

/** A directory in which a copy makes files; `below`: and in any directory below it. */
export type CopyPlace = z.infer<typeof sweepSchema>;

export type CopyIntent = z.infer<typeof intentSchema>;

/** A copy that was begun, and by a process that is no more. */
export interface LeftCopy {
  /** null: what was written down of it cannot be read. */
  readonly intent: CopyIntent | null;
  forget(): void;
}

/** Ends the name of a file that is being written. */
const half = '.half';

/**
 * Copies that are under way, written down in a file each, so that what a killed process has left of one is taken away by
 * whoever opens the root next.
 */
export class CopyIntents {
  readonly #directory: string;
  readonly #warn: (message: string, cause?: unknown) => void;

  constructor(directory: string, warn: (message: string, cause?: unknown) => void) {
    this.#directory = directory;
    this.#warn = warn;
  }

  begin(container: CopyIntent['container'], places: readonly CopyPlace[]): CopyIntent & { end(): void } {
    const intent: CopyIntent = { container, places: [...places], temporary: `.hako-${randomHex(16)}` };
    const file = join(this.#directory, `${makerPrefix()}${randomHex(8)}`);
    try {
      mkdirSync(this.#directory, { mode: 0o700, recursive: true });
      writeFileSync(file + half, JSON.stringify(intent), { flag: 'wx', mode: 0o600 });
      renameSync(file + half, file);
    } catch (error) {
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
      // What is copied out may be what is to make room.
      rmSync(file + half, { force: true });
      this.#warn(
        'A copy could not be written down before it was begun: if this process is killed, a file may stay.',
        error,
      );
    }
    return { ...intent, end: () => rmSync(file, { force: true }) };
  }

  left(): readonly LeftCopy[] {
    const dead = this.#names().filter((name) => !isMakerAlive(name));
    // Of copies that had not begun.
    for (const name of dead) if (name.endsWith(half)) rmSync(join(this.#directory, name), { force: true });
    return dead
      .filter((name) => !name.endsWith(half))
      .flatMap((name) => {
        const file = join(this.#directory, name);
        const text = readIfThere(file);
        return text === null ? [] : [{ intent: parseIntent(text), forget: () => rmSync(file, { force: true }) }];
      });
  }

  #names(): readonly string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }
}

/** null: another runtime has seen to it meanwhile. */
function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

function parseIntent(text: string): CopyIntent | null {
  try {
    return intentSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
