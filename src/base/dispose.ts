/**
 * Closes what it was given in the reverse order, once, waiting for each. `AsyncDisposableStack` of the language,
 * for the Node lines that do not have it.
 */
export class Disposer implements AsyncDisposable {
  #closers: (() => unknown)[] = [];

  defer(close: () => unknown): void {
    this.#closers.push(close);
  }

  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    this.defer(() => (Symbol.asyncDispose in resource ? resource[Symbol.asyncDispose]() : resource[Symbol.dispose]()));
    return resource;
  }

  /** Gives up the duty: what was given stays open. Called when the operation that could fail has succeeded. */
  release(): void {
    this.#closers = [];
  }

  /** Hands the duty on to another disposer: this one closes nothing any more. */
  move(): Disposer {
    const heir = new Disposer();
    heir.#closers = this.#closers;
    this.#closers = [];
    return heir;
  }

  /** @throws the failure, or an `AggregateError` of several; every closer has been called all the same. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closers = this.#closers.reverse();
    this.#closers = [];
    const failures: unknown[] = [];
    for (const close of closers) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, 'Several resources could not be closed.');
  }
}
