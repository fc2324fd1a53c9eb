import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** The compiled package: what a program of a user's runs, in a process of its own. `npm test` builds it first. */
export const built = {
  repository,
  entry: `${repository}dist/src/index.js`,
  cli: `${repository}dist/src/command/main.js`,
  /** What npm puts on the PATH for it. */
  command: `${repository}bin/hako`,
} as const;
