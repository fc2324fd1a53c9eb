import { chmodSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasErrno } from '../../base/errno.ts';
import { randomHex } from '../../base/random.ts';
import type { Trash } from '../../base/trash.ts';
import type { PluginContext } from '../../contracts/plugin-definition.ts';
import { recordFile } from './record.ts';

/** A directory that every active snapshot begins with. @public */
export interface SnapshotDirectory {
  readonly name: string;
  readonly mode: number;
}

/** As many as a burst of containers is likely to start before new ones are made. */
const slots = ['0', '1', '2', '3'];

/** Milliseconds: about as long as a container takes to start, which must not wait for what its successors need. */
const refillAfter = 20;

/**
 * Snapshots' directories that are made ahead of need, because making an inode can take ext4 half a millisecond and a
 * rename takes it none. They are on disk, so that a short-lived process finds what the last one left; a rename gives
 * each to one taker only.
 */
export class Spares implements AsyncDisposable {
  readonly #directory: string;
  readonly #content: readonly SnapshotDirectory[];
  readonly #warn: PluginContext['warn'];
  readonly #trash: Trash;
  readonly #full = new Set<string>();
  #refill: Promise<void> | null = null;
  readonly #closing = new AbortController();

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
    mkdirSync(target, { mode: 0o700 });
    writeFileSync(join(target, recordFile), '', { mode: 0o600 });
    for (const { name, mode } of this.#content) {
      mkdirSync(join(target, name));
      chmodSync(join(target, name), mode); // mkdir(2) heeds the umask
    }
  }

  /** Makes new ones in the background, by way of `staging`: soon, or when the store closes. */
  refill(staging: (id: string) => string): void {
    this.#refill ??= delay(refillAfter, undefined, { signal: this.#closing.signal })
      .catch(() => {})
      .then(() => this.#fill(staging))
      .catch((error: unknown) => this.#warn('Directories for further snapshots could not be made ahead.', error))
      .finally(() => (this.#refill = null));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#refill;
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

  async #fill(staging: (id: string) => string): Promise<void> {
    for (const slot of slots) {
      if (this.#full.has(slot)) continue;
      const made = staging(randomHex(12));
      await mkdir(made, { mode: 0o700 });
      await writeFile(join(made, recordFile), '', { mode: 0o600 });
      for (const { name, mode } of this.#content) {
        await mkdir(join(made, name));
        await chmod(join(made, name), mode);
      }
      await this.#offer(made, slot);
    }
  }

  async #offer(made: string, slot: string): Promise<void> {
    try {
      await rename(made, join(this.#directory, slot));
    } catch (error) {
      this.#trash.take(made);
      if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error; // another process has filled the slot
    }
    this.#full.add(slot);
  }
}
