import { randomUUID } from 'node:crypto';
import { HakoError } from '../base/errors.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { LeaseRepository, ResourceKey } from './lease-repository.ts';

const lifetime = 60 * 60 * 1000;
const renewEvery = lifetime / 4;

/**
 * A running operation's hold on resources. While it lives, garbage collection in any process leaves them alone.
 * It renews itself; that of a killed process ends within the hour.
 */
export class Lease implements Disposable {
  readonly #repository: LeaseRepository;
  readonly #finishRemovals: () => Promise<void>;
  readonly #id = randomUUID();
  readonly #renewal: NodeJS.Timeout;

  /**
   * @param purpose - for people who look at the state.
   * @param finishRemovals - waits for the removals that are under way, and ends those of processes that have died.
   */
  constructor(repository: LeaseRepository, purpose: string, finishRemovals: () => Promise<void>) {
    this.#repository = repository;
    this.#finishRemovals = finishRemovals;
    repository.insertLease({ id: this.#id, purpose, expiresAt: Date.now() + lifetime });
    this.#renewal = setInterval(() => this.#renew(), renewEvery);
    this.#renewal.unref();
  }

  /**
   * Holds a resource, whether it is there already or not. When it is being removed, waits until that is done;
   * afterwards the resource is absent, and is the caller's to make.
   */
  async hold(resource: ResourceKey, options: OperationOptions = {}): Promise<void> {
    while (!this.#tryHold(resource)) {
      options.signal?.throwIfAborted();
      await this.#finishRemovals();
    }
    options.signal?.throwIfAborted();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#renewal);
    this.#repository.deleteLease(this.#id);
  }

  #renew(): void {
    try {
      this.#repository.renewLease(this.#id, Date.now() + lifetime);
    } catch {
      // The next one is in time as well; a failure here has nobody to go to.
    }
  }

  #tryHold(resource: ResourceKey): boolean {
    return this.#repository.transaction(() => {
      if (this.#repository.isBeingRemoved(resource)) return false;
      if (!this.#repository.addResource(this.#id, resource)) {
        throw new HakoError(
          'STATE_CORRUPT',
          `The lease that protects ${resource} is gone, perhaps because the machine slept for over an hour. Do it again.`,
        );
      }
      return true;
    });
  }
}
