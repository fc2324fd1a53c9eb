/**
 * Writes tar archives with every byte under control, sound or hostile. Numbers and texts are put down as they are
 * given; only the checksum is right unless a case says otherwise.
 */
export interface TarEntry {
  /** A one-character type flag; default `'0'`. */
  readonly type?: string;
  readonly name: string | Buffer;
  readonly link?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds; with a fraction, give it by `pax.mtime`. */
  readonly mtime?: number;
  readonly data?: Buffer | string;
  /** What the header says, when that is not the data's length. */
  readonly size?: number | bigint;
  readonly major?: number;
  readonly minor?: number;
  /** `ustar` (default), `gnu`, `v7`. */
  readonly format?: 'ustar' | 'gnu' | 'v7';
  readonly prefix?: string;
  /** PAX records of an extended header in front. A Buffer where the value is binary. */
  readonly pax?: Readonly<Record<string, string | Buffer>> | readonly (readonly [string, string | Buffer])[];
  /** Names by GNU's `L` and `K` headers. */
  readonly gnuLongName?: string | Buffer;
  readonly gnuLongLink?: string | Buffer;
  /** Changes the finished header; the checksum is computed after it. */
  readonly patch?: (header: Buffer) => void;
  /** A wrong checksum. */
  readonly badChecksum?: boolean;
}

const BLOCK = 512;

export function tar(...entries: readonly TarEntry[]): Buffer {
  return tarOf(entries);
}

export function tarOf(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(2 * BLOCK)]);
}

export function tarEntry(entry: TarEntry): Buffer {
  const data = typeof entry.data === 'string' ? Buffer.from(entry.data) : (entry.data ?? Buffer.alloc(0));
  const parts: Buffer[] = [];
  if (entry.gnuLongName !== undefined) parts.push(gnuLong('L', entry.gnuLongName));
  if (entry.gnuLongLink !== undefined) parts.push(gnuLong('K', entry.gnuLongLink));
  if (entry.pax !== undefined) parts.push(paxHeader('x', entry.pax));
  parts.push(header(entry, entry.size ?? data.length), padded(data));
  return Buffer.concat(parts);
}

export function paxHeader(type: 'x' | 'g', records: NonNullable<TarEntry['pax']>): Buffer {
  const list = Array.isArray(records) ? records : Object.entries(records);
  const body = Buffer.concat(list.map(([key, value]) => paxRecord(key, value)));
  return Buffer.concat([header({ type, name: 'PaxHeaders/x' }, body.length), padded(body)]);
}

export function paxRecord(key: string, value: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let digits = 1;
  while (String(body.length + digits).length > digits) digits++;
  return Buffer.concat([Buffer.from(String(body.length + digits)), body]);
}

/** A header of any type with a payload, such as one that is malformed. */
export function rawBlock(type: string, payload: Buffer, name = 'raw'): Buffer {
  return Buffer.concat([header({ type, name }, payload.length), padded(payload)]);
}

export function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}

function gnuLong(type: 'L' | 'K', text: string | Buffer): Buffer {
  return rawBlock(type, Buffer.concat([Buffer.from(text), Buffer.alloc(1)]), '././@LongLink');
}

function header(entry: TarEntry, size: number | bigint): Buffer {
  const block = Buffer.alloc(BLOCK);
  const format = entry.format ?? 'ustar';
  Buffer.from(entry.name).copy(block, 0, 0, 100);
  putNumber(block, 100, 8, entry.mode ?? (entry.type === '5' ? 0o755 : 0o644));
  putNumber(block, 108, 8, entry.uid ?? 0);
  putNumber(block, 116, 8, entry.gid ?? 0);
  putNumber(block, 124, 12, size);
  putNumber(block, 136, 12, entry.mtime ?? 1_700_000_000);
  block.write(entry.type ?? '0', 156, 'latin1');
  Buffer.from(entry.link ?? '').copy(block, 157, 0, 100);
  if (format === 'ustar') block.write('ustar\x0000', 257, 'latin1');
  if (format === 'gnu') block.write('ustar  \0', 257, 'latin1');
  if (format !== 'v7') {
    putNumber(block, 329, 8, entry.major ?? 0);
    putNumber(block, 337, 8, entry.minor ?? 0);
  }
  if (entry.prefix !== undefined) block.write(entry.prefix, 345, 155, 'utf8');
  entry.patch?.(block);
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0) + (entry.badChecksum === true ? 1 : 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Octal where it fits, else GNU's base-256, as GNU tar does; negative numbers always base-256. */
function putNumber(block: Buffer, at: number, width: number, value: number | bigint): void {
  const wide = BigInt(value);
  if (wide >= 0n && wide < 8n ** BigInt(width - 1)) {
    block.write(`${wide.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
    return;
  }
  let rest = BigInt.asUintN(width * 8, wide);
  for (let i = width - 1; i >= 0; i--) {
    block[at + i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[at] = (block[at] ?? 0) | 0x80;
}

export const file = (name: string | Buffer, data: string | Buffer = '', more: Partial<TarEntry> = {}): TarEntry => ({
  name,
  data,
  ...more,
});
export const directory = (name: string, mode = 0o755, more: Partial<TarEntry> = {}): TarEntry => ({
  type: '5',
  name,
  mode,
  ...more,
});
export const symlink = (name: string, link: string, more: Partial<TarEntry> = {}): TarEntry => ({
  type: '2',
  name,
  link,
  mode: 0o777,
  ...more,
});
export const hardlink = (name: string, link: string, more: Partial<TarEntry> = {}): TarEntry => ({
  type: '1',
  name,
  link,
  ...more,
});
export const device = (name: string, type: 'c' | 'b', major: number, minor: number): TarEntry => ({
  type: type === 'c' ? '3' : '4',
  name,
  major,
  minor,
  mode: 0o666,
});
