import { createWriteStream, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { HakoError } from '../base/errors.ts';

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` when it cannot be read */
export function readText(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw failure(path, option, 'cannot be read', cause);
  }
}

/**
 * The lines of a file of `NAME=value`: without those that are empty or begin with `#`. As in Docker's, quotes are part of
 * a value.
 */
export function readPairLines(path: string, option: string): readonly string[] {
  return readText(path, option)
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** A file that must not be there yet, and goes again unless it is written. @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function reserveFile(path: string, option: string): Disposable & { write(text: string): void } {
  let isWritten = false;
  try {
    writeFileSync(path, '', { flag: 'wx' });
  } catch (cause) {
    throw failure(path, option, 'cannot be made', cause);
  }
  return {
    write: (text) => {
      writeFileSync(path, text);
      isWritten = true;
    },
    [Symbol.dispose]: () => {
      if (!isWritten) rmSync(path, { force: true });
    },
  };
}

export function writeStream(path: string): Writable {
  return createWriteStream(path, { mode: 0o600 });
}

function failure(path: string, option: string, what: string, cause: unknown): HakoError {
  const { code } = cause as NodeJS.ErrnoException;
  return new HakoError('INVALID_OPTION', `${option}: '${path}' ${what}${code === undefined ? '' : ` (${code})`}.`, {
    cause,
    path,
    ...(code === undefined ? {} : { errno: code }),
  });
}
