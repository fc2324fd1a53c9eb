import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

/** What a group of tests can't do without. */
export interface Requirements {
  readonly root?: boolean;
  /** Programs on the PATH, /usr/sbin and /sbin included. */
  readonly tools?: readonly string[];
  /** Paths that must be readable: reference data, a device. */
  readonly paths?: readonly string[];
  /** Anything else: what is missing, or undefined. */
  readonly other?: () => string | undefined;
  /** What only bench/peers.sh installs: what is missing, or undefined. Also with HAKO_TEST_STRICT the tests are skipped then. */
  readonly peer?: () => string | undefined;
}

const searchPath = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The full path of a program, or undefined. */
export function findTool(name: string): string | undefined {
  return searchPath.map((directory) => join(directory, name)).find((path) => accessible(path, constants.X_OK));
}

function accessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** What is missing here, in words; undefined when nothing is. */
export function unmet(requirements: Requirements): string | undefined {
  const missing = [
    requirements.root === true && process.getuid?.() !== 0 ? 'root' : undefined,
    ...(requirements.tools ?? []).map((tool) => (findTool(tool) === undefined ? `the program '${tool}'` : undefined)),
    ...(requirements.paths ?? []).map((path) => (accessible(path, constants.R_OK) ? undefined : `'${path}'`)),
    requirements.other?.(),
  ].filter((what) => what !== undefined);
  return missing.length === 0 ? undefined : missing.join(', ');
}

/**
 * A `describe` whose tests are skipped, with what is missing in their name, where a requirement is unmet.
 * With HAKO_TEST_STRICT=1 (CI sets it, and scripts/test-setup.mjs has installed all that it can) they run and fail
 * instead, so that a test never vanishes for want of an installation step.
 */
export function describeWith(requirements: Requirements, name: string, body: () => void): void {
  const peer = requirements.peer?.();
  const missing = unmet(requirements) ?? peer;
  if (missing === undefined || (peer === undefined && process.env['HAKO_TEST_STRICT'] === '1')) describe(name, body);
  else describe.skip(`${name} [skipped: needs ${missing}]`, body);
}
