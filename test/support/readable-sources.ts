import { constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export const project = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** What is missing for somebody without rights to run the sources; undefined when nothing is. */
export function closedSources(): string | undefined {
  for (let path = project; path !== '/'; path = dirname(path)) {
    if ((statSync(path).mode & constants.S_IXOTH) === 0) return `a clone that others may read ('${path}' is closed)`;
  }
  return undefined;
}
