// Which way the arrows point. Each rule looks at one import and gives a sentence when it is not allowed.
import { fileSystemUsers } from './file-system-users.mjs';

/** From the bottom up: a layer may import itself and those below it. */
const layers = [
  ['src/base'],
  ['src/contracts', 'src/oci'],
  [
    ...[
      'cgroup',
      'container',
      'content',
      'host',
      'image',
      'log',
      'native',
      'network',
      'plugins',
      'registry',
      'seccomp',
      'volume',
    ].map((name) => `src/${name}`),
  ],
  ['src/core', 'src/plugin.ts', 'src/plugin-conformance.ts'],
  ['src/index.ts'],
  ['src/cli', 'src/testing', 'src/testing.ts'],
];

/** What plugin authors import. */
const pluginEntries = ['src/plugin.ts', 'src/plugin-conformance.ts'];

const inside = (file, place) => file === place || file.startsWith(`${place}/`);

function layerOf(file) {
  return layers.findIndex((places) => places.some((place) => inside(file, place)));
}

/** `plugins/<kind>/<id>` of a file in it. */
function pluginOf(file) {
  return /^plugins\/[^/]+\/[^/]+(?=\/)/.exec(file)?.[0];
}

function layering(file, { target }) {
  if (!file.startsWith('src/') || target?.startsWith('src/') !== true) return undefined;
  const from = layerOf(file);
  const to = layerOf(target);
  if (from === -1)
    return `'${file}' is in no layer: put it into one, or add its directory to scripts/dependencies/rules.mjs`;
  if (to > from) return `an arrow that turns back: a file of ${layers[from].join(', ')} may not import '${target}'`;
  // These are of the core's layer, but strangers import them: the core must not come with them.
  if (pluginEntries.includes(file) && inside(target, 'src/core'))
    return `'${file}' may not import the core ('${target}')`;
  return undefined;
}

function publicApiOnly(file, { target }) {
  // src/base has no power: helpers without I/O.
  const allowed = ['src/cli', 'src/base', 'src/index.ts'];
  if (!inside(file, 'src/cli') || target === undefined || allowed.some((place) => inside(target, place)))
    return undefined;
  return `the command is built on the public API: import from src/index.ts instead of '${target}'`;
}

function pluginsByTheFrontDoor(file, { specifier, target }) {
  const plugin = pluginOf(file);
  if (plugin === undefined) return undefined;
  if (target !== undefined) {
    return inside(target, plugin) ? undefined : `a plugin imports 'libhako/plugin' and its own files, not '${target}'`;
  }
  if (specifier === 'libhako/plugin' || specifier?.startsWith('libhako') !== true) return undefined;
  return `a plugin imports 'libhako/plugin' only, not '${specifier}'`;
}

function onlyDefaultsNamePlugins(file, { specifier, target }) {
  const names = target?.startsWith('plugins/') === true || specifier?.startsWith('libhako/plugins/') === true;
  // The index hands the built-in plugins' factories (jsonFile, overlay2 …) on to users.
  if (!names || pluginOf(file) !== undefined || file === 'src/core/defaults.ts' || file === 'src/index.ts')
    return undefined;
  return file.startsWith('src/') ? 'only src/core/defaults.ts names plugins' : undefined;
}

function noSelfImport(file, { specifier }) {
  if (!file.startsWith('src/') || !/^libhako(\/|$)/.test(specifier ?? '')) return undefined;
  return `src imports its own files by path, not as '${specifier}'`;
}

function addonBehindNative(file, { specifier, names }) {
  if (inside(file, 'src/native')) return undefined;
  if (specifier?.endsWith('.node')) return 'only src/native touches the addon';
  if (specifier === 'node:module' && names.some((name) => name === 'createRequire' || name === '*')) {
    return 'only src/native loads the addon (createRequire)';
  }
  return undefined;
}

function injectorOnly(file, { specifier, names }) {
  if (specifier !== 'tsyringe' || file === 'src/core/injector.ts') return undefined;
  const place = layerOf(file);
  const service = place >= 2 && !pluginEntries.includes(file) && file !== 'src/index.ts' && !inside(file, 'src/cli');
  if (!service) return 'tsyringe is for services: plugins, contracts and the public API never see it';
  const other = names.filter((name) => name !== 'inject' && name !== 'injectable');
  return other.length === 0 ? undefined : `only src/core/injector.ts imports ${other.join(', ')} of tsyringe`;
}

const fileSystemModules = new Set(['fs', 'fs/promises', 'node:fs', 'node:fs/promises']);

function filesByDescriptor(file, { specifier, typeOnly }) {
  if (typeOnly || !fileSystemModules.has(specifier) || fileSystemUsers.has(file)) return undefined;
  return `'${specifier}' follows links that an image may have planted; for hako's own files, say so in scripts/dependencies/file-system-users.mjs`;
}

function builtinsWithPrefix(_file, { specifier }) {
  return /^(fs|path|os|net|crypto|stream|util|url|child_process|module)(\/|$)/.test(specifier ?? '')
    ? `write 'node:${specifier}'`
    : undefined;
}

export const rules = [
  layering,
  publicApiOnly,
  pluginsByTheFrontDoor,
  onlyDefaultsNamePlugins,
  noSelfImport,
  addonBehindNative,
  injectorOnly,
  filesByDescriptor,
  builtinsWithPrefix,
];
