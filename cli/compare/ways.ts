/** The ways of one interrupt on both sides, hop by hop: which functions only one of them comes through. */
import type { HopSnapshot } from '../../engine/index.ts';
import { type Fired, firedName } from './measure.ts';

/** A hop of both ways, or of one. */
export interface Step {
  readonly a?: HopSnapshot;
  readonly b?: HopSnapshot;
}

export interface Way {
  /** as it was fired: `disk@1.5` */
  readonly name: string;
  readonly a: Fired;
  readonly b: Fired;
  readonly steps: readonly Step[];
}

/** hops that are lined up; what an interrupt sets off may go on */
const LONGEST = 200;

/** The same devices were fired on both sides, in the same order. */
export function waysOf(a: readonly Fired[], b: readonly Fired[]): Way[] {
  return a.map((one, i) => {
    const other = b[i]!;
    const steps = linedUp(one.journey.hops.slice(0, LONGEST), other.journey.hops.slice(0, LONGEST));
    return { name: firedName(one), a: one, b: other, steps };
  });
}

/** Do both sides take the same functions, for the same, at the same time? */
export function isSame({ steps }: Way): boolean {
  return steps.every(({ a, b }) => a && b && a.at === b.at && a.detail === b.detail);
}

/** The longest common subsequence of functions, in both orders. */
function linedUp(a: readonly HopSnapshot[], b: readonly HopSnapshot[]): Step[] {
  // longest[i][j]: what a from i on and b from j on have in common
  const longest = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i]![j] = isHop(a[i]!, b[j]!)
        ? longest[i + 1]![j + 1]! + 1
        : Math.max(longest[i + 1]![j]!, longest[i]![j + 1]!);
    }
  }
  const steps: Step[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]];
    if (left && right && isHop(left, right)) {
      steps.push({ a: left, b: right });
      i++;
      j++;
    } else if (left && (!right || longest[i + 1]![j]! >= longest[i]![j + 1]!)) {
      steps.push({ a: left });
      i++;
    } else {
      steps.push({ b: right! });
      j++;
    }
  }
  return steps;
}

function isHop(a: HopSnapshot, b: HopSnapshot): boolean {
  return a.name === b.name && a.mode === b.mode;
}
