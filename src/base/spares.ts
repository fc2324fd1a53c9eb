import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from './errno.ts';
import type { Trash } from './trash.ts';

/** As many as a burst of containers is likely to start before new ones are made. */
const slots = ['0', '1', '2', '3'];

/** Milliseconds: longer than what is still to be done for whoever waits for the removal after which they are made. */
const refillAfter = 5;

export interface SparesParts {
  /** Where they are kept, on the filesystem of all targets. */
  readonly directory: string;
  /** Makes one, of a name that is not there. */
  make(target: string): void;
  /** A name for one in the making, cleared away by others if this process is killed. */
  staging(): string;
  readonly trash: Trash;
  warn(error: unknown): void;
}

/**
 * Directories that are made ahead of need, because making an inode can take ext4 half a millisecond and a rename takes
 * it none. They are on disk, so that a short-lived process finds what the last one left; a rename gives each to one
 * taker only.
 */
export class Spares implements Disposable {
  readonly #parts: SparesParts;
  readonly #full = new Set<string>();
  #refill: NodeJS.Timeout | undefined;

  constructor(parts: SparesParts) {
    this.#parts = parts;
  }

  open(): void {
    mkdirSync(this.#parts.directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#parts.directory)) this.#full.add(name);
  }

  /** Makes `target` such a directory. */
  take(target: string): void {
    for (const slot of this.#full) {
      this.#full.delete(slot);
      if (this.#move(slot, target)) return;
    }
    this.#parts.make(target);
  }

  /**
   * Makes new ones soon. For when a container has been removed: while one starts, Node is waited for. Without trips to
   * the thread pool, each of which would take longer than the whole, a fifth of a millisecond.
   */
  refill(): void {
    this.#refill ??= setTimeout(() => {
      this.#refill = undefined;
      try {
        if (this.#fillOne()) this.refill();
      } catch (error) {
        this.#parts.warn(error);
      }
    }, refillAfter);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#refill);
  }

  #move(slot: string, target: string): boolean {
    try {
      renameSync(join(this.#parts.directory, slot), target);
      return true;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return false; // another process took it
      throw error;
    }
  }

  /** @returns whether there are more to be made */
  #fillOne(): boolean {
    const [slot, ...others] = slots.filter((each) => !this.#full.has(each));
    if (slot === undefined) return false;
    const { directory, make, staging, trash } = this.#parts;
    const made = staging();
    try {
      make(made);
      renameSync(made, join(directory, slot));
    } catch (error) {
      trash.take(made);
      if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error; // another process has filled the slot
    }
    this.#full.add(slot);
    return others.length > 0;
  }
}
