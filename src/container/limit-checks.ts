import { HakoError } from '../base/errors.ts';
import { checkCpus, checkCpuset } from '../cgroup/index.ts';
import type { HostInfo } from '../contracts/host-info.ts';
import { type HostFiles, realHostFiles } from '../host/files.ts';
import { hardLimits } from '../host/hard-limits.ts';
import { rlimitNumbers } from './option-parts.ts';
import type { ParsedContainerOptions } from './options.ts';

/**
 * Whether this machine, and this process, can give the limits that were asked for: a start would only fail.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED`
 */
export async function checkLimits(
  options: ParsedContainerOptions,
  host: HostInfo,
  files: HostFiles = realHostFiles,
): Promise<void> {
  checkUlimits(options.ulimits, host, files);
  checkCpus(options.resources);
  await checkCpuset(host.cgroup, options.resources);
}

function checkUlimits(ulimits: ParsedContainerOptions['ulimits'], { raiseLimits }: HostInfo, files: HostFiles): void {
  if (raiseLimits.supported || Object.keys(ulimits).length === 0) return;
  const own = hardLimits(files);
  for (const [name, limit] of Object.entries(ulimits)) {
    const most = own[rlimitNumbers[name as keyof typeof rlimitNumbers]] ?? null;
    if (limit === undefined || most === null) continue;
    if (limit.hard === -1 || limit.hard > most)
      throw new HakoError(
        'HOST_UNSUPPORTED',
        `ulimits.${name} cannot be ${limit.hard === -1 ? 'unlimited' : limit.hard}: this process's own hard limit is ${most}, and ${raiseLimits.reason}.`,
      );
  }
}
