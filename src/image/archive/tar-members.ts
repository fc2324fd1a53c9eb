import type { FileHandle } from 'node:fs/promises';
import { HakoError } from '../../base/errors.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import { parsePaxRecords } from './pax-records.ts';
import { blockSize, invalidArchive, parseTarHeader, type TarHeader, textOf } from './tar-header.ts';

/** A file in an archive: where its bytes lie. */
export interface TarFile {
  readonly kind: 'file';
  readonly offset: number;
  readonly size: number;
}

/** A link in an archive: the full name of the member that it stands for. */
export interface TarLink {
  readonly kind: 'link';
  readonly target: string;
}

export interface TarLimits {
  /** Headers, of every kind. */
  readonly members: number;
  /** Bytes of one extended header. */
  readonly extendedHeader: number;
}

export const defaultTarLimits: TarLimits = { members: 100_000, extendedHeader: 1 << 20 };

/**
 * Lists the members of a tar archive without reading their data. Names are only ever keys of the map: nothing is
 * written under them, so a hostile name can do no more than not be found.
 *
 * Strict on purpose: an archive of images has files, directories and links, each once, and an end.
 *
 * @throws HakoError `HAKO_ERR_INVALID_ARCHIVE`, `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`
 */
export async function listTarMembers(
  file: FileHandle,
  limits: TarLimits,
  options: OperationOptions = {},
): Promise<ReadonlyMap<string, TarFile | TarLink>> {
  const members = new Map<string, TarFile | TarLink>();
  const { size: archiveSize } = await file.stat();
  let extension: Partial<Pick<TarHeader, 'name' | 'size' | 'linkName'>> = {};
  let count = 0;
  for (let offset = 0; ; ) {
    options.signal?.throwIfAborted();
    const header = parseTarHeader(await readExactly(file, offset, blockSize), offset);
    if (header === null) return members;
    if (++count > limits.members)
      throw new HakoError('ARCHIVE_LIMIT_EXCEEDED', `The archive has more than ${limits.members} members.`);
    const start = offset + blockSize;
    const size = extension.size ?? header.size;
    offset = start + Math.ceil(size / blockSize) * blockSize;
    if (start + size > archiveSize) throw invalidArchive(`it ends in the middle of '${header.name.slice(0, 100)}'`);
    if ('xgLK'.includes(header.type)) {
      if (header.size > limits.extendedHeader)
        throw new HakoError(
          'ARCHIVE_LIMIT_EXCEEDED',
          `An extended header of the archive has ${header.size} bytes; at most ${limits.extendedHeader} are read.`,
        );
      extension = { ...extension, ...readExtension(header.type, await readExactly(file, start, header.size)) };
      continue;
    }
    addMember(members, { ...header, ...extension }, { kind: 'file', offset: start, size });
    extension = {};
  }
}

function readExtension(type: string, data: Uint8Array): Partial<Pick<TarHeader, 'name' | 'size' | 'linkName'>> {
  if (type === 'L') return { name: textOf(data) };
  if (type === 'K') return { linkName: textOf(data) };
  const records = parsePaxRecords(data);
  if (type === 'g') return {}; // Comments, as git makes them. What they could say of each member is refused below by not being heard.
  const [path, linkPath, size] = [records.get('path'), records.get('linkpath'), records.get('size')];
  if (size !== undefined && !/^[0-9]{1,15}$/.test(size))
    throw invalidArchive(`an extended header gives '${size.slice(0, 40)}' for a size`);
  return {
    ...(path === undefined ? {} : { name: path }),
    ...(linkPath === undefined ? {} : { linkName: linkPath }),
    ...(size === undefined ? {} : { size: Number(size) }),
  };
}

function addMember(members: Map<string, TarFile | TarLink>, header: TarHeader, file: TarFile): void {
  if (header.type === '5') return;
  const name = cleanName(header.name);
  if (members.has(name)) throw invalidArchive(`it has '${name}' twice`);
  if (header.type === '0' || header.type === '7') members.set(name, file);
  else if (header.type === '1') members.set(name, { kind: 'link', target: cleanName(header.linkName) });
  else if (header.type === '2') members.set(name, { kind: 'link', target: resolveLink(name, header.linkName) });
  else throw invalidArchive(`'${name}' is neither a file nor a directory nor a link (type '${header.type}')`);
}

function cleanName(name: string): string {
  const components = name.split('/').filter((component) => component !== '' && component !== '.');
  if (
    name.startsWith('/') ||
    name.includes('\0') ||
    components.length === 0 ||
    components.includes('..') ||
    name.length > 4096
  ) {
    throw invalidArchive(`'${name.slice(0, 100)}' is not a sound name for a member`);
  }
  return components.join('/');
}

/** A symbolic link's target is relative to the link's directory; older `docker save` writes `../<layer>/layer.tar`. */
function resolveLink(name: string, target: string): string {
  if (target.startsWith('/')) throw invalidArchive(`the link '${name}' leads out of the archive`);
  const components = name.split('/').slice(0, -1);
  for (const component of target.split('/')) {
    if (component === '' || component === '.') continue;
    if (component !== '..') components.push(component);
    else if (components.pop() === undefined) throw invalidArchive(`the link '${name}' leads out of the archive`);
  }
  return components.join('/');
}

async function readExactly(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(length);
  for (let read = 0; read < length; ) {
    const { bytesRead } = await file.read(buffer, read, length - read, offset + read);
    if (bytesRead === 0) throw invalidArchive(`it ends at byte ${offset + read}, before its end mark`);
    read += bytesRead;
  }
  return buffer;
}
