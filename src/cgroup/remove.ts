import { setTimeout as sleep } from 'node:timers/promises';
import { HakoError } from '../base/errors.ts';
import { type CgroupFiles, hasCode, isAbsent, kernelCgroupFiles } from './files.ts';
import type { CgroupGroup } from './plan.ts';

const REMOVE_TIMEOUT = 10_000;

/**
 * Kills what is still in a container's groups, and removes them with the groups that the container made inside.
 * For containers whose supervisor is gone: a living one does this by itself. Groups that are not there are fine.
 *
 * @throws HakoError `HAKO_ERR_SYSCALL_FAILED` when a process cannot be killed within 10 seconds; call it again later.
 */
export async function removeGroups(
  groups: readonly CgroupGroup[],
  files: CgroupFiles = kernelCgroupFiles,
  kill: (pid: number) => void = killProcess,
): Promise<void> {
  const deadline = Date.now() + REMOVE_TIMEOUT;
  for (let wait = 1; ; wait = Math.min(wait * 2, 100)) {
    const busy: CgroupGroup[] = [];
    for (const group of groups) if (!(await tryRemove(group.directory, files))) busy.push(group);
    const [first] = busy;
    if (first === undefined) return;
    if (Date.now() > deadline) {
      throw new HakoError(
        'SYSCALL_FAILED',
        `The control group ${first.directory} still holds processes that do not die; they are waiting for a device. Remove it again later.`,
        { operation: 'rmdir', errno: 'EBUSY', path: first.directory },
      );
    }
    for (const group of busy) await killAll(group, group.directory, files, kill);
    // SIGKILL reaches a process of a frozen v1 group only when that is thawed, whichever of its groups it was found by.
    for (const { version, controllers, directory } of busy)
      if (version === 1 && controllers.includes('freezer'))
        await writeIfThere(`${directory}/freezer.state`, 'THAWED', files);
    await sleep(wait);
  }
}

/** @returns false when something in it is busy. */
async function tryRemove(directory: string, files: CgroupFiles): Promise<boolean> {
  const entries = await files.list(directory);
  if (entries === null) return true;
  let empty = true;
  for (const name of entries.directories) empty = (await tryRemove(`${directory}/${name}`, files)) && empty;
  if (!empty) return false;
  try {
    await files.rmdir(directory);
    return true;
  } catch (error) {
    if (isAbsent(error)) return true;
    if (hasCode(error, 'EBUSY') || hasCode(error, 'ENOTEMPTY')) return false;
    throw error;
  }
}

async function killAll(
  group: CgroupGroup,
  directory: string,
  files: CgroupFiles,
  kill: (pid: number) => void,
): Promise<void> {
  if (group.version === 2) {
    if (await writeIfThere(`${directory}/cgroup.kill`, '1', files)) return;
    await writeIfThere(`${directory}/cgroup.freeze`, '0', files);
  }
  for (const name of (await files.list(directory))?.directories ?? [])
    await killAll(group, `${directory}/${name}`, files, kill);
  for (const pid of ((await files.read(`${directory}/cgroup.procs`)) ?? '').split('\n'))
    if (pid !== '' && pid !== '0') kill(Number(pid));
}

async function writeIfThere(path: string, value: string, files: CgroupFiles): Promise<boolean> {
  try {
    await files.write(path, value);
    return true;
  } catch (error) {
    if (isAbsent(error) || hasCode(error, 'EOPNOTSUPP')) return false;
    throw error;
  }
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
