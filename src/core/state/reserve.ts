import { closeSync, constants, openSync, rmSync, statSync, writeSync } from 'node:fs';

/** Room for the write-ahead log to take the changes that make room: some dozens of pages. */
const size = 256 * 1024;

/**
 * A file that takes up space so that it can be given up. On a full disk a container can be removed only if its removal
 * can be written down first.
 */
export class Reserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Sets the space aside, where it is not yet. @returns false when there is not enough */
  fill(): boolean {
    if (statSync(this.#path, { throwIfNoEntry: false })?.size === size) return true;
    try {
      const fd = openSync(this.#path, constants.O_CREAT | constants.O_WRONLY | constants.O_TRUNC, 0o600);
      try {
        // Not sparse: it is to be taken from the disk now.
        return writeSync(fd, Buffer.alloc(size, 'hako\n')) === size;
      } finally {
        closeSync(fd);
      }
    } catch {
      // The disk is full already: what there is to give is less.
      return false;
    }
  }

  give(): void {
    rmSync(this.#path, { force: true });
  }
}
