import { HakoError } from '../base/errors.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import { type CgroupFiles, hasCode, isAbsent, kernelCgroupFiles } from './files.ts';
import type { CgroupGroup } from './plan.ts';

const TIMEOUT = 10_000;

/** What is done with a group that a running container gets besides those that it was started in. */
export interface LateGroup {
  /** Has the group made, and removed with the others. */
  make(directory: string): Promise<void>;
  /** Before a process is put in, so that a crash leaves no group that nobody knows of. */
  record(groups: readonly CgroupGroup[]): void;
}

/**
 * Puts a running container under a controller of v1 that it was started without: those that few need would cost every
 * start some 80 µs. On v2 it is under all of them already.
 *
 * @returns the container's groups
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` when the host has no such controller; `HAKO_ERR_SYSCALL_FAILED` when some
 * process is still outside after 10 seconds, which another try puts in
 */
export async function joinController(
  host: CgroupHost,
  id: string,
  groups: readonly CgroupGroup[],
  controller: string,
  late: LateGroup,
  files: CgroupFiles = kernelCgroupFiles,
): Promise<readonly CgroupGroup[]> {
  const [source] = groups;
  const known = groups.find(({ controllers }) => controllers.includes(controller));
  if (source === undefined) throw noController(host, controller);
  if (known === source) return groups;
  // Whoever joined it before may not have lived to put everybody in.
  if (known !== undefined) {
    await moveAll(source.directory, known.directory, files);
    return groups;
  }
  const parent = host.controllers[controller];
  if (parent === undefined) throw noController(host, controller);
  const group: CgroupGroup = {
    version: parent === host.unifiedParent ? 2 : 1,
    directory: `${parent}/${id}`,
    controllers: Object.keys(host.controllers).filter((name) => host.controllers[name] === parent),
  };
  await late.make(group.directory);
  const joined = [...groups, group];
  late.record(joined);
  await moveAll(source.directory, group.directory, files);
  return joined;
}

/** Why a running container cannot be put under a controller. */
export function noController(host: CgroupHost, controller: string): HakoError {
  const reason = host.missing[controller] ?? 'the container is in no control group of such a controller';
  return new HakoError(
    'HOST_UNSUPPORTED',
    `This needs the ${controller} controller of control groups, which is not to be had here: ${reason}.`,
  );
}

/** A process that was moved forks inside the new group, so a pass in which none was outside is the last. */
async function moveAll(from: string, to: string, files: CgroupFiles): Promise<void> {
  const deadline = Date.now() + TIMEOUT;
  for (;;) {
    const inside = new Set(await processes(to, files));
    const outside = (await processes(from, files)).filter((pid) => !inside.has(pid));
    if (outside.length === 0) return;
    for (const pid of outside) await move(pid, from, to, files);
    if (Date.now() > deadline)
      throw new HakoError(
        'SYSCALL_FAILED',
        'Not every process of the container could be put under another controller within 10 seconds: it makes new ones faster, or one of them hangs. Try again when it is calmer, or limit its pids.',
        { operation: 'cgroup', path: to },
      );
  }
}

async function move(pid: string, from: string, to: string, files: CgroupFiles): Promise<void> {
  // One that has ended since it was listed may have left its number to somebody else's. No other group has such a name.
  const groups = files.readNow(`/proc/${pid}/cgroup`) ?? '';
  if (!groups.includes(from.slice(from.lastIndexOf('/')))) return;
  await files.write(`${to}/cgroup.procs`, pid).catch((error: unknown) => {
    if (hasCode(error, 'ESRCH')) return;
    if (!isAbsent(error)) throw error;
    throw new HakoError('CONTAINER_NOT_RUNNING', 'The container has just ended.', { cause: error });
  });
}

/** Of a group and of those that the container made below it. 0 stands for a process of another PID namespace, which cannot be named here. */
async function processes(directory: string, files: CgroupFiles): Promise<readonly string[]> {
  const own = ((await files.read(`${directory}/cgroup.procs`)) ?? '').split('\n');
  const below = (await files.list(directory))?.directories ?? [];
  const inner = await Promise.all(below.map((name) => processes(`${directory}/${name}`, files)));
  return [...own.filter((pid) => pid !== '' && pid !== '0'), ...inner.flat()];
}
