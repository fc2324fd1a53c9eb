import { HakoError } from '../base/errors.ts';
import type { CgroupFiles } from './files.ts';

/**
 * Before a limit of memory is lowered on v2: takes back what the kernel can take back. Where v1 refuses a limit under
 * what is in use, v2 accepts it and kills (cgroup-v2.rst, "memory.max"), which nobody means who lowers a limit.
 *
 * @throws HakoError `HAKO_ERR_SYSCALL_FAILED` with errno `EBUSY` when more than the new limit stays in use.
 */
export async function makeRoom(
  { path, value }: { readonly path: string; readonly value: string },
  files: CgroupFiles,
): Promise<void> {
  if (!path.endsWith('/memory.max') || value === 'max') return;
  const directory = path.slice(0, path.lastIndexOf('/'));
  const limit = Number(value);
  const excess = (await inUse(directory, files)) - limit;
  if (excess <= 0) return;
  // Linux 5.19; it says EAGAIN when it could not take back all of it, and before, there is no such file.
  await files.write(`${directory}/memory.reclaim`, String(excess)).catch(() => {});
  const left = await inUse(directory, files);
  if (left <= limit) return;
  throw new HakoError(
    'SYSCALL_FAILED',
    `Limits were not changed: the container uses ${left} bytes of memory that cannot be taken back, and under a limit of ${limit} the kernel would kill processes of it.`,
    { operation: 'write', errno: 'EBUSY', path },
  );
}

async function inUse(directory: string, files: CgroupFiles): Promise<number> {
  const current = Number((await files.read(`${directory}/memory.current`))?.trim() ?? 0);
  const stat = (await files.read(`${directory}/memory.stat`)) ?? '';
  // Page cache goes by itself when room is needed.
  const cache = [...stat.matchAll(/^(?:in)?active_file (\d+)$/gm)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  return current - cache;
}
