import { resolve } from 'node:path';
import { HakoError } from '../../base/errors.ts';
import type { ContainerSettings } from '../../index.ts';
import type { OptionTable, Values } from '../options.ts';
import { splitPair } from '../values.ts';

export const mountOptions = {
  volume: {
    type: 'list',
    short: 'v',
    value: 'HOST:INSIDE[:OPTIONS]',
    help: 'Show a directory or file of the host inside; options such as ro, nosuid, rslave, idmap',
  },
  mount: {
    type: 'list',
    value: 'MOUNT',
    help: 'type=bind,source=…,target=…[,readonly] or type=tmpfs,target=…[,tmpfs-size=…,tmpfs-mode=…]',
  },
  tmpfs: {
    type: 'list',
    value: 'INSIDE[:OPTIONS]',
    help: 'A file system in memory; options such as size=64m,mode=755',
  },
} as const satisfies OptionTable;

type Mount = NonNullable<ContainerSettings['mounts']>[number];
type Bind = Extract<Mount, { type: 'bind' }>;
type Tmpfs = Extract<Mount, { type: 'tmpfs' }>;

export function mountSettings(values: Values<typeof mountOptions>): ContainerSettings {
  const mounts = [...values.volume.map(parseVolume), ...values.mount.map(parseMount), ...values.tmpfs.map(parseTmpfs)];
  return mounts.length === 0 ? {} : { mounts };
}

const propagations: readonly string[] = ['private', 'rprivate', 'slave', 'rslave'];
/** What there is anyhow: `z` and `Z` ask for SELinux labels, which keep out no container of hako's; the last are for Macs. */
const bindDefaults: readonly string[] = [
  ...['', 'rw', 'rbind', 'suid', 'dev', 'exec'],
  ...['z', 'Z', 'consistent', 'cached', 'delegated'],
];

function parseVolume(text: string): Bind {
  const [source = '', target, options = '', ...more] = text.split(':');
  if (target === undefined || more.length > 0 || !/^[./~]/.test(source))
    throw new HakoError(
      'INVALID_OPTION',
      `--volume: '${text}' is none: write /directory/of/the/host:/directory/inside[:ro]. Volumes with names there are not.`,
    );
  return bind(source, target, options.split(','));
}

function bind(source: string, target: string, flags: readonly string[]): Bind {
  const given = flags.filter((flag) => !bindDefaults.includes(flag));
  const propagation = given.find((flag) => propagations.includes(flag));
  const options = given.filter((flag) => !['ro', 'bind', 'idmap', propagation].includes(flag));
  return {
    type: 'bind',
    source: resolve(source),
    target,
    readonly: given.includes('ro'),
    ...(given.includes('bind') ? { recursive: false } : {}),
    ...(given.includes('idmap') ? { idmap: true } : {}),
    // What is none of them is told by the schema, which lists them.
    ...(propagation === undefined ? {} : { propagation: propagation as NonNullable<Bind['propagation']> }),
    ...(options.length === 0 ? {} : { options: options as unknown as NonNullable<Bind['options']> }),
  };
}

/** What Docker's defaults are too. */
const tmpfsDefaults: readonly string[] = ['rw', 'nosuid', 'nodev', 'noexec', 'ro', ''];

function parseTmpfs(text: string): Tmpfs {
  const [target = '', options = ''] = text.split(':');
  return tmpfs(target, options.split(','));
}

function tmpfs(target: string, flags: readonly string[]): Tmpfs {
  const valued = new Map(flags.map(splitPair).filter((pair) => pair !== null));
  const unknown = [...valued.keys()].find((name) => name !== 'size' && name !== 'mode');
  if (unknown !== undefined)
    throw new HakoError(
      'INVALID_OPTION',
      `--tmpfs: there is no option '${unknown}' (there are: size, mode, and flags).`,
    );
  const [size, mode] = [valued.get('size'), valued.get('mode')];
  const options = flags.filter((flag) => splitPair(flag) === null && !tmpfsDefaults.includes(flag));
  return {
    type: 'tmpfs',
    target,
    readonly: flags.includes('ro'),
    ...(size === undefined ? {} : { size }),
    ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
    ...(options.length === 0 ? {} : { options: options as unknown as NonNullable<Tmpfs['options']> }),
  };
}

/** Docker's names for one field. */
const fieldNames: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
};
const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  bind: ['type', 'source', 'target', 'readonly', 'bind-propagation', 'bind-recursive', 'idmap'],
  tmpfs: ['type', 'target', 'readonly', 'tmpfs-size', 'tmpfs-mode'],
};

function parseMount(text: string): Mount {
  const fields = new Map(
    text.split(',').map((word) => {
      const [name, value] = splitPair(word) ?? [word, 'true'];
      return [fieldNames[name] ?? name, value];
    }),
  );
  const type = fields.get('type') ?? 'volume';
  const known = fieldsOf[type];
  const target = fields.get('target');
  const source = fields.get('source');
  const unknown = [...fields.keys()].find((name) => known?.includes(name) === false);
  if (known === undefined || target === undefined || unknown !== undefined || (type === 'bind' && source === undefined))
    throw new HakoError(
      'INVALID_OPTION',
      `--mount: '${text}' is none${unknown === undefined ? '' : ` (because of ${unknown})`}: write type=bind,source=…,target=…[,readonly] or type=tmpfs,target=….`,
    );
  const isOn = (name: string) => fields.get(name) === 'true' || fields.get(name) === '1';
  const flags = isOn('readonly') ? ['ro'] : [];
  if (type === 'tmpfs') {
    const valued = (['size', 'mode'] as const).flatMap((name) => {
      const value = fields.get(`tmpfs-${name}`);
      return value === undefined ? [] : [`${name}=${value}`];
    });
    return tmpfs(target, [...flags, ...valued]);
  }
  if (fields.get('bind-recursive') === 'disabled') flags.push('bind');
  if (isOn('idmap')) flags.push('idmap');
  return bind(source ?? '', target, [...flags, fields.get('bind-propagation') ?? '']);
}
