import { HakoError } from '../base/errors.ts';

/** Docker's, for a command line that is wrong, and for a container that could not be made or started. */
export const refusedCode = 125;
/** Docker's, for whatever else has failed. */
export const failureCode = 1;
/** As a shell tells of a program that SIGPIPE has ended: whoever read the output has gone. */
export const brokenPipeCode = 141;

/** Docker's, for a program that could not be run. */
const programCodes: Readonly<Partial<Record<HakoError['code'], number>>> = {
  HAKO_ERR_COMMAND_NOT_FOUND: 127,
  HAKO_ERR_COMMAND_NOT_EXECUTABLE: 126,
  HAKO_ERR_INVALID_OPTION: refusedCode,
};

/** Their own codes are the program's. */
const makers: ReadonlySet<string> = new Set(['run', 'create']);

/** @param command - that has failed, if it has come to one */
export function exitCodeOf(error: unknown, command = ''): number {
  if (isBrokenPipe(error)) return brokenPipeCode;
  const ofProgram = error instanceof HakoError ? (ofDirectory(error) ?? programCodes[error.code]) : undefined;
  return ofProgram ?? (makers.has(command) ? refusedCode : failureCode);
}

/** Of a program that cannot start where it is to: Docker does not tell that from one that is not there itself. */
function ofDirectory({ operation, errno }: HakoError): number | undefined {
  if (operation !== 'cwd') return undefined;
  return errno === 'ENOENT' ? 127 : 126;
}

export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}
