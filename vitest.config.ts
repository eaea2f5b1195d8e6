import { defineConfig } from 'vitest/config';
import { forVite as scenarios } from './scenarios.mjs';

export default defineConfig({
  plugins: [scenarios],
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    testTimeout: 60_000,
    pool: 'forks',
    // a built-in scenario depends on the schema as well as on its file, which the cache does not know
    fsModuleCache: false,
  },
});
