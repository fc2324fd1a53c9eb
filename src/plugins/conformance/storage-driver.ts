import { describe } from 'vitest';
import type { NativeServices } from '../../contracts/native-services.ts';
import type { PluginContext } from '../../contracts/plugin-definition.ts';
import type { StorageDriver } from '../../contracts/storage-driver.ts';
import { storageChangesCases } from './storage-changes.ts';
import { storageConcurrencyCases } from './storage-concurrency.ts';
import { storageContentCases } from './storage-content.ts';
import { storageLifecycleCases } from './storage-lifecycle.ts';

/** What {@link storageDriverConformance} is to test. @public */
export interface StorageDriverSubject {
  /** Makes the driver, as the plugin's own `create` does; called often, also twice on one directory. */
  readonly create: (context: PluginContext) => Promise<StorageDriver>;
  /** The services of a real runtime, to test the driver with them; by default their work is done by cp, rm, du and sync. */
  readonly native?: NativeServices;
}

/**
 * The conformance kit for storage drivers: a suite for vitest that holds a driver to every sentence of the
 * `StorageDriver` contract. Call it in a test file of yours:
 *
 * ```ts
 * storageDriverConformance({ create: (context) => myDriver.create(context, {}) });
 * ```
 *
 * It mounts what the driver hands out, in namespaces of its own, as root or as an ordinary user.
 *
 * @public
 */
export function storageDriverConformance(subject: StorageDriverSubject): void {
  describe('names, keys and parents', () => storageLifecycleCases(subject));
  describe('what is in a snapshot', () => storageContentCases(subject));
  describe('what a snapshot changes', () => storageChangesCases(subject));
  describe('several at once', () => storageConcurrencyCases(subject));
}
