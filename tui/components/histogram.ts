/** Times as bars: a line for each range, the ranges growing by powers of two and their even parts. */
import type { LatencySnapshot } from '../../engine/index.ts';
import { count, duration, padLeft, percent } from '../format.ts';
import type { Glyphs } from '../glyphs.ts';
import { LineBuilder } from '../line.ts';

type Buckets = LatencySnapshot['buckets'];

/** One line: what lies from `from` up to below `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Even parts that a doubling is cut into, the finest first; below 1: so many doublings are one range. */
const PARTS = [16, 8, 4, 2, 1, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8, 1 / 12, 1 / 48] as const;

/** In which range a time lies: ranges are numbered from that of 1 ns on, which 0 ns is in too. */
function rangeOf(ns: number, parts: number): number {
  const time = Math.max(1, ns);
  const doubling = Math.floor(Math.log2(time));
  if (parts < 1) return Math.floor(doubling * parts);
  return doubling * parts + Math.floor((time / 2 ** doubling - 1) * parts);
}

function edge(range: number, parts: number): number {
  if (parts < 1) return 2 ** Math.round(range / parts);
  const doubling = Math.floor(range / parts);
  return 2 ** doubling * (1 + (range - doubling * parts) / parts);
}

/** The finest ranges of which no more than `most` reach from the shortest time to the longest; empty ones between too. */
export function rangesOf(buckets: Buckets, most: number): Range[] {
  const first = buckets[0];
  const last = buckets.at(-1);
  if (!first || !last) return [];
  const span = (parts: number) => rangeOf(last[0], parts) - rangeOf(first[0], parts) + 1;
  const parts = PARTS.find((p) => span(p) <= most) ?? PARTS.at(-1)!;
  const from = rangeOf(first[0], parts);
  const counts = new Array<number>(span(parts)).fill(0);
  for (const [upTo, n] of buckets) counts[rangeOf(upTo, parts) - from]! += n;
  return counts.map((n, i) => ({ from: edge(from + i, parts), to: edge(from + i + 1, parts), count: n }));
}

const RANGE = 20;
const COUNTS = 16;
const MARKS = 18;

/** Bars against the longest of them, with their counts and shares; where p50, p99 and p99.9 lie is written beside. */
export function histogramLines(
  latency: LatencySnapshot,
  most: number,
  width: number,
  glyphs: Glyphs,
): LineBuilder[] {
  const ranges = rangesOf(latency.buckets, most);
  const highest = Math.max(...ranges.map((range) => range.count));
  const room = Math.max(8, Math.min(100, width - RANGE - COUNTS - MARKS - 4));
  const marks = [
    ['p50', latency.p50],
    ['p99', latency.p99],
    ['p99.9', latency.p999],
  ] as const;
  return ranges.map((range, i) => {
    const bar = range.count === 0 ? 0 : Math.max(1, Math.round((range.count / highest) * room));
    // a percentile is no higher than the longest time, which may be the edge of the last range
    const last = i === ranges.length - 1;
    const here = marks.filter(([, ns]) => ns >= range.from && (ns < range.to || last)).map(([name]) => name);
    return new LineBuilder()
      .add(padLeft(duration(range.from), 9))
      .add(' - ', 'dim')
      .add(padLeft(duration(range.to), 7))
      .to(RANGE)
      .add(glyphs.bar.guest.repeat(bar), 'spark')
      .to(RANGE + room)
      .add(
        padLeft(range.count === 0 ? '.' : count(range.count, 9), 10),
        range.count === 0 ? 'dim' : undefined,
      )
      .add(padLeft(range.count === 0 ? '' : shareOf(range.count / latency.count), 6))
      .add(here.length > 0 ? `  < ${here.join(' ')}` : '', 'warn');
  });
}

/** What is not nothing is not 0%. */
function shareOf(share: number): string {
  return share < 0.01 ? '<1%' : percent(share);
}
