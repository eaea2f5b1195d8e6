import { defineConfig } from 'vitest/config';
import { forVite as scenarios } from './scenarios.mjs';

export default defineConfig({
  plugins: [scenarios],
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    testTimeout: 60_000,
    pool: 'forks',
  },
});
