/** Moments and durations as demos write them: `2s`, `250ms`, `10us`; a bare number is seconds. */

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9 };

/** In nanoseconds; undefined where it is none. */
export function momentOf(text: string | number): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|)$/.exec(String(text)) ?? [];
  if (digits === undefined) return undefined;
  const ns = Math.round(Number(digits) * UNITS[unit || 's']!);
  return ns <= Number.MAX_SAFE_INTEGER ? ns : undefined;
}

/** The shortest way to write it. */
export function momentText(ns: number): string {
  const unit = ['s', 'ms', 'us'].find((u) => ns % UNITS[u]! === 0 || ns >= UNITS[u]!) ?? 'ns';
  return `${ns / UNITS[unit]!}${unit}`;
}
