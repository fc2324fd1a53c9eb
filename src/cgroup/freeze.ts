import { setTimeout as sleep } from 'node:timers/promises';
import { HakoError } from '../base/errors.ts';
import { raceSignal } from '../base/signal.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { type CgroupFiles, isAbsent, kernelCgroupFiles } from './files.ts';
import type { CgroupGroup } from './plan.ts';

const TIMEOUT = 10_000;

/** `freezing`: it was told to, and not every process has stopped yet. */
export type FreezerState = 'thawed' | 'freezing' | 'frozen';

/** Whether a container's processes are held, as the kernel says at this moment; without a freezer nobody can hold them. */
export function freezerState(groups: readonly CgroupGroup[], files: CgroupFiles = kernelCgroupFiles): FreezerState {
  return freezerOf(groups, files)?.state() ?? 'thawed';
}

/**
 * Stops every process of a container where it is; resolves when all of them have stopped. One that fails may have frozen some
 * of them: who is alone in wanting that thaws it.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` for groups without a freezer (see `joinController`);
 * `HAKO_ERR_CONTAINER_NOT_RUNNING` when they are gone; `HAKO_ERR_SYSCALL_FAILED` when a process does not stop within 10 seconds.
 */
export async function freezeGroups(
  groups: readonly CgroupGroup[],
  options: OperationOptions = {},
  files: CgroupFiles = kernelCgroupFiles,
): Promise<void> {
  await turn(requireFreezer(groups, files), 'frozen', options, files);
}

/**
 * Lets a frozen container go on; resolves when it does. One that was never frozen is left as it is.
 *
 * @throws HakoError as {@link freezeGroups} does; also when a group above is frozen, which holds it all the same.
 */
export async function thawGroups(
  groups: readonly CgroupGroup[],
  options: OperationOptions = {},
  files: CgroupFiles = kernelCgroupFiles,
): Promise<void> {
  await turn(requireFreezer(groups, files), 'thawed', options, files);
}

interface Freezer {
  readonly file: string;
  readonly on: string;
  readonly off: string;
  state(): FreezerState;
}

async function turn(
  freezer: Freezer,
  wanted: 'frozen' | 'thawed',
  { signal }: OperationOptions,
  files: CgroupFiles,
): Promise<void> {
  const deadline = Date.now() + TIMEOUT;
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    signal?.throwIfAborted();
    // Written again each time: the v1 freezer stays in FREEZING when a task was forking (freezer-subsystem.rst).
    await files.write(freezer.file, wanted === 'frozen' ? freezer.on : freezer.off).catch(gone);
    if (freezer.state() === wanted) return;
    if (Date.now() > deadline)
      throw new HakoError(
        'SYSCALL_FAILED',
        wanted === 'frozen'
          ? `Not every process of the container stopped within 10 seconds; one is waiting for a device. Try again later.`
          : `The container is thawed, and still does not go on: a control group above it is frozen. Thaw that.`,
        { operation: 'freeze', path: freezer.file },
      );
    await raceSignal(sleep(wait), signal);
  }
}

function gone(error: unknown): never {
  if (isAbsent(error)) throw new HakoError('CONTAINER_NOT_RUNNING', 'The container has just ended.', { cause: error });
  throw error;
}

function requireFreezer(groups: readonly CgroupGroup[], files: CgroupFiles): Freezer {
  const freezer = freezerOf(groups, files);
  if (freezer !== undefined) return freezer;
  throw new HakoError(
    'HOST_UNSUPPORTED',
    'A container that is in no control group with a freezer cannot be paused; see runtime.info() for what is missing.',
  );
}

function freezerOf(groups: readonly CgroupGroup[], files: CgroupFiles): Freezer | undefined {
  const group = groups.find(({ controllers }) => controllers.includes('freezer'));
  if (group === undefined) return undefined;
  const { version, directory } = group;
  if (version === 1) {
    const file = `${directory}/freezer.state`;
    return { file, on: 'FROZEN', off: 'THAWED', state: () => legacyState(files.readNow(file)) };
  }
  const file = `${directory}/cgroup.freeze`;
  return {
    file,
    on: '1',
    off: '0',
    state: () => {
      // cgroup.events also knows of groups above, cgroup.freeze of what is still under way.
      if (/^frozen 1$/m.test(files.readNow(`${directory}/cgroup.events`) ?? '')) return 'frozen';
      return files.readNow(file)?.trim() === '1' ? 'freezing' : 'thawed';
    },
  };
}

function legacyState(text: string | null): FreezerState {
  const state = text?.trim();
  return state === 'FROZEN' ? 'frozen' : state === 'FREEZING' ? 'freezing' : 'thawed';
}
