import type { JsonValue, Plugin, PluginContext, PrivilegeMode } from 'libhako/plugin';
import { normal } from 'libhako/plugins/privilege/normal';
import { privileged } from 'libhako/plugins/privilege/privileged';
import { rootless } from 'libhako/plugins/privilege/rootless';
import { parsePluginOptions } from '../../src/plugins/define-plugin.ts';

export const modes = { normal, privileged, rootless };

/** One of the built-in modes, or a stranger's. */
export type ModePlugin = typeof normal | typeof privileged | typeof rootless | Plugin<'privilege'>;

/** Makes a mode as the registry does: from options as users write them. */
export function createMode(
  plugin: ModePlugin,
  context: PluginContext,
  options: Readonly<Record<string, JsonValue>> = {},
): Promise<PrivilegeMode> {
  // Each plugin takes what its own schema gives, which no type can say of several at once.
  const any = plugin as unknown as Plugin<'privilege'>;
  return any.create(context, parsePluginOptions(any, options));
}
