import type { GoRequest } from '../native/protocol.ts';
import type { ContainerRecord } from './record.ts';
import { optionsOf, rememberOptions } from './record-options.ts';
import { hostnameOf, programOf } from './spec/index.ts';

/** What a container is to run that was made without knowing it. */
export interface Program {
  readonly command: readonly string[];
  /** `NAME=value` each; added to the container's, and over it. */
  readonly env: readonly string[];
  readonly workingDirectory: string | undefined;
  readonly stdin: boolean;
}

/** The record as it would be had the container been made for the program. */
export function withProgram(record: ContainerRecord, program: Program): ContainerRecord {
  const made = optionsOf(record);
  const { workingDirectory = made.workingDirectory } = program;
  const settled = {
    command: [...program.command],
    env: [...(made.env ?? []), ...program.env],
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
  };
  const told = { ...record, options: { ...(record.options as object), ...settled } };
  // Each was checked by its own schema: there is nothing to parse.
  rememberOptions(told, { ...made, ...settled });
  return told;
}

export function programOfRecord(record: ContainerRecord): Pick<GoRequest, 'argv' | 'env' | 'cwd'> {
  const options = optionsOf(record);
  return programOf({ options, image: record.imageDefaults, hostname: hostnameOf(record.id, options) });
}
