import type { ContainerSettings } from '../../index.ts';
import type { OptionTable, Values } from '../options.ts';
import { parsePairs } from '../values.ts';

export const logOptions = {
  'log-driver': { type: 'text', value: 'DRIVER', help: 'json-file (default), none, or another' },
  'log-opt': { type: 'list', value: 'NAME=VALUE', help: 'An option of the log driver, such as max-size=10m' },
} as const satisfies OptionTable;

export function logSettings(values: Values<typeof logOptions>): ContainerSettings {
  const { 'log-driver': driver, 'log-opt': options } = values;
  if (driver === undefined && options.length === 0) return {};
  return { log: { driver: driver ?? 'json-file', options: parsePairs(options) } };
}
