import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { HakoError } from '../base/errors.ts';

/** Where a runtime keeps what it has, by name. */
export interface RuntimePaths {
  readonly root: string;
  readonly database: string;
  readonly containers: string;
  readonly content: string;
  /** Of directories that are made ahead of need. */
  readonly spare: string;
  /** Of what was removed, until its files are gone. */
  readonly trash: string;
  /** A file for each copy that is under way. */
  readonly copies: string;
  /** A locked file for each runtime that has the root open. */
  readonly claims: string;
}

/** `$HAKO_ROOT`; else `/var/lib/hako` for root, `$XDG_DATA_HOME/hako` or `~/.local/share/hako` for an ordinary user. */
export function defaultRoot(): string {
  const chosen = process.env['HAKO_ROOT'];
  if (chosen !== undefined && chosen !== '') return chosen;
  if (process.getuid?.() === 0) return '/var/lib/hako';
  const data = process.env['XDG_DATA_HOME'];
  return join(data?.startsWith('/') ? data : join(homedir(), '.local/share'), 'hako');
}

/**
 * Makes the root's directories, closed to everybody else: layers hold set-uid programs of strangers (CVE-2021-41091).
 *
 * @throws HakoError `HAKO_ERR_PERMISSION_DENIED` when it belongs to another user or cannot be made; `HAKO_ERR_STATE_UNAVAILABLE` when its disk is full.
 */
export function prepareRoot(root: string): RuntimePaths {
  const absolute = resolve(root);
  const paths = {
    root: absolute,
    database: join(absolute, 'hako.db'),
    containers: join(absolute, 'containers'),
    content: join(absolute, 'content'),
    spare: join(absolute, 'spare'),
    trash: join(absolute, 'trash'),
    copies: join(absolute, 'copies'),
    claims: join(absolute, 'claims'),
  };
  try {
    mkdirSync(absolute, { recursive: true, mode: 0o700 });
    if (statSync(absolute).uid !== process.getuid?.()) {
      throw new HakoError(
        'PERMISSION_DENIED',
        `${absolute} belongs to another user. Choose a directory of your own: Runtime.open({ root }).`,
        { path: absolute },
      );
    }
    // Root of a user namespace may have been let pass through, as a group; nobody else ever is.
    if ((statSync(absolute).mode & 0o067) !== 0) chmodSync(absolute, 0o700);
    mkdirSync(paths.containers, { recursive: true, mode: 0o700 });
    mkdirSync(paths.content, { recursive: true, mode: 0o700 });
    mkdirSync(paths.claims, { recursive: true, mode: 0o700 });
  } catch (cause) {
    if (cause instanceof HakoError) throw cause;
    const errno = (cause as NodeJS.ErrnoException).code;
    const isFull = errno === 'ENOSPC' || errno === 'EDQUOT';
    throw new HakoError(
      isFull ? 'STATE_UNAVAILABLE' : 'PERMISSION_DENIED',
      `The root ${absolute} cannot be made: ${(cause as Error).message}. ${isFull ? 'Make room on its disk, or choose' : 'Choose'} a directory that you can write: Runtime.open({ root }).`,
      {
        cause,
        path: absolute,
        operation: 'mkdir',
        ...(errno === undefined ? {} : { errno }),
      },
    );
  }
  return paths;
}
