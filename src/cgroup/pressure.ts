import { type CgroupReader, kernelCgroupFiles } from './files.ts';
import type { CgroupGroup } from './plan.ts';

/** How much of the time processes waited for a resource (Documentation/accounting/psi.rst). @public */
export interface PressureShare {
  /** Percent of the last 10 seconds. */
  readonly average10: number;
  /** Percent of the last 60 seconds. */
  readonly average60: number;
  /** Percent of the last 300 seconds. */
  readonly average300: number;
  /** Microseconds since the group, or the machine, has been there. */
  readonly total: number;
}

/** Pressure on one resource. @public */
export interface ResourcePressure {
  /** At least one process waited. */
  readonly some: PressureShare;
  /** All that had something to do waited; null where the kernel does not say. */
  readonly full: PressureShare | null;
}

/** Pressure stall information. @public */
export interface Pressure {
  /** `container`: of its own control group (v2). `host`: v1 has only the whole machine's. */
  readonly scope: 'container' | 'host';
  readonly cpu: ResourcePressure | null;
  readonly memory: ResourcePressure | null;
  readonly io: ResourcePressure | null;
}

/** The pressure in a container's group, else on the machine; null where the kernel keeps none (CONFIG_PSI, psi=1). */
export async function readPressure(
  groups: readonly CgroupGroup[],
  files: CgroupReader = kernelCgroupFiles,
): Promise<Pressure | null> {
  const own = groups.find(({ version }) => version === 2)?.directory;
  return (
    (own === undefined ? null : await readFrom('container', (resource) => `${own}/${resource}.pressure`, files)) ??
    (await readFrom('host', (resource) => `/proc/pressure/${resource}`, files))
  );
}

async function readFrom(
  scope: Pressure['scope'],
  pathOf: (resource: string) => string,
  files: CgroupReader,
): Promise<Pressure | null> {
  const [cpu = null, memory = null, io = null] = await Promise.all(
    ['cpu', 'memory', 'io'].map(async (resource) => parse(await files.read(pathOf(resource)))),
  );
  return cpu === null && memory === null && io === null ? null : { scope, cpu, memory, io };
}

function parse(text: string | null): ResourcePressure | null {
  const some = share(text, 'some');
  return some === null ? null : { some, full: share(text, 'full') };
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`. */
function share(text: string | null, kind: 'some' | 'full'): PressureShare | null {
  const found = new RegExp(`^${kind} avg10=([\\d.]+) avg60=([\\d.]+) avg300=([\\d.]+) total=(\\d+)$`, 'm').exec(
    text ?? '',
  );
  if (found === null) return null;
  const [, average10, average60, average300, total] = found.map(Number);
  return { average10: average10 ?? 0, average60: average60 ?? 0, average300: average300 ?? 0, total: total ?? 0 };
}
