import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { hasErrno } from '../../base/errno.ts';
import { HakoError } from '../../base/errors.ts';
import type { ImageFile, ImageFiles } from './image-files.ts';
import { openPath } from './open-path.ts';

/**
 * Files of a directory that is not trusted. Each component of a name is opened by itself and must not be a symbolic
 * link, so a layout cannot lend us files of the host (GHSA-r3h2 of apple/container was that); FIFOs and devices are
 * refused without waiting for them.
 */
export class DirectoryFiles implements ImageFiles {
  readonly #root: FileHandle;

  private constructor(root: FileHandle) {
    this.#root = root;
  }

  /** The path itself is the caller's, so it may be a link. */
  static async open(path: string): Promise<DirectoryFiles> {
    return new DirectoryFiles(await openPath(path, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  async find(name: string): Promise<ImageFile | null> {
    const handle = await this.#open(name);
    if (handle === null) return null;
    await using opened = handle;
    const status = await opened.stat();
    if (!status.isFile()) throw notPlain(name);
    return { size: status.size, content: () => this.#read(name) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#root.close();
  }

  async *#read(name: string): AsyncGenerator<Uint8Array> {
    const handle = await this.#open(name);
    if (handle === null)
      throw new HakoError('INVALID_IMAGE', `The image's file '${name}' has gone away while it was read.`);
    if (!(await handle.stat()).isFile()) {
      await handle.close();
      throw notPlain(name);
    }
    yield* handle.createReadStream({ highWaterMark: 1 << 20 });
  }

  async #open(name: string): Promise<FileHandle | null> {
    const components = name.split('/');
    const last = components.pop() ?? '';
    const opened: FileHandle[] = [];
    try {
      let directory = this.#root;
      for (const component of components) {
        directory = await openIn(directory, component, constants.O_DIRECTORY);
        opened.push(directory);
      }
      return await openIn(directory, last, constants.O_NONBLOCK);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return null;
      if (hasErrno(error, 'ELOOP', 'ENOTDIR', 'ENXIO', 'EISDIR')) throw notPlain(name, error);
      throw error;
    } finally {
      await Promise.all(opened.map((handle) => handle.close()));
    }
  }
}

async function openIn(directory: FileHandle, component: string, flags: number): Promise<FileHandle> {
  if (component === '' || component === '.' || component === '..' || component.includes('\0'))
    throw notPlain(component);
  return open(`/proc/self/fd/${directory.fd}/${component}`, constants.O_RDONLY | constants.O_NOFOLLOW | flags);
}

function notPlain(name: string, cause?: unknown): HakoError {
  return new HakoError(
    'INVALID_IMAGE',
    `The image's file '${name.slice(0, 200)}' is a link or a special file. Refused: an image holds plain files only.`,
    { cause },
  );
}
