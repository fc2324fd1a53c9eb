import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HakoError } from '../base/errors.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { LeaseRepository, ResourceKey } from './lease-repository.ts';

const lifetime = 60 * 60 * 1000;
const renewEvery = lifetime / 4;
const removalPoll = 20;

/**
 * A running operation's hold on resources. While it lives, garbage collection in any process leaves them alone.
 * It renews itself; that of a killed process ends within the hour.
 */
export class Lease implements Disposable {
  readonly #repository: LeaseRepository;
  readonly #id = randomUUID();
  readonly #renewal: NodeJS.Timeout;

  constructor(repository: LeaseRepository, purpose: string) {
    this.#repository = repository;
    repository.insertLease({ id: this.#id, purpose, expiresAt: Date.now() + lifetime });
    this.#renewal = setInterval(() => repository.renewLease(this.#id, Date.now() + lifetime), renewEvery);
    this.#renewal.unref();
  }

  /**
   * Holds a resource, whether it is there already or not. When another process is removing it, waits until that is
   * done; afterwards the resource is absent, and is the caller's to make.
   */
  async hold(resource: ResourceKey, options: OperationOptions = {}): Promise<void> {
    while (!this.#tryHold(resource)) await sleep(removalPoll, undefined, options);
    options.signal?.throwIfAborted();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#renewal);
    this.#repository.deleteLease(this.#id);
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
