import type { ContainerSettings } from '../../index.ts';
import { readPairLines } from '../files.ts';
import type { OptionTable, Values } from '../options.ts';
import { defined, orNothing, parsePairs } from '../values.ts';

/** What `run`, `create` and `exec` say alike of a program. */
export const programOptions = {
  interactive: { type: 'flag', short: 'i', help: 'Feed the program from stdin' },
  tty: { type: 'flag', short: 't', help: 'Give the program a terminal' },
  env: { type: 'list', short: 'e', value: 'NAME=VALUE', help: 'Set a variable; NAME alone: as it is here' },
  'env-file': { type: 'list', value: 'FILE', help: 'Set the variables of a file, one a line' },
  workdir: { type: 'text', short: 'w', value: 'DIR', help: 'Working directory' },
  user: { type: 'text', short: 'u', value: 'USER[:GROUP]', help: 'User, and group, by name or number' },
} as const satisfies OptionTable;

export const processOptions = {
  ...programOptions,
  entrypoint: { type: 'text', value: 'PROGRAM', help: "Instead of the image's entrypoint; empty: none" },
  'group-add': { type: 'list', value: 'GROUP', help: 'A further group of the program' },
  init: { type: 'flag', help: 'Run an init that reaps processes and passes signals on' },
  umask: { type: 'text', value: 'MODE', help: 'umask of the program, in octal' },
} as const satisfies OptionTable;

export function programSettings(values: Values<typeof programOptions>) {
  const fromHere = (name: string) => process.env[name];
  return defined({
    stdin: values.interactive === true,
    tty: values.tty === true,
    env: parsePairs(
      [...values['env-file'].flatMap((file) => readPairLines(file, '--env-file')), ...values.env],
      fromHere,
    ),
    workingDirectory: values.workdir,
    user: values.user,
  });
}

export function processSettings(values: Values<typeof processOptions>, command: readonly string[]): ContainerSettings {
  const { entrypoint, umask } = values;
  return defined<ContainerSettings>({
    ...programSettings(values),
    command: orNothing(command),
    entrypoint: entrypoint === undefined ? undefined : entrypoint === '' ? [] : [entrypoint],
    groups: orNothing(values['group-add']),
    init: values.init,
    umask: umask === undefined ? undefined : Number.parseInt(umask, 8),
  });
}
