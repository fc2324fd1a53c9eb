import type { ContainerId } from '../base/ids.ts';
import type { ContainerRecord } from './record.ts';

/** The little of a container that tells whether there is anything to put right. */
export interface ContainerOutline {
  readonly id: ContainerId;
  /** null: it cannot be read. */
  readonly status: ContainerRecord['state']['status'] | null;
  readonly ephemeral: boolean;
  /** It has run, and something is to be done at its end. */
  readonly kept: boolean;
}

/** Where containers' records are kept; every method is one transaction. */
export interface ContainerRepository {
  /**
   * @returns the record as it was stored: nothing of it is shared with what was given
   * @throws HakoError `HAKO_ERR_CONTAINER_NAME_IN_USE`
   */
  insert(container: ContainerRecord): ContainerRecord;
  /** @throws HakoError `HAKO_ERR_CONTAINER_NAME_IN_USE` */
  rename(id: ContainerId, name: string): void;
  /**
   * Sets the state only if all of it still is as in `record`: how two processes that want the same container agree on
   * one. A state of the same name may be another run's, or have been stopped since.
   *
   * @param record - one whose state came from here: read, or set
   * @returns whether it was set
   */
  changeState(record: Pick<ContainerRecord, 'id' | 'state'>, to: ContainerRecord['state']): boolean;
  /**
   * Sets the state that `change` makes of the present one; null: leaves it. It sees what no other process changes.
   *
   * @returns the record as it is now, or null when nothing was changed
   */
  reviseState(
    id: ContainerId,
    change: (state: ContainerRecord['state']) => ContainerRecord['state'] | null,
  ): ContainerRecord | null;
  /**
   * Replaces the options, if neither they nor the run are others than when `record` was read.
   *
   * @returns whether they were replaced
   */
  changeOptions(record: ContainerRecord, options: ContainerRecord['options']): boolean;
  find(id: ContainerId): ContainerRecord | null;
  /** By name, full id, or a prefix of the id that only one container has. */
  resolve(nameOrId: string): ContainerRecord | null;
  /** The newest first. It takes long the first time, and leaves the event loop to others meanwhile. */
  list(): Promise<readonly ContainerRecord[]>;
  /**
   * Of all containers, a few at a time in the order of their ids; it costs a tenth of what {@link list} does.
   *
   * @param after - the last one of those before; empty: from the first one
   */
  outline(after: ContainerId | '', limit: number): readonly ContainerOutline[];
  usesImage(imageId: string): boolean;
  /**
   * @param passed - states that the container has come to before, and that nobody has written
   * @returns whether there was such a record
   */
  delete(id: ContainerId, passed?: readonly ContainerRecord['state'][]): boolean;
}
