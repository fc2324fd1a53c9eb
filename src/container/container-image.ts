import type { OperationOptions } from '../contracts/operation.ts';
import type { ActiveKey, PrepareOptions } from '../contracts/storage-driver.ts';
import type { ContainerDefaults } from '../oci/image-config.ts';
import type { ContainerRecord } from './record.ts';

/** An image, as far as a container of it has to know. */
export interface ContainerImage {
  readonly id: string;
  /** The reference that it was asked for by, else the id. */
  readonly name: string;
  readonly defaults: ContainerDefaults;
  /** Makes the writable snapshot of a container of it, owned as the container's privilege mode wants. */
  prepare(key: ActiveKey, mode: ContainerRecord['mode'], options?: PrepareOptions): Promise<void>;
}

/**
 * Finds images by whatever callers name them by.
 *
 * @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND`
 */
export type ImageFinder<Choice> = (image: Choice, options?: OperationOptions) => Promise<ContainerImage>;
