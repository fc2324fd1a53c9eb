import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What an attack is after: a directory beside the root that is unpacked into. Any trace of a touch shows in its
 * snapshot, also a chmod to the same mode, a hard link made, or a read that changed nothing but a time.
 */
export class Canary {
  readonly path: string;
  readonly secret = 'canary: nobody may read or change this';
  readonly #before: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(join(path, 'etc'), { recursive: true });
    writeFileSync(join(path, 'etc/passwd'), this.secret);
    writeFileSync(join(path, 'etc/emptied'), 'not empty');
    writeFileSync(join(path, 'etc/whitedout'), 'still here');
    chmodSync(join(path, 'etc/passwd'), 0o400);
    this.#before = snapshot(path);
  }

  /** What is different now, or undefined. */
  get damage(): string | undefined {
    const now = snapshot(this.path);
    return now === this.#before ? undefined : `before:\n${this.#before}\nnow:\n${now}`;
  }
}

/** Every file below a directory with all of its metadata but the access time. */
export function snapshot(path: string): string {
  const lines: string[] = [];
  const visit = (name: string): void => {
    const full = join(path, name);
    let status: ReturnType<typeof lstatSync>;
    try {
      status = lstatSync(full, { bigint: true });
    } catch {
      lines.push(`${name || '.'} is gone`);
      return;
    }
    const { ino, mode, uid, gid, size, nlink, mtimeNs, ctimeNs } = status as import('node:fs').BigIntStats;
    const content = status.isFile()
      ? createHash('sha256').update(readFileSync(full)).digest('hex')
      : status.isSymbolicLink()
        ? readlinkSync(full)
        : '';
    lines.push(
      [
        name || '.',
        ino,
        mode.toString(8),
        uid,
        gid,
        status.isDirectory() ? '' : size,
        nlink,
        mtimeNs,
        ctimeNs,
        content,
      ].join(' '),
    );
    if (status.isDirectory()) for (const child of readdirSync(full).sort()) visit(join(name, child));
  };
  visit('');
  return lines.join('\n');
}
