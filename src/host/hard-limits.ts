import type { HostFiles } from './files.ts';

/** As /proc/self/limits calls them (fs/proc/base.c, lnames), in the order of their numbers. */
const names = [
  'cpu time',
  'file size',
  'data size',
  'stack size',
  'core file size',
  'resident set',
  'processes',
  'open files',
  'locked memory',
  'address space',
  'file locks',
  'pending signals',
  'msgqueue size',
  'nice priority',
  'realtime priority',
  'realtime timeout',
];

/** The hard limits of this process by the numbers of getrlimit(2); null: none, or not known. */
export function hardLimits(files: HostFiles): readonly (number | null)[] {
  const text = files.read('/proc/self/limits') ?? '';
  return names.map((name) => {
    const [, hard] = new RegExp(`^Max ${name}\\s+\\S+\\s+(\\d+)\\b`, 'm').exec(text) ?? [];
    return hard === undefined ? null : Number(hard);
  });
}
