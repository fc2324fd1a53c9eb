import { type FileHandle, open } from 'node:fs/promises';
import { isError } from '../../base/errno.ts';
import { HakoError } from '../../base/errors.ts';

/**
 * Opens a path that the caller named.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` or `HAKO_ERR_PERMISSION_DENIED`, naming the path.
 */
export async function openPath(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (cause) {
    const errno = isError(cause) && 'code' in cause ? String(cause.code) : 'EIO';
    const denied = errno === 'EACCES' || errno === 'EPERM';
    throw new HakoError(
      denied ? 'PERMISSION_DENIED' : 'INVALID_OPTION',
      `'${path}' cannot be opened: ${errno === 'ENOENT' ? 'there is no such file' : errno === 'ENOTDIR' ? 'it is not a directory' : denied ? 'this user may not read it' : errno}.`,
      { cause, path, errno, operation: 'open' },
    );
  }
}
