interface TurnLimits {
  /** How many are at work at a time. */
  readonly width: number;
  /** Milliseconds after which one that has its turn no longer keeps others from theirs. */
  readonly patience: number;
}

/**
 * Lets callers do their work a few at a time, in the order in which they came. A thousand starts that are asked for at
 * once would otherwise do a second's work of the main thread in one go, and all else would wait for it.
 */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Does the work at once where there is room, else when its turn has come. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#limits.width) this.#taken++;
    else await new Promise<void>((admitted) => this.#waiting.push(admitted));
    let isOver = false;
    const over = () => {
      if (!isOver) this.#pass();
      isOver = true;
    };
    const timer = setTimeout(over, this.#limits.patience);
    timer.unref();
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      over();
    }
  }

  /** Hands the turn on, by way of the event loop: what else waits there comes first. */
  #pass(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken--;
    else setImmediate(next);
  }
}
