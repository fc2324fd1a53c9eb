import { randomUUID } from 'node:crypto';
import { HakoError } from '../base/errors.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { ownIdentity } from '../host/process-identity.ts';
import type { LeaseRepository, ResourceKey } from './lease-repository.ts';

/**
 * A running operation's hold on resources. While it lives, garbage collection in any process leaves them alone.
 * It ends with this process at the latest.
 */
export class Lease implements Disposable {
  readonly #repository: LeaseRepository;
  readonly #finishRemovals: () => Promise<void>;
  readonly #id = randomUUID();

  /**
   * @param purpose - for people who look at the state.
   * @param finishRemovals - waits for the removals that are under way, and ends those of processes that have died.
   */
  constructor(repository: LeaseRepository, purpose: string, finishRemovals: () => Promise<void>) {
    this.#repository = repository;
    this.#finishRemovals = finishRemovals;
    repository.insertLease({ id: this.#id, purpose, holder: ownIdentity() });
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
    this.#repository.deleteLease(this.#id);
  }

  #tryHold(resource: ResourceKey): boolean {
    return this.#repository.transaction(() => {
      if (this.#repository.isBeingRemoved(resource)) return false;
      if (!this.#repository.addResource(this.#id, resource)) {
        throw new HakoError(
          'STATE_CORRUPT',
          `The lease that protects ${resource} is gone: somebody has changed the state store by hand. Do it again.`,
        );
      }
      return true;
    });
  }
}
