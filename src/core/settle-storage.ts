import { HakoError } from '../base/errors.ts';
import type { PluginRegistry } from '../plugins/registry.ts';
import { preferredStorage } from './defaults.ts';
import type { ParsedRuntimeOptions } from './options.ts';
import type { Properties } from './state/properties.ts';

/**
 * The storage driver of a root: the one that it is used with already, else the one that is asked for, else the first
 * that works here. With another one than before, images and containers would seem to have lost their files.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` when another is asked for than the root is used with
 */
export function settleStorage(
  properties: Properties,
  plugins: PluginRegistry,
  asked: ParsedRuntimeOptions['storage'],
  root: string,
): NonNullable<ParsedRuntimeOptions['storage']> {
  const wanted = asked ?? {
    driver: properties.get('storage') ?? plugins.firstSupported('storage', preferredStorage),
    options: {},
  };
  plugins.check('storage', wanted);
  const settled = properties.settle('storage', wanted.driver);
  if (settled === wanted.driver) return wanted;
  throw new HakoError(
    'INVALID_OPTION',
    `The root ${root} is used with the storage driver '${settled}', not '${wanted.driver}'. Open it with that one, or choose another root for '${wanted.driver}'.`,
    { path: root },
  );
}
