import { HakoError } from '../../base/errors.ts';

/** A file made of what is in memory. @public */
export interface MemoryFile {
  /** Text is written as UTF-8. */
  readonly content: string | Uint8Array;
  /** Permission bits. Default `0o644`. */
  readonly mode?: number;
  /** Default 0. */
  readonly uid?: number;
  /** Default 0. */
  readonly gid?: number;
  /** Default: now. */
  readonly modifiedAt?: Date;
}

/** Files by their paths below the destination; directories on the way are made. @public */
export type MemoryFiles = Readonly<Record<string, string | Uint8Array | MemoryFile>>;

const block = 512;
const mostOctal = 0o7777777;

/** A tar archive of files in memory, one at a time. */
export function* memoryArchive(files: MemoryFiles): Generator<Uint8Array> {
  const now = new Date();
  for (const [path, given] of Object.entries(files)) {
    const file = typeof given === 'string' || given instanceof Uint8Array ? { content: given } : given;
    const content = typeof file.content === 'string' ? Buffer.from(file.content) : file.content;
    // Whatever its length and its letters, a name is in an extended header; the field is for old readers.
    const records = paxRecord('path', checkedPath(path));
    yield header('x', 'PaxHeaders/file', records.byteLength, { mode: 0o644, uid: 0, gid: 0, modifiedAt: now });
    yield padded(records);
    yield header('0', 'file', content.byteLength, {
      mode: file.mode ?? 0o644,
      uid: file.uid ?? 0,
      gid: file.gid ?? 0,
      modifiedAt: file.modifiedAt ?? now,
    });
    yield padded(content);
  }
  yield Buffer.alloc(2 * block);
}

function checkedPath(path: string): string {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.length === 0 || names.includes('..') || path.includes('\0') || path.endsWith('/'))
    throw new HakoError(
      'INVALID_OPTION',
      `'${path.slice(0, 200)}' is no path of a file below the destination: leave out '..' and a slash at the end.`,
    );
  return names.join('/');
}

function paxRecord(key: string, value: string): Buffer {
  const body = Buffer.from(` ${key}=${value}\n`);
  let length = body.byteLength + 1;
  while (String(length).length + body.byteLength !== length) length = String(length).length + body.byteLength;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

function header(
  type: string,
  name: string,
  size: number,
  { mode, uid, gid, modifiedAt }: Required<Omit<MemoryFile, 'content'>>,
): Buffer {
  const bytes = Buffer.alloc(block);
  bytes.write(name, 0, 'latin1');
  putNumber(bytes, 100, 8, mode & 0o7777);
  putNumber(bytes, 108, 8, uid);
  putNumber(bytes, 116, 8, gid);
  putNumber(bytes, 124, 12, size);
  putNumber(bytes, 136, 12, Math.max(0, Math.floor(modifiedAt.getTime() / 1000)));
  bytes.write(' '.repeat(8), 148, 'latin1');
  bytes.write(type, 156, 'latin1');
  bytes.write('ustar\x0000', 257, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** Octal, or GNU's base-256 for what is too large for it. */
function putNumber(bytes: Buffer, at: number, width: number, value: number): void {
  if (width === 12 || value <= mostOctal) {
    bytes.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
    return;
  }
  bytes[at] = 0x80;
  bytes.writeUInt32BE(value, at + width - 4);
}

function padded(content: Uint8Array): Uint8Array {
  const rest = content.byteLength % block;
  return rest === 0 ? content : Buffer.concat([content, Buffer.alloc(block - rest)]);
}
