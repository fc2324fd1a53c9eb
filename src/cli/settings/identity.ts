import type { ContainerSettings } from '../../index.ts';
import { readPairLines } from '../files.ts';
import type { OptionTable, Values } from '../options.ts';
import { defined, parsePairs } from '../values.ts';

export const identityOptions = {
  name: { type: 'text', value: 'NAME', help: 'Name of the container; default: two random words' },
  hostname: { type: 'text', short: 'h', value: 'NAME', help: 'Host name inside' },
  domainname: { type: 'text', value: 'NAME', help: 'NIS domain name inside' },
  label: { type: 'list', short: 'l', value: 'NAME=VALUE', help: 'A label' },
  'label-file': { type: 'list', value: 'FILE', help: 'The labels of a file, one a line' },
} as const satisfies OptionTable;

export function identitySettings(values: Values<typeof identityOptions>): ContainerSettings {
  const fromFiles = values['label-file'].flatMap((file) => readPairLines(file, '--label-file'));
  return defined<ContainerSettings>({
    name: values.name,
    hostname: values.hostname,
    domainname: values.domainname,
    labels: parsePairs([...fromFiles, ...values.label]),
  });
}
