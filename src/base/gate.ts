import { Turns } from './turns.ts';

/**
 * As many at once as keep two processors busy and a turn of the event loop short; one that waits for something slow,
 * such as a log writer that hangs, keeps nobody from their turn for long.
 */
const limits = { width: 4, patience: 100 };

/**
 * What can be gone through until it is closed. Closing waits for those inside, so that nobody finds taken away what
 * they stand on.
 */
export class Gate {
  readonly #inside = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #turns = new Turns(limits);
  readonly #refusal: () => Error;
  readonly #ready: () => Promise<void> | null;
  readonly #translate: (error: unknown) => unknown;

  /**
   * @param refusal - what those get who come too late, and those inside who can give up
   * @param translate - makes of a failure what is to be seen of it outside
   * @param ready - what there is to wait for first, if anything
   */
  constructor(
    refusal: () => Error,
    translate: (error: unknown) => unknown = (error) => error,
    ready: () => Promise<void> | null = () => null,
  ) {
    this.#refusal = refusal;
    this.#translate = translate;
    this.#ready = ready;
  }

  /** Aborted when the gate begins to close. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** @throws the refusal, once the gate has begun to close */
  pass<T>(work: () => Promise<T>): Promise<T> {
    return this.#enter(() => this.#whenReady(work));
  }

  /**
   * As {@link pass}, for work that keeps the main thread busy: with few others at a time.
   *
   * @throws the refusal also when the gate has begun to close before it was this one's turn
   */
  passInTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#enter(() =>
      this.#turns.take(async () => {
        this.#closing.signal.throwIfAborted();
        return this.#whenReady(work);
      }),
    );
  }

  async #enter<T>(work: () => Promise<T>): Promise<T> {
    this.#closing.signal.throwIfAborted();
    const inside = work();
    this.#inside.add(inside);
    try {
      return await inside;
    } catch (error) {
      throw this.#translate(error);
    } finally {
      this.#inside.delete(inside);
    }
  }

  #whenReady<T>(work: () => Promise<T>): Promise<T> {
    const waiting = this.#ready();
    return waiting === null ? work() : waiting.then(work);
  }

  /** Resolves when nobody is inside any more, whatever became of them. */
  async close(): Promise<void> {
    this.#closing.abort(this.#refusal());
    await Promise.allSettled(this.#inside);
  }
}
