import { chmodSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../base/errno.ts';
import { randomHex } from '../../base/random.ts';
import type { Trash } from '../../base/trash.ts';
import type { PluginContext } from '../../contracts/plugin-definition.ts';
import { recordFile } from './record.ts';

/** A directory that every active snapshot begins with. @public */
export interface SnapshotDirectory {
  readonly name: string;
  /** As in chmod(2). */
  readonly mode: number;
}

/** As many as a burst of containers is likely to start before new ones are made. */
const slots = ['0', '1', '2', '3'];

/** Milliseconds. */
const refillAfter = 1;

/**
 * Snapshots' directories that are made ahead of need, because making an inode can take ext4 half a millisecond and a
 * rename takes it none. They are on disk, so that a short-lived process finds what the last one left; a rename gives
 * each to one taker only.
 */
export class Spares implements Disposable {
  readonly #directory: string;
  readonly #content: readonly SnapshotDirectory[];
  readonly #warn: PluginContext['warn'];
  readonly #trash: Trash;
  readonly #full = new Set<string>();
  #refill: NodeJS.Timeout | undefined;

  constructor(context: PluginContext, content: readonly SnapshotDirectory[], trash: Trash) {
    this.#directory = join(context.directory, '.spare');
    this.#content = content;
    this.#warn = (message, cause) => context.warn(message, cause);
    this.#trash = trash;
  }

  open(): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#directory)) this.#full.add(name);
  }

  /** Makes `target` a snapshot's directory with nothing in it but what all have. */
  take(target: string): void {
    for (const slot of this.#full) {
      this.#full.delete(slot);
      if (this.#move(slot, target)) return;
    }
    this.#make(target);
  }

  /**
   * Makes new ones soon, by way of `staging`. For when a container has been removed: while one starts, Node is waited
   * for. Without trips to the thread pool, each of which would take longer than the whole, a fifth of a millisecond.
   */
  refill(staging: (id: string) => string): void {
    this.#refill ??= setTimeout(() => {
      this.#refill = undefined;
      try {
        if (this.#fillOne(staging)) this.refill(staging);
      } catch (error) {
        this.#warn('Directories for further snapshots could not be made ahead.', error);
      }
    }, refillAfter);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#refill);
  }

  #make(target: string): void {
    mkdirSync(target, { mode: 0o700 });
    writeFileSync(join(target, recordFile), '', { mode: 0o600 });
    for (const { name, mode } of this.#content) {
      mkdirSync(join(target, name));
      chmodSync(join(target, name), mode); // mkdir(2) heeds the umask
    }
  }

  #move(slot: string, target: string): boolean {
    try {
      renameSync(join(this.#directory, slot), target);
      return true;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return false; // another process took it
      throw error;
    }
  }

  /** @returns whether there are more to be made */
  #fillOne(staging: (id: string) => string): boolean {
    const [slot, ...others] = slots.filter((each) => !this.#full.has(each));
    if (slot === undefined) return false;
    const made = staging(randomHex(12));
    try {
      this.#make(made);
      renameSync(made, join(this.#directory, slot));
    } catch (error) {
      this.#trash.take(made);
      if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error; // another process has filled the slot
    }
    this.#full.add(slot);
    return others.length > 0;
  }
}
