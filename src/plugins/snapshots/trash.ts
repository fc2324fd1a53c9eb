import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasErrno } from '../../base/errno.ts';
import type { PluginContext } from '../../contracts/plugin-definition.ts';
import { recordFile } from './record.ts';

/** Far longer than it takes to fill a directory of overlay2, and to copy one for vfs its directory's time is renewed by each entry. */
const abandonedAfter = 60 * 60 * 1000;

/** Milliseconds. */
const retryAfter = 100;

/**
 * Where directories go to be removed. Taking one is a rename(2), so the caller has its answer at once; the tree is
 * removed in the background, and by the next process when this one is killed.
 */
export class Trash implements AsyncDisposable {
  readonly #directory: string;
  readonly #context: PluginContext;
  readonly #removals = new Set<Promise<void>>();

  constructor(context: PluginContext) {
    this.#directory = join(context.directory, '.trash');
    this.#context = context;
  }

  /** Makes the directory, and goes on with what killed processes left in it. */
  open(): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#directory)) this.#removeLater(join(this.#directory, name));
  }

  /**
   * @param isRight - looks at what was taken: the path may have been given to something else meanwhile. Then it is put back.
   * @returns false when there is no such directory, or not the right one
   */
  take(path: string, isRight: (taken: string) => boolean = () => true): boolean {
    const target = join(this.#directory, randomBytes(12).toString('hex'));
    try {
      renameSync(path, target);
      if (!isRight(target)) {
        renameSync(target, path);
        return false;
      }
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return false;
      throw error;
    }
    this.#removeLater(target);
    return true;
  }

  /** Takes the snapshots in `directory` that have not been touched for an hour: whoever was making them is dead. */
  takeAbandoned(directory: string): void {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
      if (modified === undefined || Date.now() - modified <= abandonedAfter) continue;
      rmSync(join(path, recordFile), { force: true }); // so that its parent knows at once
      this.take(path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#removals);
  }

  #removeLater(path: string): void {
    const removal = this.#remove(path)
      .catch((error: unknown) =>
        this.#context.warn(
          `The removed snapshot at ${path} still takes up space; the next start of hako tries again.`,
          error,
        ),
      )
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** Again when it fails: a process that was at work on the snapshot when it was taken may still have written to it. */
  async #remove(path: string): Promise<void> {
    try {
      await this.#context.native.removeTree(path, null);
    } catch {
      await delay(retryAfter);
      await this.#context.native.removeTree(path, null);
    }
  }
}
