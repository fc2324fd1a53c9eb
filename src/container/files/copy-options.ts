import { z } from 'zod';
import type { OperationOptions } from '../../contracts/operation.ts';
import { operationOptions } from '../call-options.ts';
import { parseOptions } from '../options.ts';

/** How files are looked at, or taken out of a container. @public */
export interface CopyOutOptions extends OperationOptions {
  /** When the path is a symbolic link, copy what it leads to. Default false: the link. */
  readonly followLink?: boolean;
}

/** How files are taken out of a container to a path of the host. @public */
export interface CopyOutToHostOptions extends CopyOutOptions {
  /** Keep user and group ids, which takes the right to; by default everything belongs to who copies. */
  readonly archive?: boolean;
  /**
   * Keep set-user-ID and set-group-ID modes, devices and file capabilities, as `docker cp` does. Whoever is root in the
   * container becomes whom they say on the host: only for containers that are trusted like the host. Default false: modes
   * are kept without those bits, devices are left out, file capabilities too.
   */
  readonly keepSpecial?: boolean;
}

/** How files are put into a container. @public */
export interface CopyInOptions extends OperationOptions {
  /** When a path of the host is a symbolic link, copy what it leads to. Default false: the link. */
  readonly followLink?: boolean;
  /**
   * Keep the user and group ids of what is copied. Otherwise everything belongs to the container's root. Default: true
   * for an archive and for files in memory, false for a path of the host.
   */
  readonly archive?: boolean;
  /** Refuse to put a directory in the place of anything else, and anything else in that of a directory. Default true. */
  readonly noOverwriteDirNonDir?: boolean;
}

const flag = z.boolean().optional();
const copyOut = z.strictObject({ ...operationOptions, followLink: flag });
const copyOutToHost = z.strictObject({ ...operationOptions, followLink: flag, archive: flag, keepSpecial: flag });
const copyIn = z.strictObject({ ...operationOptions, followLink: flag, archive: flag, noOverwriteDirNonDir: flag });
const waiting = z.strictObject(operationOptions);

/** Checks what was given. Each throws `HAKO_ERR_INVALID_OPTION`, naming what is wrong. */
export const givenFiles = {
  copyOut: (options: unknown) => parseOptions(copyOut, options, 'copy') as CopyOutOptions,
  copyOutToHost: (options: unknown) => parseOptions(copyOutToHost, options, 'copy') as CopyOutToHostOptions,
  copyIn: (options: unknown) => parseOptions(copyIn, options, 'copy') as CopyInOptions,
  waiting: (options: unknown, what: string) => parseOptions(waiting, options, what) as OperationOptions,
};
