/**
 * What can be gone through until it is closed. Closing waits for those inside, so that nobody finds taken away what
 * they stand on.
 */
export class Gate {
  readonly #inside = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #refusal: () => Error;
  readonly #translate: (error: unknown) => unknown;

  /**
   * @param refusal - what those get who come too late, and those inside who can give up
   * @param translate - makes of a failure what is to be seen of it outside
   */
  constructor(refusal: () => Error, translate: (error: unknown) => unknown = (error) => error) {
    this.#refusal = refusal;
    this.#translate = translate;
  }

  /** Aborted when the gate begins to close. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** @throws the refusal, once the gate has begun to close */
  async pass<T>(work: () => Promise<T>): Promise<T> {
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

  /** Resolves when nobody is inside any more, whatever became of them. */
  async close(): Promise<void> {
    this.#closing.abort(this.#refusal());
    await Promise.allSettled(this.#inside);
  }
}
