import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';

/**
 * Writes a small file, made if it is not there. One that is empty is not truncated first, which writeFile would do: ext4
 * brings a file that was truncated to the disk at once when it is closed.
 */
export function overwriteFile(path: string, content: string, mode: number): void {
  const bytes = Buffer.from(content);
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, mode);
  try {
    if (fstatSync(fd).size > 0) ftruncateSync(fd, 0);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  } finally {
    closeSync(fd);
  }
}
