import { z } from 'zod';
import type { OperationOptions } from '../../contracts/operation.ts';
import { compileRe2 } from '../../log/attributes.ts';
import { operationOptions } from '../call-options.ts';
import type { ContainerState } from '../container-state.ts';
import type { HealthStatus } from '../health/health.ts';
import { oneOrMore } from '../option-parts.ts';
import { parseOptions } from '../options.ts';

/** Docker's filters. Of several values of one any will do, but for `label`; of several filters all must hold. @public */
export interface ContainerFilters {
  /** The beginning of an ID. */
  readonly id?: string | readonly string[];
  /** A regular expression (RE2) that is found in the name. */
  readonly name?: string | readonly string[];
  /** `'key'` or `'key=value'`; all of them. */
  readonly label?: string | readonly string[];
  readonly status?: ContainerState['status'] | readonly ContainerState['status'][];
  /** The image: the reference that it was asked for by, its ID, or the beginning of that. */
  readonly ancestor?: string | readonly string[];
  /** Exit codes, of containers that have ended. */
  readonly exited?: number | readonly number[];
  /** `none`: without a health check. */
  readonly health?: HealthStatus | 'none' | readonly (HealthStatus | 'none')[];
  /** Made before, or since, that container, by name or ID. */
  readonly before?: string;
  /** Made after the container of this name or id. */
  readonly since?: string;
  /** A path on either side of a mount. */
  readonly volume?: string | readonly string[];
}

/** Which containers to list. @public */
export interface ListOptions extends OperationOptions {
  /** Default true; false: only those that run, are paused or about to be restarted. */
  readonly all?: boolean;
  /** At most so many, the newest. */
  readonly limit?: number;
  readonly filters?: ContainerFilters;
}

/** Which of the containers that do not run to remove. @public */
export interface PruneFilters {
  /** Only those made before. */
  readonly until?: Date;
  /** `'key'` or `'key=value'`; all of them. */
  readonly label?: string | readonly string[];
  /** None of these. */
  readonly 'label!'?: string | readonly string[];
}

/** Which of the containers that do not run to remove. @public */
export interface PruneOptions extends OperationOptions {
  readonly filters?: PruneFilters;
}

const words = oneOrMore(z.string());
const statuses = [
  'creating',
  'created',
  'starting',
  'running',
  'paused',
  'restarting',
  'exited',
  'lost',
  'removing',
] as const;

const expressions = oneOrMore(z.string()).transform((patterns) => patterns.map(compileRe2));

const listOptions = z.strictObject({
  ...operationOptions,
  all: z.boolean().default(true),
  limit: z.int().min(0).optional(),
  filters: z
    .strictObject({
      id: words.optional(),
      name: expressions.optional(),
      label: words.optional(),
      status: oneOrMore(z.enum(statuses)).optional(),
      ancestor: words.optional(),
      exited: oneOrMore(z.int()).optional(),
      health: oneOrMore(z.enum(['starting', 'healthy', 'unhealthy', 'none'])).optional(),
      before: z.string().optional(),
      since: z.string().optional(),
      volume: words.optional(),
    })
    .default({}),
});

const pruneOptions = z.strictObject({
  ...operationOptions,
  filters: z
    .strictObject({ until: z.date().optional(), label: words.optional(), 'label!': words.optional() })
    .default({}),
});

export type ParsedListOptions = z.output<typeof listOptions>;
export type ParsedPruneOptions = z.output<typeof pruneOptions>;

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export const parseListOptions = (options: ListOptions) => parseOptions(listOptions, options, 'list');

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export const parsePruneOptions = (options: PruneOptions) => parseOptions(pruneOptions, options, 'prune');
