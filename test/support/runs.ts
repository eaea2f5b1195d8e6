/**
 * How often random tests run: few times with a fixed seed every day; FUZZ_RUNS=N for N times, beginning
 * with FUZZ_SEED or a seed of the moment, which a failure prints.
 */
const { FUZZ_RUNS, FUZZ_SEED } = process.env;

export function runs(numRuns: number): { numRuns: number; seed: number; interruptAfterTimeLimit: number } {
  const seed = FUZZ_SEED !== undefined ? Number(FUZZ_SEED) : FUZZ_RUNS === undefined ? 1 : Date.now() | 0;
  return {
    numRuns: FUZZ_RUNS === undefined ? numRuns : Number(FUZZ_RUNS),
    seed,
    // a failure that shrinks for long is shown as far as it got
    interruptAfterTimeLimit: limit() - 15_000,
  };
}

/** The time such a test may take, in ms. */
export function limit(): number {
  return 120_000 + Number(FUZZ_RUNS ?? 0) * 3_000;
}
