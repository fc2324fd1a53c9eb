import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { NativeBinding } from '../contracts/native-binding.ts';

/** How often it is looked who is there, in milliseconds. */
const betweenLooks = 1_000;

/**
 * Tells when other runtimes on the root may have gone, closed or killed, by their claims (claimRoot): a claim that is
 * free now, or a change of the directory, for one that came and went unseen. Told twice, since the containers of one
 * that was killed take a moment to end.
 */
export class Peers implements AsyncDisposable {
  readonly #directory: string;
  readonly #native: Pick<NativeBinding, 'isLocked'>;
  readonly #gone: () => Promise<void>;
  readonly #warn: (message: string, cause: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #seen: ReadonlySet<string>;
  #changedAt: bigint;
  /** How many looks are still to tell. */
  #toTell = 0;
  #telling: Promise<void> | undefined;
  #isBlind = false;

  /** @param directory - of the claims */
  constructor(
    directory: string,
    native: Pick<NativeBinding, 'isLocked'>,
    gone: () => Promise<void>,
    warn: (message: string, cause: unknown) => void,
  ) {
    this.#directory = directory;
    this.#native = native;
    this.#gone = gone;
    this.#warn = warn;
    this.#changedAt = this.#lastChange();
    this.#seen = this.#held();
    this.#timer = setInterval(() => this.#tryToLook(), betweenLooks);
    this.#timer.unref();
  }

  /** What cannot be seen for want of descriptors, or because somebody has removed the root, is looked for again. */
  #tryToLook(): void {
    try {
      this.#look();
      this.#isBlind = false;
    } catch (error) {
      if (!this.#isBlind) this.#warn('It cannot be seen which other runtimes have the root open.', error);
      this.#isBlind = true;
    }
  }

  #look(): void {
    // Before the names are read: what changes after that is seen the next time.
    const changedAt = this.#lastChange();
    const held = this.#held();
    const isGone = [...this.#seen].some((name) => !held.has(name));
    if (isGone || changedAt !== this.#changedAt) this.#toTell = 2;
    [this.#seen, this.#changedAt] = [held, changedAt];
    if (this.#toTell === 0 || this.#telling !== undefined) return;
    this.#toTell--;
    this.#telling = this.#tell();
  }

  async #tell(): Promise<void> {
    try {
      await this.#gone();
    } catch (error) {
      this.#warn('What another runtime has left could not be looked after.', error);
    }
    this.#telling = undefined;
  }

  #held(): ReadonlySet<string> {
    return new Set(
      readdirSync(this.#directory).filter(
        (name) => !name.startsWith('.') && this.#native.isLocked(join(this.#directory, name)),
      ),
    );
  }

  #lastChange(): bigint {
    return statSync(this.#directory, { bigint: true }).mtimeNs;
  }

  /** Waits for what it has told of. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#telling;
  }
}
