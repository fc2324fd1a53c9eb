import { isError } from '../base/errno.ts';
import { HakoError } from '../base/errors.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import { type CgroupFiles, hasCode, isAbsent, kernelCgroupFiles } from './files.ts';
import { inherited, isPerDevice, type LimitWrite, limitChanges, limitKey, limitWrites, unlimited } from './limits.ts';
import type { CgroupGroup } from './plan.ts';
import type { Resources } from './resources.ts';
import { makeRoom } from './shrink.ts';

/** A write to one file, and the one that undoes it. */
interface Change {
  readonly path: string;
  readonly value: string;
  readonly undo: string;
}

/** The controllers that a change of limits has to do with; on v1 the container may not be under them yet. */
export function controllersOfChange(host: CgroupHost, before: Resources, after: Resources): readonly string[] {
  return [...new Set(limitChanges(host, before, after).map(({ controller }) => controller))];
}

/**
 * Changes the limits of a running container from those of one set of options to those of another. What was changed
 * before one failed is put back as it was.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` when the host cannot set a limit; `HAKO_ERR_SYSCALL_FAILED` when the
 * kernel refuses one, `EBUSY` for a limit of memory under what is in use; `HAKO_ERR_CONTAINER_NOT_RUNNING`
 */
export async function updateGroups(
  host: CgroupHost,
  groups: readonly CgroupGroup[],
  before: Resources,
  after: Resources,
  files: CgroupFiles = kernelCgroupFiles,
): Promise<void> {
  const changes = await changesOf(host, groups, before, after, files);
  const done: Change[] = [];
  for (const change of await inSafeOrder(changes, files)) {
    try {
      await makeRoom(change, files);
      await write(change.path, change.value, files);
    } catch (error) {
      await putBack(done.toReversed(), files);
      throw refused(change, error);
    }
    done.push(change);
  }
}

async function changesOf(
  host: CgroupHost,
  groups: readonly CgroupGroup[],
  before: Resources,
  after: Resources,
  files: CgroupFiles,
): Promise<readonly Change[]> {
  const old = new Map(limitWrites(host, before).map((write) => [limitKey(write), write.value]));
  return Promise.all(
    limitChanges(host, before, after).map(async (write) => {
      const directory = directoryOf(groups, write);
      const path = `${directory}/${write.file}`;
      const now = isPerDevice(write.file) ? old.get(limitKey(write)) : (await files.read(path))?.trim();
      return {
        path,
        value: await meant(write.value, directory, write.file, files),
        undo: await meant(now ?? unlimited(write).value, directory, write.file, files),
      };
    }),
  );
}

function directoryOf(groups: readonly CgroupGroup[], { controller, file }: LimitWrite): string {
  const group = groups.find(({ controllers }) => controllers.includes(controller));
  if (group !== undefined) return group.directory;
  throw new HakoError(
    'HOST_UNSUPPORTED',
    `${file} cannot be changed: the container is not under the ${controller} controller.`,
  );
}

/** v1 has no way to say that a cpuset is to be that of the group above. */
async function meant(value: string, directory: string, file: string, files: CgroupFiles): Promise<string> {
  if (value !== inherited && value !== '') return value;
  const isUnified = (await files.read(`${directory}/${file}.effective`)) !== null;
  return isUnified ? inherited : ((await files.read(above(`${directory}/${file}`)))?.trim() ?? inherited);
}

async function write(path: string, value: string, files: CgroupFiles): Promise<void> {
  try {
    await files.write(path, value);
  } catch (error) {
    // Kernels refuse to leave a group that holds processes without CPUs of its own (validate_change, cpuset.c).
    if (value !== inherited || !hasCode(error, 'ENOSPC')) throw error;
    await files.write(path, (await files.read(above(`${path}.effective`)))?.trim() ?? '');
  }
}

/** The same file of the group above. */
function above(path: string): string {
  const [file, , ...directory] = path.split('/').toReversed();
  return `${directory.toReversed().join('/')}/${file}`;
}

/** As well as it can be: the error that led here is the one to tell. */
async function putBack(changes: readonly Change[], files: CgroupFiles): Promise<void> {
  for (const { path, undo } of changes) await write(path, undo, files).catch(() => {});
}

function refused({ path, value }: Change, error: unknown): Error {
  if (error instanceof HakoError) return error;
  const errno = isError(error) && 'code' in error ? String(error.code) : 'EIO';
  if (isAbsent(error))
    return new HakoError(
      'CONTAINER_NOT_RUNNING',
      `Limits were not changed: ${path} is gone, so the container has ended.`,
      { cause: error, errno, path },
    );
  return new HakoError(
    'SYSCALL_FAILED',
    `Limits were not changed: the kernel refused '${value.trim()}' for ${path} (${errno}${errno === 'EBUSY' ? '; more than that is in use, or by a group below' : ''}).`,
    { cause: error, operation: 'write', errno, path },
  );
}

/** memory.memsw may never be under memory.limit, so the one that grows goes first (cgroup-v1/memory.rst, 2.4). */
async function inSafeOrder(changes: readonly Change[], files: CgroupFiles): Promise<readonly Change[]> {
  const both = changes.find(({ path }) => path.endsWith('/memory.memsw.limit_in_bytes'));
  if (both === undefined) return changes;
  const others = changes.filter((change) => change !== both);
  const now = Number((await files.read(both.path))?.trim() ?? 0);
  const wanted = both.value === '-1' ? Number.POSITIVE_INFINITY : Number(both.value);
  return wanted > now ? [both, ...others] : [...others, both];
}
