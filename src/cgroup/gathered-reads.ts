import type { NativeBinding } from '../contracts/native-binding.ts';
import type { CgroupReader } from './files.ts';

interface Waiting {
  readonly path: string;
  done(text: string | null): void;
  failed(error: unknown): void;
}

/** Files that one trip reads: more would keep a thread of the pool from others for over some 2 ms. */
const mostFiles = 256;

/** Reads together what is asked for in one turn: the figures of a container are in some twenty files. */
export class GatheredReads implements CgroupReader {
  readonly #native: Pick<NativeBinding, 'readKernelFiles'>;
  #waiting: Waiting[] = [];

  constructor(native: Pick<NativeBinding, 'readKernelFiles'>) {
    this.#native = native;
  }

  read(path: string): Promise<string | null> {
    return new Promise((done, failed) => {
      if (this.#waiting.length === 0) queueMicrotask(() => this.#flush());
      this.#waiting.push({ path, done, failed });
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < waiting.length; at += mostFiles) this.#readAll(waiting.slice(at, at + mostFiles));
  }

  async #readAll(waiting: readonly Waiting[]): Promise<void> {
    try {
      const texts = await this.#native.readKernelFiles(waiting.map(({ path }) => path));
      for (const [index, { done }] of waiting.entries()) done(texts[index] ?? null);
    } catch (error) {
      for (const { failed } of waiting) failed(error);
    }
  }
}
