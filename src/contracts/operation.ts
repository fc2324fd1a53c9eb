/**
 * What every operation that waits accepts.
 *
 * @public
 */
export interface OperationOptions {
  /** Aborting ends the wait with the signal's own reason and undoes what the operation had made. */
  readonly signal?: AbortSignal;
}
