import { HakoError } from '../base/errors.ts';

/** Docker's: hako itself has failed. */
export const failureCode = 125;
/** As a shell tells of a program that SIGPIPE has ended: whoever read the output has gone. */
export const brokenPipeCode = 141;

/** Docker's, for a program that could not be run. */
const programCodes: Readonly<Partial<Record<HakoError['code'], number>>> = {
  HAKO_ERR_COMMAND_NOT_FOUND: 127,
  HAKO_ERR_COMMAND_NOT_EXECUTABLE: 126,
};

export function exitCodeOf(error: unknown): number {
  if (isBrokenPipe(error)) return brokenPipeCode;
  return error instanceof HakoError ? (programCodes[error.code] ?? failureCode) : failureCode;
}

export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}
