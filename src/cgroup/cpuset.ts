import { availableParallelism, cpus as machineCpus } from 'node:os';
import { HakoError } from '../base/errors.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import { type CgroupFiles, kernelCgroupFiles } from './files.ts';
import type { Resources } from './resources.ts';

/**
 * Whether there are as many CPUs as a container is to have of them.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` with their number
 */
export function checkCpus({ cpus }: Pick<Resources, 'cpus'>): void {
  // Looking at each CPU takes its time. This process may be held to fewer than there are.
  if (cpus === undefined || cpus <= availableParallelism()) return;
  const there = machineCpus().length;
  if (cpus > there)
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `resources.cpus cannot be ${cpus}: there are ${there} CPUs here. Write that or less, or leave it out.`,
    );
}

/**
 * Whether there are the CPUs and memory nodes that a container is to be held to.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` naming those that there are
 */
export async function checkCpuset(
  host: CgroupHost,
  { cpusetCpus, cpusetMems }: Pick<Resources, 'cpusetCpus' | 'cpusetMems'>,
  files: CgroupFiles = kernelCgroupFiles,
): Promise<void> {
  const directory = host.controllers['cpuset'];
  // That there is no such controller is said by whoever plans the groups.
  if (directory === undefined) return;
  for (const [option, file, wanted] of [
    ['cpusetCpus', 'cpuset.cpus', cpusetCpus],
    ['cpusetMems', 'cpuset.mems', cpusetMems],
  ] as const) {
    if (wanted === undefined) continue;
    const there = (
      (await files.read(`${directory}/${file}.effective`)) ?? (await files.read(`${directory}/${file}`))
    )?.trim();
    // The parent's group may be gone, and is made again when a container starts.
    if (there === undefined || there === '') continue;
    const known = new Set(numbersOf(there));
    const absent = numbersOf(wanted).filter((number) => !known.has(number));
    if (absent.length > 0)
      throw new HakoError(
        'HOST_UNSUPPORTED',
        `resources.${option} '${wanted}' names ${absent.slice(0, 10).join(', ')}, and hako may use ${there} here; write some of those.`,
      );
  }
}

/** The numbers of a list as cpuset(7) writes it. */
function numbersOf(list: string): readonly number[] {
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
