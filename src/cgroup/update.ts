import { HakoError } from '../base/errors.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import { type CgroupFiles, isAbsent, kernelCgroupFiles } from './files.ts';
import { limitWrites } from './limits.ts';
import type { CgroupGroup } from './plan.ts';
import type { Resources } from './resources.ts';

/**
 * Changes the limits of a running container. Only what is given changes; what was changed before one failed is put
 * back as it was.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` when the host cannot set a limit, or when the container was started
 * outside the controller (cpu, cpuset and block I/O on v1 are joined only by containers that start with such a limit).
 */
export async function updateGroups(
  host: CgroupHost,
  groups: readonly CgroupGroup[],
  resources: Resources,
  files: CgroupFiles = kernelCgroupFiles,
): Promise<void> {
  const writes = limitWrites(host, resources).map(({ controller, file, value }) => {
    const group = groups.find(({ controllers }) => controllers.includes(controller));
    if (group === undefined) {
      throw new HakoError(
        'HOST_UNSUPPORTED',
        `${file} cannot be changed: the container was started without a limit of the ${controller} controller. Give it one when it is created.`,
      );
    }
    return { path: `${group.directory}/${file}`, value };
  });
  const before: { path: string; value: string }[] = [];
  for (const { path, value } of await inSafeOrder(writes, files)) {
    const old = await files.read(path);
    try {
      await files.write(path, value);
    } catch (error) {
      await putBack(before.toReversed(), files);
      const errno = error instanceof Error && 'code' in error ? String(error.code) : 'EIO';
      if (isAbsent(error))
        throw new HakoError(
          'CONTAINER_NOT_RUNNING',
          `Limits were not changed: ${path} is gone, so the container has ended.`,
          { cause: error, errno, path },
        );
      throw new HakoError(
        'SYSCALL_FAILED',
        `Limits were not changed: the kernel refused '${value}' for ${path} (${errno}).`,
        { cause: error, operation: 'write', errno, path },
      );
    }
    if (old !== null && isRestorable(path)) before.push({ path, value: old.trim() });
  }
}

/** As well as it can be: the error that led here is the one to tell. */
async function putBack(writes: readonly { path: string; value: string }[], files: CgroupFiles): Promise<void> {
  await Promise.allSettled(writes.map(({ path, value }) => files.write(path, value)));
}

/** memory.memsw may never be under memory.limit, so the one that grows goes first (cgroup-v1/memory.rst, 2.4). */
async function inSafeOrder(
  writes: readonly { path: string; value: string }[],
  files: CgroupFiles,
): Promise<readonly { path: string; value: string }[]> {
  const both = writes.find(({ path }) => path.endsWith('/memory.memsw.limit_in_bytes'));
  if (both === undefined) return writes;
  const now = Number((await files.read(both.path))?.trim() ?? 0);
  return Number(both.value) > now ? [both, ...writes.filter((write) => write !== both)] : writes;
}

/** Files of per-device lines cannot be written back as they read. */
function isRestorable(path: string): boolean {
  return !/\/(io\.max|io\.weight|io\.bfq\.weight|blkio\.throttle\.[a-z_]+)$/.test(path);
}
