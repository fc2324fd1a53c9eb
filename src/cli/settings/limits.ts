import { HakoError } from '../../base/errors.ts';
import type { ContainerSettings } from '../../index.ts';
import type { OptionTable, Values } from '../options.ts';
import { defined, splitPair } from '../values.ts';

export const limitOptions = {
  ulimit: { type: 'list', value: 'NAME=SOFT[:HARD]', help: 'A limit of getrlimit(2), such as nofile=1024:4096' },
  'shm-size': { type: 'text', value: 'BYTES', help: 'Size of /dev/shm; default 64m' },
  'storage-opt': { type: 'list', value: 'size=BYTES', help: 'Most that it may write to its own root' },
  'oom-score-adj': { type: 'number', value: 'SCORE', help: 'How soon the kernel kills it for want of memory' },
} as const satisfies OptionTable;

export function limitSettings(values: Values<typeof limitOptions>): ContainerSettings {
  return defined<ContainerSettings>({
    ulimits: values.ulimit.length === 0 ? undefined : Object.fromEntries(values.ulimit.map(parseUlimit)),
    shmSize: values['shm-size'],
    storageQuota: values['storage-opt'].map(parseQuota).at(-1),
    oomScoreAdj: values['oom-score-adj'],
  });
}

function parseUlimit(word: string): [name: string, limit: { soft: number; hard: number }] {
  const [name, limits] = splitPair(word) ?? [word, ''];
  const [soft, hard = soft, ...more] = limits.split(':').map(parseLimit);
  if (soft === undefined || hard === undefined || more.length > 0 || Number.isNaN(soft) || Number.isNaN(hard))
    throw new HakoError('INVALID_OPTION', `--ulimit: '${word}' is none: write NAME=SOFT[:HARD], such as nofile=1024.`);
  return [name, { soft, hard }];
}

function parseQuota(word: string): string {
  const [name, size] = splitPair(word) ?? [];
  if (name === 'size' && size !== undefined) return size;
  throw new HakoError('INVALID_OPTION', `--storage-opt: '${word}' is none: write size=BYTES, such as size=10g.`);
}

function parseLimit(text: string): number {
  if (text === 'unlimited') return -1;
  return /^(-1|\d+)$/.test(text) ? Number(text) : Number.NaN;
}
