/** Microbenchmarks, in the order of the table that they were published in. Read by whoever has no need of the schema. */
export const MICROBENCHMARKS = [
  'hypercall',
  'trap',
  'ipi',
  'completion',
  'switch',
  'io-out',
  'io-in',
] as const;
export type MicrobenchmarkName = (typeof MICROBENCHMARKS)[number];
