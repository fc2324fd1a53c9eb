import { HakoError } from '../../base/errors.ts';
import type { ContainerSettings } from '../../index.ts';
import type { OptionTable, Values } from '../options.ts';
import { defined, orNothing, parsePairs } from '../values.ts';
import { securitySettings } from './security-opt.ts';

export const isolationOptions = {
  mode: { type: 'text', value: 'MODE', help: 'Privilege mode: normal, privileged, rootless' },
  privileged: { type: 'flag', help: 'Short for --mode privileged' },
  userns: {
    type: 'text',
    value: 'USERNS',
    help: 'auto: ids of its own for the container (mode normal); host: those of the host',
  },
  'cap-add': { type: 'list', value: 'CAPABILITY', help: 'Grant a capability, or ALL' },
  'cap-drop': { type: 'list', value: 'CAPABILITY', help: 'Take a capability away, or ALL' },
  'security-opt': {
    type: 'list',
    value: 'OPTION',
    help: 'seccomp=FILE|unconfined, no-new-privileges, apparmor=PROFILE|unconfined, systempaths=unconfined',
  },
  'read-only': { type: 'flag', help: 'Nothing can be written to the root' },
  device: { type: 'list', value: 'HOST[:INSIDE[:rwm]]', help: 'A device of the host' },
  'device-cgroup-rule': { type: 'list', value: 'RULE', help: "A rule for devices, such as 'c 10:* rwm'" },
  sysctl: { type: 'list', value: 'NAME=VALUE', help: "A kernel setting of the container's namespaces" },
} as const satisfies OptionTable;

export function isolationSettings(values: Values<typeof isolationOptions>): ContainerSettings {
  const add = orNothing(values['cap-add']);
  const drop = orNothing(values['cap-drop']);
  return defined<ContainerSettings>({
    ...securitySettings(values['security-opt']),
    mode: modeOf(values),
    capabilities: add === undefined && drop === undefined ? undefined : defined({ add, drop }),
    readonlyRoot: values['read-only'],
    devices: orNothing(values.device),
    deviceRules: orNothing(values['device-cgroup-rule']),
    sysctls: values.sysctl.length === 0 ? undefined : parsePairs(values.sysctl),
  });
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` for words that contradict each other */
function modeOf({ mode, privileged, userns }: Values<typeof isolationOptions>): ContainerSettings['mode'] {
  if (privileged === true && mode !== undefined && mode !== 'privileged')
    throw new HakoError('INVALID_OPTION', `--privileged and --mode ${mode} contradict each other; write one of them.`);
  const chosen = privileged === true ? 'privileged' : mode;
  if (userns === undefined) return chosen;
  if (userns !== 'auto' && userns !== 'host')
    throw new HakoError('INVALID_OPTION', `--userns: '${userns}' is none: write auto or host.`);
  if (chosen !== undefined && chosen !== 'normal')
    throw new HakoError('INVALID_OPTION', `--userns is for the mode normal; ${chosen} has its own way with ids.`);
  return { driver: 'normal', options: { userns } };
}
