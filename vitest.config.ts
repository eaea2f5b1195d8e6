import { defineConfig } from 'vitest/config';
import { forVite as scenarios } from './scenarios.mjs';

/** Tests that look at the clock on the wall: one after the other, when nothing else runs. */
const TIMED = [
  'test/tui/{terminal,viewers,memory}.test.{ts,tsx}',
  'test/cli/{startup,serve,serve-ends,ctl}.test.ts',
  'test/interop/{prometheus,procfs}.test.ts',
  'test/machine/scale.test.ts',
];

const COMMON = {
  testTimeout: 60_000,
  pool: 'forks',
  // a built-in scenario depends on the schema as well as on its file, which the cache does not know
  fsModuleCache: false,
} as const;

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [scenarios],
        test: {
          ...COMMON,
          name: 'all',
          include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
          exclude: TIMED,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [scenarios],
        test: { ...COMMON, name: 'timed', include: TIMED, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
