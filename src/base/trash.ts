import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasErrno } from './errno.ts';
import { randomHex } from './random.ts';

/** In milliseconds: what a killed process had at work there goes soon after it, on a busy machine not at once. */
const retriesAfter = [100, 400, 1600, 3200];

/** Milliseconds: whoever waits for what was removed is told first, also on a machine with few processors. */
const removeAfter = 1;

/**
 * Where directories go to be removed. Taking one is a rename(2), so the caller has its answer at once; the tree is
 * removed in the background, and by the next process when this one is killed.
 */
export class Trash implements AsyncDisposable {
  readonly #directory: string;
  readonly #removeTree: (path: string) => Promise<void>;
  readonly #warn: (message: string, cause: unknown) => void;
  readonly #pauses: readonly number[];
  readonly #removals = new Set<Promise<void>>();
  /** What is to be removed soon. */
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param directory - on the filesystem of all that will be taken
   * @param pauses - between attempts, in milliseconds
   */
  constructor(
    directory: string,
    removeTree: (path: string) => Promise<void>,
    warn: (message: string, cause: unknown) => void,
    pauses: readonly number[] = retriesAfter,
  ) {
    this.#directory = directory;
    this.#removeTree = removeTree;
    this.#warn = warn;
    this.#pauses = pauses;
  }

  /**
   * Makes the directory, and goes on with what killed processes left in it.
   *
   * @param found - is told of each before that
   * @param isLeft - by its name; else somebody is just making it, see {@link newPath}
   */
  open(found: (path: string) => void = () => undefined, isLeft: (name: string) => boolean = () => true): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#directory)) {
      if (!isLeft(name)) continue;
      const path = join(this.#directory, name);
      found(path);
      void this.#beginRemoval(path);
    }
  }

  /**
   * @param isRight - looks at what was taken: the path may have been given to something else meanwhile. Then it is put back.
   * @returns false when there is no such directory, or not the right one
   */
  take(path: string, isRight: (taken: string) => boolean = () => true): boolean {
    const taken = this.#take(path, isRight);
    if (taken === null) return false;
    this.#waiting.push(taken);
    this.#timer ??= setTimeout(() => this.#removeWaiting(), removeAfter);
    return true;
  }

  /** Resolves when a directory's files are gone, or left to the next process; at once when it is not there. */
  async remove(path: string): Promise<void> {
    const taken = this.#take(path, () => true);
    if (taken !== null) await this.#beginRemoval(taken);
  }

  /**
   * For something in the making: if this process is killed before it has another name, it is removed as the rest is.
   *
   * @param prefix - tells who makes it
   */
  newPath(prefix = ''): string {
    return join(this.#directory, prefix + randomHex(12));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#removeWaiting();
    await Promise.all(this.#removals);
  }

  /** null: there is no such directory, or not the right one */
  #take(path: string, isRight: (taken: string) => boolean): string | null {
    const target = this.newPath();
    let right = false;
    try {
      renameSync(path, target);
      try {
        right = isRight(target);
      } finally {
        if (!right) renameSync(target, path);
      }
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
    return right ? target : null;
  }

  #removeWaiting(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const path of this.#waiting.splice(0)) void this.#beginRemoval(path);
  }

  #beginRemoval(path: string): Promise<void> {
    const removal = this.#remove(path)
      .catch((error: unknown) =>
        this.#warn(`What was removed still takes up space at ${path}; the next start of hako tries again.`, error),
      )
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
    return removal;
  }

  /** Again when it fails: a process that was at work there when it was taken may still have written to it. */
  async #remove(path: string): Promise<void> {
    for (const pause of this.#pauses) {
      try {
        return await this.#removeTree(path);
      } catch {
        await delay(pause);
      }
    }
    await this.#removeTree(path);
  }
}
