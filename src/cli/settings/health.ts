import { HakoError } from '../../base/errors.ts';
import type { ContainerSettings } from '../../index.ts';
import type { OptionTable, Values } from '../options.ts';
import { defined } from '../values.ts';

export const healthOptions = {
  'health-cmd': { type: 'text', value: 'COMMAND', help: 'Command for the shell that tells whether it is healthy' },
  'health-tcp': { type: 'number', value: 'PORT', help: 'Healthy when something listens on this port' },
  'health-http': {
    type: 'text',
    value: 'PORT[/PATH]',
    help: 'Healthy when a GET is answered with a status of 200 to 399',
  },
  'health-file': { type: 'text', value: 'PATH', help: 'Healthy when there is such a file' },
  'health-interval': { type: 'text', value: 'TIME', help: 'Time between checks; default 30s' },
  'health-timeout': { type: 'text', value: 'TIME', help: 'Longest time of a check; default 30s' },
  'health-retries': { type: 'number', value: 'COUNT', help: 'Failures in a row until it is unhealthy; default 3' },
  'health-start-period': { type: 'text', value: 'TIME', help: 'Time in which failures do not count' },
  'health-start-interval': { type: 'text', value: 'TIME', help: 'Time between checks in the start period; default 5s' },
  'no-healthcheck': { type: 'flag', help: 'No check, also when the image has one' },
} as const satisfies OptionTable;

export function healthSettings(values: Values<typeof healthOptions>): ContainerSettings {
  const check = defined<NonNullable<ContainerSettings['healthcheck']>>({
    test: values['health-cmd'],
    tcp: values['health-tcp'],
    http: values['health-http'] === undefined ? undefined : httpCheck(values['health-http']),
    file: values['health-file'],
    interval: values['health-interval'],
    timeout: values['health-timeout'],
    retries: values['health-retries'],
    startPeriod: values['health-start-period'],
    startInterval: values['health-start-interval'],
  });
  const isGiven = Object.keys(check).length > 0;
  if (values['no-healthcheck'] !== true) return isGiven ? { healthcheck: check } : {};
  if (isGiven)
    throw new HakoError('INVALID_OPTION', '--no-healthcheck and the other --health options contradict each other.');
  return { healthcheck: { test: ['NONE'] } };
}

function httpCheck(text: string) {
  const [, port, path] = /^([0-9]+)(\/.*)?$/.exec(text) ?? [];
  if (port === undefined)
    throw new HakoError(
      'INVALID_OPTION',
      `--health-http: write PORT or PORT/PATH, such as 8080/healthz, not '${text}'.`,
    );
  return defined<{ port: number; path?: string }>({ port: Number(port), path });
}
