import { setImmediate as afterwards } from 'node:timers/promises';

/** How long the event loop is kept from others at most, in milliseconds. */
const breath = 5;

/** For work that takes long when it is done in one go: lets others have the event loop now and then. */
export class Breather {
  #since = performance.now();

  /** To be asked often: whether it is time to {@link pause}. */
  get isDue(): boolean {
    return performance.now() - this.#since > breath;
  }

  async pause(): Promise<void> {
    await afterwards();
    this.#since = performance.now();
  }
}
