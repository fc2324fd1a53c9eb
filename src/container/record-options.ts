import { type ParsedContainerOptions, parseContainerOptions } from './options.ts';
import type { ContainerRecord } from './record.ts';

const known = new WeakMap<object, ParsedContainerOptions>();

/** A container's options, parsed once for each record that was read: they are asked for at every step of a start. */
export function optionsOf({ options }: Pick<ContainerRecord, 'options'>): ParsedContainerOptions {
  if (typeof options !== 'object' || options === null) return parseContainerOptions(options);
  let parsed = known.get(options);
  if (parsed === undefined) {
    parsed = parseContainerOptions(options);
    known.set(options, parsed);
  }
  return parsed;
}

/** Spares the record of a container that has just been made the parsing. @param parsed - of this very record's options */
export function rememberOptions({ options }: Pick<ContainerRecord, 'options'>, parsed: ParsedContainerOptions): void {
  if (typeof options === 'object' && options !== null) known.set(options, parsed);
}

/** Whether it is removed with the handle that made it, or by whoever opens the root when that is not done. */
export function goesWithHandle(record: Pick<ContainerRecord, 'options'>): boolean {
  const { ephemeral, detached } = optionsOf(record);
  return ephemeral && !detached;
}
