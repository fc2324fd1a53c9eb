import { HakoError } from '../../base/errors.ts';
import type { ContainerSettings } from '../../index.ts';
import type { OptionTable, Values } from '../options.ts';
import { defined } from '../values.ts';

export const namespaceOptions = {
  network: {
    type: 'text',
    aliases: ['net'],
    value: 'NETWORK',
    help: 'none (default: a loopback alone), host, or container:NAME',
  },
  pid: { type: 'text', value: 'NAMESPACE', help: 'private (default), host, or container:NAME' },
  ipc: { type: 'text', value: 'NAMESPACE', help: 'private (default), host, or container:NAME' },
  uts: { type: 'text', value: 'NAMESPACE', help: 'private (default), host, or container:NAME' },
  cgroupns: { type: 'text', value: 'NAMESPACE', help: 'private (default), or host' },
} as const satisfies OptionTable;

type Choice = 'private' | 'host' | { readonly container: string };

/** Docker's other words for what is private here anyhow. */
const privateWords: Readonly<Record<string, readonly string[]>> = { network: ['none'], ipc: ['shareable'] };

export function namespaceSettings(values: Values<typeof namespaceOptions>): ContainerSettings {
  const { network, pid, ipc, uts, cgroupns } = values;
  const namespaces = defined<NonNullable<ContainerSettings['namespaces']>>({
    network: choice('network', network),
    pid: choice('pid', pid),
    ipc: choice('ipc', ipc),
    uts: choice('uts', uts),
    cgroup: choice('cgroupns', cgroupns),
  });
  return Object.keys(namespaces).length === 0 ? {} : { namespaces };
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
function choice(option: string, text: string | undefined): Choice | undefined {
  if (text === undefined) return undefined;
  if (text === 'private' || privateWords[option]?.includes(text) === true) return 'private';
  if (text === 'host') return 'host';
  const container = /^container:(.+)$/.exec(text)?.[1];
  if (container !== undefined) return { container };
  const words = option === 'network' ? 'none' : 'private';
  throw new HakoError('INVALID_OPTION', `--${option}: '${text}' is none: write ${words}, host or container:NAME.`);
}
