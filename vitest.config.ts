import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// The tests run the sources, not dist: what a user imports by name is the file that dist is compiled from.
const alias = [
  { find: /^libhako$/, replacement: here('src/index.ts') },
  { find: /^libhako\/testing$/, replacement: here('src/testing.ts') },
  { find: /^libhako\/plugin$/, replacement: here('src/plugin.ts') },
  { find: /^libhako\/plugin\/conformance$/, replacement: here('src/plugin-conformance.ts') },
  { find: /^libhako\/plugins\/([a-z0-9-]+)\/([a-z0-9-]+)$/, replacement: here('plugins/$1/$2/index.ts') },
];

// Two cores: the pure tests share both first; then come those that start real containers, two files at a time.
// A sanitized program takes several times as long.
const patience = process.env['HAKO_SANITIZE'] === '1' ? 4 : 1;

const project = (name: string, groupOrder: number, timeout: number, testTimeout = timeout * patience) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout,
    hookTimeout: testTimeout,
    sequence: { groupOrder },
  },
});

export default defineConfig({
  resolve: { alias },
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  test: {
    globalSetup: [here('test/support/leak-check.ts')],
    pool: 'forks',
    maxWorkers: 2,
    restoreMocks: true,
    // Many tests race, kill and time real processes on whatever else the machine does. vitest says of each that needed
    // a second try; one that fails twice has failed.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    projects: [
      project('unit', 0, 20_000),
      project('native', 1, 60_000),
      project('conformance', 1, 60_000),
      project('integration', 1, 60_000),
      project('security', 1, 60_000),
      project('types', 2, 120_000),
      project('packaging', 2, 240_000),
      project('peers', 2, 120_000),
      project('soak', 2, 180_000),
    ],
  },
});
