import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { hasErrno } from '../../base/errno.ts';
import { HakoError } from '../../base/errors.ts';
import type { IdMappings } from '../../contracts/isolation.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import { produced, type Worker } from '../../native/worker.ts';
import { hostPathOf } from './container-path.ts';
import type { CopyPlace } from './copy-intents.ts';
import { copyLimits } from './copy-limits.ts';
import type { CopyOutToHostOptions } from './copy-options.ts';
import type { CopyDestination, CopySource } from './copy-plan.ts';

/** The host's side of a copy: its paths are the caller's own, and are looked up as the caller would. */
export class HostFiles {
  readonly #worker: Worker;
  readonly #own: () => Promise<IdMappings | null>;

  /** @param own - the ids that this user may map, for an ordinary user; null for root */
  constructor(worker: Worker, own: () => Promise<IdMappings | null>) {
    this.#worker = worker;
    this.#own = own;
  }

  /** @throws HakoError `HAKO_ERR_PATH_NOT_FOUND` */
  async source(path: string, followLink: boolean): Promise<CopySource & { readonly path: string }> {
    const written = hostPathOf(path);
    try {
      const real =
        followLink || written.isDirectory
          ? await realpath(written.path)
          : posix.join(await realpath(posix.dirname(written.path)), posix.basename(written.path));
      return { written, path: real, isDirectory: (await lstat(real)).isDirectory() };
    } catch (error) {
      throw missing(error, written.path);
    }
  }

  /** @throws HakoError `HAKO_ERR_PATH_NOT_FOUND` when not even its parent is there */
  async destination(path: string): Promise<CopyDestination> {
    const written = hostPathOf(path);
    try {
      return { written, path: await realpath(written.path), present: await kindOf(written.path) };
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw missing(error, written.path);
    }
    const end = await endOfLinks(written.path);
    try {
      const parent = await realpath(posix.dirname(end));
      const path = posix.join(parent, posix.basename(end));
      // Somebody may have made it by now.
      return { written, path, present: await kindOf(path) };
    } catch (error) {
      throw missing(error, posix.dirname(end));
    }
  }

  pack(path: string, name: string, options: OperationOptions): AsyncGenerator<Uint8Array> {
    return produced(async (output) => {
      const idMappings = await this.#own();
      // The root of the host has no parent to be found in.
      const place = path === '/' ? { base: '/' } : { base: posix.dirname(path), path: posix.basename(path) };
      await this.#worker.pack(
        {
          tree: { kind: 'directory', base: place.base, path: '' },
          ...(place.path === undefined ? {} : { path: place.path }),
          name,
          idMappings,
          whiteouts: false,
          owners: false,
          adopt: idMappings !== null,
        },
        output,
        options,
      );
    });
  }

  /** Removes the files of that name. */
  async sweep({ directory, below }: CopyPlace, name: string): Promise<void> {
    if ((await kindOf(directory))?.isDirectory !== true) return;
    const tree = { kind: 'directory', base: directory, path: '' } as const;
    await this.#worker.sweep({ tree, idMappings: await this.#own(), directory: '', name, below });
  }

  /** Unpacks a plain tar stream in a directory, and nowhere else whatever is in it. */
  async unpack(
    directory: string,
    archive: AsyncIterable<Uint8Array>,
    temporary: string,
    { archive: keepsIds = false, keepSpecial = false, signal }: CopyOutToHostOptions,
  ): Promise<void> {
    const idMappings = await this.#own();
    const asRoot = idMappings === null;
    await this.#worker.unpack(
      {
        tree: { kind: 'directory', base: directory, path: '' },
        idMappings,
        whiteouts: 'none',
        ownership: 'keep',
        devicesOptional: !asRoot,
        sync: false,
        limits: copyLimits,
        keepRoot: true,
        keepKinds: true,
        temporary,
        // Whoever is root in a container would else be root of the host through them.
        plain: !keepSpecial,
        ...(keepsIds ? {} : { owner: { uid: asRoot ? effective('uid') : 0, gid: asRoot ? effective('gid') : 0 } }),
      },
      archive,
      signal === undefined ? {} : { signal },
    );
  }
}

/** As many as the kernel follows (path_resolution(7)). */
const mostLinks = 40;

/**
 * Where a link that leads to nothing would lead: what is copied there is made there, as by Docker. A `..` of a target
 * stays in it: it is the kernel that says what it is the parent of, and whether that is there.
 */
async function endOfLinks(path: string): Promise<string> {
  let end = path;
  for (let links = 0; links < mostLinks; links++) {
    try {
      const target = await readlink(end);
      end = target.startsWith('/') ? target : `${posix.dirname(end)}/${target}`;
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'EINVAL')) return end;
      throw error;
    }
  }
  return end;
}

async function kindOf(path: string): Promise<{ readonly isDirectory: boolean } | null> {
  try {
    return { isDirectory: (await stat(path)).isDirectory() };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

function effective(kind: 'uid' | 'gid'): number {
  return (kind === 'uid' ? process.geteuid?.() : process.getegid?.()) ?? 0;
}

function missing(cause: unknown, path: string): unknown {
  if (!hasErrno(cause, 'ENOENT', 'ENOTDIR', 'ELOOP')) return cause;
  return new HakoError('PATH_NOT_FOUND', `There is no '${path}' on the host. Look at how the path is written.`, {
    cause,
    path,
  });
}
