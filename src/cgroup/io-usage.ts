import { readAll } from './figures.ts';
import type { CgroupReader } from './files.ts';

/** Bytes and operations that went to block devices and came from them. @public */
export interface IoFigures {
  /** Since the start of the container. */
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Operations. */
  readonly reads: number;
  /** Operations. */
  readonly writes: number;
}

/** What a container does to block devices. @public */
export interface IoUsage {
  /** Of all devices together, as the other three. */
  readonly readBytes: number | null;
  readonly writtenBytes: number | null;
  readonly reads: number | null;
  readonly writes: number | null;
  readonly devices: readonly (IoFigures & { readonly major: number; readonly minor: number })[];
}

type Device = IoUsage['devices'][number];

export async function readIo(
  legacy: string | undefined,
  unified: string | undefined,
  files: CgroupReader,
): Promise<IoUsage> {
  const devices = legacy === undefined ? await unifiedDevices(unified, files) : await legacyDevices(legacy, files);
  if (devices === null) return { readBytes: null, writtenBytes: null, reads: null, writes: null, devices: [] };
  const sum = (field: keyof IoFigures): number => devices.reduce((total, device) => total + device[field], 0);
  return {
    readBytes: sum('readBytes'),
    writtenBytes: sum('writtenBytes'),
    reads: sum('reads'),
    writes: sum('writes'),
    devices,
  };
}

/** Lines of io.stat: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`. */
async function unifiedDevices(directory: string | undefined, files: CgroupReader): Promise<readonly Device[] | null> {
  const [stat] = await readAll(directory, ['io.stat'], files);
  if (stat === null) return null;
  return [...stat.matchAll(/^(\d+):(\d+)((?: \w+=\d+)+)$/gm)].map(([, major, minor, rest = '']) => {
    const field = (key: string): number => Number(new RegExp(` ${key}=(\\d+)`).exec(rest)?.[1] ?? 0);
    return {
      major: Number(major),
      minor: Number(minor),
      readBytes: field('rbytes'),
      writtenBytes: field('wbytes'),
      reads: field('rios'),
      writes: field('wios'),
    };
  });
}

/** Lines of two files: `8:0 Read 1`. */
async function legacyDevices(directory: string, files: CgroupReader): Promise<readonly Device[] | null> {
  const [bytes, operations] = await readAll(
    directory,
    ['blkio.throttle.io_service_bytes_recursive', 'blkio.throttle.io_serviced_recursive'],
    files,
  );
  if (bytes === null) return null;
  const devices = new Map<string, Device>();
  for (const [text, read, written] of [
    [bytes, 'readBytes', 'writtenBytes'],
    [operations, 'reads', 'writes'],
  ] as const) {
    for (const [, major, minor, kind, value] of (text ?? '').matchAll(/^(\d+):(\d+) (Read|Write) (\d+)$/gm)) {
      const name = `${major}:${minor}`;
      const known = devices.get(name) ?? none(Number(major), Number(minor));
      devices.set(name, { ...known, [kind === 'Read' ? read : written]: Number(value) });
    }
  }
  return [...devices.values()];
}

function none(major: number, minor: number): Device {
  return { major, minor, readBytes: 0, writtenBytes: 0, reads: 0, writes: 0 };
}
