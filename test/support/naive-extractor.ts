import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { TarEntry } from './tar.ts';

/**
 * How unpacking must not be done: every mistake that a CVE of the catalogue was, in one place. Names are joined as
 * strings, links are followed, modes are set through them, whiteouts delete whatever their name leads to. It is the
 * positive control: an attack that does not get out of *this* proves nothing about hako.
 */
export function extractNaively(root: string, entries: readonly TarEntry[]): void {
  for (const entry of entries) {
    try {
      extract(root, entry);
    } catch {
      // It goes on, as such code does.
    }
  }
}

const WHITEOUT = '.wh.';

function extract(root: string, entry: TarEntry): void {
  const name = nameOf(entry).split('\0')[0] ?? '';
  const path = resolve(root, name);
  // What the attacks are after lies beside the root; the control must not hurt the machine that the tests run on.
  if (!path.startsWith(dirname(root))) throw new Error(`'${path}' is outside of the experiment`);
  const marked = name.split('/').findIndex((part) => part.startsWith(WHITEOUT));
  if (marked >= 0) {
    const parts = name.split('/').slice(0, marked + 1);
    const deleted = parts.with(-1, (parts.at(-1) ?? '').slice(WHITEOUT.length)).join('/');
    makeParents(dirname(resolve(root, deleted)));
    const target = resolve(root, deleted);
    rmSync(existsSync(target) ? realpathSync.native(target) : target, { recursive: true, force: true });
    return;
  }
  makeParents(dirname(path));
  make(root, path, entry);
}

function make(root: string, path: string, entry: TarEntry): void {
  const mode = entry.mode ?? 0o644;
  switch (entry.type ?? '0') {
    case '5':
      if (!existsSync(path)) mkdirSync(path);
      break;
    case '2':
      rmSync(path, { recursive: true, force: true });
      symlinkSync(String(entry.link), path);
      setAttributes(path, entry);
      return;
    case '1':
      if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === true) rmSync(path);
      linkSync(realpathSync.native(resolve(root, String(entry.link))), path);
      break;
    default:
      writeFileSync(path, entry.data ?? '');
  }
  setAttributes(path, entry);
  chmodSync(path, mode);
  chownSync(path, entry.uid ?? 0, entry.gid ?? 0);
  utimesSync(path, entry.mtime ?? 1_700_000_000, entry.mtime ?? 1_700_000_000);
}

/** By path, through whatever lies there. */
function setAttributes(path: string, { pax }: TarEntry): void {
  const prefix = 'SCHILY.xattr.';
  for (const [key, value] of Object.entries((pax ?? {}) as Record<string, string | Buffer>))
    if (key.startsWith(prefix)) execFileSync('setfattr', ['-n', key.slice(prefix.length), '-v', String(value), path]);
}

function nameOf(entry: TarEntry): string {
  const pax = entry.pax as Record<string, string | Buffer> | undefined;
  return String(pax?.['path'] ?? entry.gnuLongName ?? entry.name);
}

// mkdir -p that makes the targets of dangling links too.
function makeParents(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  const link = lstatSync(path, { throwIfNoEntry: false });
  if (link?.isSymbolicLink() === true) {
    makeParents(resolve(dirname(path), readlinkSync(path)));
    return;
  }
  makeParents(dirname(path));
  mkdirSync(path);
}
