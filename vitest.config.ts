import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { forVite as scenarios } from './scenarios.mjs';

/** Tests that look at the clock on the wall: one after the other, when nothing else runs. */
const TIMED = [
  'test/tui/{terminal,viewers,memory}.test.{ts,tsx}',
  'test/cli/{startup,serve,serve-ends,ctl}.test.ts',
  'test/interop/{prometheus,procfs}.test.ts',
  'test/machine/scale.test.ts',
];

/** Tests of the engine alone: it keeps nothing from one machine to the next, so that files may follow each other in a process. */
const ENGINE = [
  'abi',
  'conformance',
  'core',
  'devices',
  'export',
  'guest',
  'hv',
  'hw',
  'import',
  'machine',
  'proc',
  'scenario',
];
const OF_ENGINE = ENGINE.map((folder) => `test/${folder}/**/*.test.ts`);

/** The longest: begun last, one of them would keep one CPU busy while the other has nothing to do. */
const LONGEST = [
  'test/guest/liveness.test.ts',
  'test/tui/every-key.test.ts',
  'test/machine/state.test.ts',
  'test/machine/property.test.ts',
  'test/guest/drivers.test.ts',
  'test/tui/time-travel.test.ts',
  'test/machine/demos.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

const COMMON = {
  testTimeout: 60_000,
  pool: 'forks',
  // a built-in scenario depends on the schema as well as on its file, which the cache does not know
  fsModuleCache: false,
} as const;

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        plugins: [scenarios],
        test: {
          ...COMMON,
          name: 'engine',
          include: OF_ENGINE,
          exclude: TIMED,
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [scenarios],
        test: {
          ...COMMON,
          name: 'program',
          include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
          exclude: [...TIMED, ...OF_ENGINE],
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
