import { HakoError } from '../../base/errors.ts';
import type { CreateOptions, ImageChoice } from '../../index.ts';
import type { OptionTable, Values } from '../options.ts';
import { healthOptions, healthSettings } from './health.ts';
import { identityOptions, identitySettings } from './identity.ts';
import { isolationOptions, isolationSettings } from './isolation.ts';
import { lifeOptions, lifeSettings } from './life.ts';
import { limitOptions, limitSettings } from './limits.ts';
import { logOptions, logSettings } from './log.ts';
import { mountOptions, mountSettings } from './mounts.ts';
import { namespaceOptions, namespaceSettings } from './namespaces.ts';
import { processOptions, processSettings } from './process.ts';
import { resourceOptions, resourceSettings } from './resources.ts';

/** What `run` and `create` can say of a container. */
export const containerOptions = {
  ...identityOptions,
  ...processOptions,
  ...lifeOptions,
  ...isolationOptions,
  ...namespaceOptions,
  ...mountOptions,
  ...resourceOptions,
  ...limitOptions,
  ...healthOptions,
  ...logOptions,
  cidfile: { type: 'text', value: 'FILE', help: "Write the container's ID to a new file" },
  pull: { type: 'text', value: 'WHEN', help: 'never, missing: there is no registry to pull from yet' },
} as const satisfies OptionTable;

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function containerSettings(
  values: Values<typeof containerOptions>,
  image: ImageChoice,
  command: readonly string[],
): CreateOptions<ImageChoice> {
  const { pull } = values;
  if (pull !== undefined && pull !== 'never' && pull !== 'missing')
    throw new HakoError('INVALID_OPTION', `--pull ${pull}: hako pulls no images; import them, and write never.`);
  return {
    image,
    ...identitySettings(values),
    ...processSettings(values, command),
    ...lifeSettings(values),
    ...isolationSettings(values),
    ...namespaceSettings(values),
    ...mountSettings(values),
    ...resourceSettings(values),
    ...limitSettings(values),
    ...healthSettings(values),
    ...logSettings(values),
  };
}
