/** What a benchmark is, and the table it prints. */

export interface Bench {
  /** to choose it on the command line */
  readonly name: string;
  /** it is part of another one, which runs without being named */
  readonly onlyByName?: boolean;
  run(): Result[] | Promise<Result[]>;
}

/** One line of the table. */
export interface Result {
  /** e.g. `hold, 64 timers` */
  readonly title: string;
  /** what was measured, with its unit: `41.2 ns` */
  readonly measured: string;
  /** what it is compared with, in the same unit; or why there is nothing to compare with */
  readonly beside?: string;
  /** a promise that is kept or broken */
  readonly gate?: Gate;
}

export interface Gate {
  /** must not exceed the limit */
  readonly value: number;
  readonly limit: number;
  /** e.g. `x C` */
  readonly unit: string;
}

export function kept(gate: Gate): boolean {
  return gate.value <= gate.limit;
}

/** `41.2 ns` */
export function inUnit(value: number, unit: string): string {
  return `${value.toPrecision(3)} ${unit}`;
}

/** The smallest of several measurements: the others had company on the CPU. */
export function best(values: readonly number[]): number {
  return Math.min(...values);
}

/** Nanoseconds per call of the inner loop: `loop` does `count` of them. */
export function nsPer(count: number, loop: () => void): number {
  const start = performance.now();
  loop();
  return ((performance.now() - start) * 1e6) / count;
}

/** Nanoseconds that it takes by itself: not those that others have the processor for meanwhile. */
export function cpuNs(work: () => void): number {
  const before = process.cpuUsage();
  const wall = nsPer(1, work);
  const { user, system } = process.cpuUsage(before);
  // the collector and the compiler have threads of their own
  return Math.min(wall, (user + system) * 1e3);
}

/** The results as a table with aligned columns. */
export function table(results: readonly Result[]): string {
  const head = ['bench', 'measured', 'beside', 'gate', ''];
  const rows = results.map(({ title, measured, beside = '', gate }) => [
    title,
    measured,
    beside,
    gate ? `${gate.value.toFixed(2)} ${gate.unit}, at most ${gate.limit}` : '',
    gate ? (kept(gate) ? 'ok' : 'BROKEN') : '',
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 1 || i === 2 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [head, ...rows].map((row) => `${line(row)}\n`).join('');
}
