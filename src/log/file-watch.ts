import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Some filesystems tell of no change made elsewhere; and the kernel may have no watch left to give. */
const pollWithWatch = 1_000;
const pollAlone = 100;

/** Tells when a file may have changed, or another have taken its name. @public */
export class FileWatch implements Disposable {
  readonly #name: string;
  readonly #onRename: () => void;
  #watcher: FSWatcher | null;
  #changed = false;
  #wake: (() => void) | null = null;

  /** `onRename` is called at once when the name comes, goes or stands for another file. */
  constructor(path: string, onRename: () => void) {
    this.#name = basename(path);
    this.#onRename = onRename;
    this.#watcher = this.#start(dirname(path));
  }

  #start(directory: string): FSWatcher | null {
    try {
      const watcher = watch(directory);
      watcher.on('change', (event, name) => {
        if (name !== null && name.toString() !== this.#name) return;
        if (event === 'rename') this.#onRename();
        this.notify();
      });
      watcher.on('error', () => this.#stop());
      return watcher;
    } catch {
      return null;
    }
  }

  #stop(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  /** Ends the wait that goes on, or the next one. */
  notify(): void {
    this.#changed = true;
    this.#wake?.();
  }

  /** Until something may have changed since the last wait ended, and no longer than `atMost` milliseconds. */
  async wait(atMost = Number.POSITIVE_INFINITY): Promise<void> {
    if (!this.#changed) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, Math.min(atMost, this.#watcher === null ? pollAlone : pollWithWatch));
      });
      clearTimeout(timer);
      this.#wake = null;
    }
    this.#changed = false;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}
