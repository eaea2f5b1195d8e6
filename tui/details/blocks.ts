/** What details are made of: facts below a heading, two headings beside each other where there is room. */
import type { Fact } from '../../engine/index.ts';
import { count, displayWidth, pad, rate, wrap } from '../format.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';
import { sum } from '../table-model.ts';

/** A heading and what is said below it. */
export interface Block {
  readonly title: string;
  readonly facts: readonly Fact[];
}

const GAP = 3;

/** How often in all, on which of its CPUs, and how often now. */
export function countFacts(
  { frame }: Session,
  key: string,
  counts: readonly number[],
  cpus: readonly number[],
  unit: string,
): Fact[] {
  const each = counts.flatMap((n, i) => (n > 0 ? [`${unit}${cpus[i]} ${count(n, 15)}`] : []));
  return [
    [
      'count',
      `${count(sum(counts), 15)}${each.length > 1 ? `: ${each.join(', ')}` : each.length === 1 ? `, all on ${each[0]!.split(' ')[0]}` : ''}`,
    ],
    ['rate', paceText(frame.history.rate(key))],
  ];
}

export function paceText(perSecond: number): string {
  return Number.isFinite(perSecond) ? `${rate(perSecond)}/s` : 'not known yet';
}

/** ` name   value`, the value going on below itself. */
export function blockLines({ title, facts }: Block, width: number): LineBuilder[] {
  const name = Math.min(24, Math.max(8, ...facts.map(([n]) => displayWidth(n))));
  const lines = facts.flatMap(([n, value]) =>
    wrap(value, Math.max(20, width - name - 5)).map((piece, i) =>
      new LineBuilder().add(`  ${pad(i === 0 ? n : '', name, '')} `, 'dim').add(` ${piece}`),
    ),
  );
  return [new LineBuilder().add(` ${title}`, 'heading'), ...lines];
}

export function beside(left: Block, right: Block, width: number): LineBuilder[] {
  const half = Math.floor((width - GAP) / 2);
  const [a, b] = [blockLines(left, half), blockLines(right, half)];
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const line = new LineBuilder();
    if (a[i]) line.append(a[i].cut(half, ''));
    return b[i] ? line.to(half + GAP).append(b[i]) : line;
  });
}
