import type { ContainerSettings } from '../../index.ts';
import type { OptionTable, Values } from '../options.ts';
import { defined } from '../values.ts';

export const lifeOptions = {
  rm: { type: 'flag', help: 'Remove the container after its end' },
  restart: {
    type: 'text',
    value: 'POLICY',
    help: 'no (default), always, unless-stopped, on-failure[:MOST]',
  },
  'stop-signal': { type: 'text', value: 'SIGNAL', help: 'What asks it to stop' },
  'stop-timeout': { type: 'number', value: 'SECONDS', help: 'Seconds until a stop becomes a kill' },
} as const satisfies OptionTable;

export function lifeSettings(values: Values<typeof lifeOptions>): ContainerSettings {
  return defined<ContainerSettings>({
    autoRemove: values.rm,
    restart: values.restart,
    stopSignal: values['stop-signal'],
    stopTimeout: values['stop-timeout'],
  });
}
