import { jsonFile } from '../../plugins/log/json-file/index.ts';
import { none } from '../../plugins/log/none/index.ts';
import { normal } from '../../plugins/privilege/normal/index.ts';
import { privileged } from '../../plugins/privilege/privileged/index.ts';
import { rootless } from '../../plugins/privilege/rootless/index.ts';
import { overlay2 } from '../../plugins/storage/overlay2/index.ts';
import { vfs } from '../../plugins/storage/vfs/index.ts';
import type { Plugin } from '../contracts/plugin-definition.ts';

/** The only place that names the built-in plugins. */
export const builtinPlugins = [
  overlay2,
  vfs,
  privileged,
  normal,
  rootless,
  jsonFile,
  none,
] as unknown as readonly Plugin[];

/** The first that the host supports. */
export const preferredStorage = ['overlay2', 'vfs'] as const;

export const preferredModes = { root: 'normal', user: 'rootless' } as const;

/** Rotation is on: an unlimited log is the commonest way for containers to fill a disk. */
export const defaultLog = { driver: 'json-file', options: { 'max-size': '10m', 'max-file': 3 } } as const;
