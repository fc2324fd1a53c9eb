/** Whether an error of Node's is this error of the system call's: `hasErrno(error, 'ENOENT')`. */
export function hasErrno(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && names.includes(error.code);
}
