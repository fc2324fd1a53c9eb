import { setTimeout as sleep } from 'node:timers/promises';
import { HakoError } from '../base/errors.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { type CgroupFiles, hasCode, kernelCgroupFiles, makeDirectory } from './files.ts';
import type { CgroupGroup } from './plan.ts';

const FREEZE_TIMEOUT = 10_000;

/**
 * Stops every process of a container where it is; resolves when all of them have stopped.
 *
 * On v1 the freezer's group is made at the first call, and the container's processes are moved into it; keep the
 * result in the container's record, as it has that group too.
 *
 * @returns the container's groups.
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` without a freezer; `HAKO_ERR_SYSCALL_FAILED` when a process does not
 * stop within 10 seconds (it is then thawed again).
 */
export async function freezeGroups(
  host: CgroupHost,
  id: string,
  groups: readonly CgroupGroup[],
  options: OperationOptions = {},
  files: CgroupFiles = kernelCgroupFiles,
): Promise<readonly CgroupGroup[]> {
  const unified = groups.find(
    ({ version, controllers }) => version === 2 && controllers.includes('freezer'),
  )?.directory;
  if (unified !== undefined) {
    await freeze(
      unified,
      {
        file: 'cgroup.freeze',
        on: '1',
        off: '0',
        isFrozen: async () => /^frozen 1$/m.test((await files.read(`${unified}/cgroup.events`)) ?? ''),
      },
      options,
      files,
    );
    return groups;
  }
  const extended = await withFreezer(host, id, groups, files);
  const directory = freezerOf(extended);
  if (directory === undefined)
    throw new HakoError('HOST_UNSUPPORTED', 'A container that has no control group cannot be paused.');
  await freeze(
    directory,
    {
      file: 'freezer.state',
      on: 'FROZEN',
      off: 'THAWED',
      isFrozen: async () => (await files.read(`${directory}/freezer.state`))?.trim() === 'FROZEN',
    },
    options,
    files,
  );
  return extended;
}

/** Lets a frozen container go on. One that was never frozen is left as it is. */
export async function thawGroups(
  groups: readonly CgroupGroup[],
  files: CgroupFiles = kernelCgroupFiles,
): Promise<void> {
  for (const { version, directory, controllers } of groups) {
    if (!controllers.includes('freezer')) continue;
    if (version === 2) await files.write(`${directory}/cgroup.freeze`, '0');
    else await files.write(`${directory}/freezer.state`, 'THAWED');
  }
}

interface Switch {
  readonly file: string;
  readonly on: string;
  readonly off: string;
  isFrozen(): Promise<boolean>;
}

async function freeze(directory: string, knob: Switch, options: OperationOptions, files: CgroupFiles): Promise<void> {
  const deadline = Date.now() + FREEZE_TIMEOUT;
  try {
    for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
      options.signal?.throwIfAborted();
      // Written again each time: the v1 freezer stays in FREEZING when a task was forking (freezer-subsystem.rst).
      await files.write(`${directory}/${knob.file}`, knob.on);
      if (await knob.isFrozen()) return;
      if (Date.now() > deadline)
        throw new HakoError(
          'SYSCALL_FAILED',
          `Not every process in ${directory} stopped within 10 seconds; one is waiting for a device. Try again later.`,
          { operation: 'freeze', path: directory },
        );
      await sleep(wait);
    }
  } catch (error) {
    await files.write(`${directory}/${knob.file}`, knob.off).catch((failure: unknown) => {
      if (!hasCode(failure, 'ENOENT'))
        throw new AggregateError([error, failure], 'A container could be neither frozen nor thawed.');
    });
    throw error;
  }
}

async function withFreezer(
  host: CgroupHost,
  id: string,
  groups: readonly CgroupGroup[],
  files: CgroupFiles,
): Promise<readonly CgroupGroup[]> {
  if (freezerOf(groups) !== undefined) return groups;
  const source = groups[0];
  const parent = host.controllers['freezer'];
  if (source === undefined || parent === undefined) {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `A container cannot be paused here: ${host.missing['freezer'] ?? 'it has no control group'}.`,
    );
  }
  const freezer: CgroupGroup = { version: 1, directory: `${parent}/${id}`, controllers: ['freezer'] };
  await makeDirectory(freezer.directory, files);
  await moveAll(source.directory, freezer.directory, files);
  return [...groups, freezer];
}

/** A process that was moved forks inside the new group, so a pass in which none was outside is the last. */
async function moveAll(from: string, to: string, files: CgroupFiles): Promise<void> {
  for (;;) {
    const inside = new Set(await processes(to, files));
    const outside = (await processes(from, files)).filter((pid) => !inside.has(pid));
    if (outside.length === 0) return;
    for (const pid of outside) {
      await files.write(`${to}/cgroup.procs`, pid).catch((error: unknown) => {
        if (!hasCode(error, 'ESRCH')) throw error;
      });
    }
  }
}

/** 0 stands for a process of another PID namespace, which cannot be named here. */
async function processes(directory: string, files: CgroupFiles): Promise<readonly string[]> {
  return ((await files.read(`${directory}/cgroup.procs`)) ?? '').split('\n').filter((pid) => pid !== '' && pid !== '0');
}

function freezerOf(groups: readonly CgroupGroup[]): string | undefined {
  return groups.find(({ version, controllers }) => version === 1 && controllers.includes('freezer'))?.directory;
}
