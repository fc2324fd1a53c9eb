import { setTimeout as sleep } from 'node:timers/promises';

/** In milliseconds. A short program has ended by then, whose answer this would hold up. */
const pause = 5;

/** Work that nobody waits for: one piece after the other, a little after it came up. */
export class Background {
  #last: Promise<unknown> = Promise.resolve();
  #length = 0;

  /** @param work - must not fail */
  add(work: () => Promise<void>): void {
    this.#length++;
    this.#last = Promise.all([this.#last, sleep(pause)]).then(async () => {
      await work();
      this.#length--;
    });
  }

  /** Resolves when nothing is left to do, also of what comes up meanwhile. */
  async idle(): Promise<void> {
    while (this.#length > 0) await this.#last;
  }
}
