import { defineConfig } from 'vitest/config';
import config from '../../../vitest.config.ts';

export default defineConfig({
  ...(config.resolve === undefined ? {} : { resolve: config.resolve }),
  test: { include: ['test/support/broken-log-drivers/suite.ts'], testTimeout: 5_000, maxConcurrency: 16 },
});
