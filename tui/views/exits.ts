/** The VM exits of one domain by reason and, where there is room below them, the hypervisor's own counters. */
import { count, padLeft, sanitize } from '../format.ts';
import type { Glyphs } from '../glyphs.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';
import { isXen } from '../subject.ts';
import { countersLines } from './interrupts.ts';

type Counters = readonly (readonly [name: string, value: number])[];

export function exitsLines(session: Session): string[] {
  const { size, paint, glyphs, table, subject } = session;
  const lines = countersLines(session);
  const used = 1 + Math.max(1, table?.rows.length ?? 0);
  const block = counterLines(
    isXen(subject) ? [] : (subject.exits?.stats ?? []),
    size.columns,
    lines.length - used - 1,
    glyphs,
  );
  const texts = block.map((line) => line.paint(paint, size.columns, glyphs.ellipsis));
  return texts.length === 0 ? lines : [...lines.slice(0, lines.length - texts.length), ...texts];
}

const VALUE = 13;
const GAP = 3;

/** Beside and below each other, in at most so many lines; where not all fit, those that counted. */
function counterLines(stats: Counters, width: number, height: number, glyphs: Glyphs): LineBuilder[] {
  const counted = stats.filter(([, value]) => value !== 0);
  for (const list of [stats, counted]) {
    if (list.length === 0) continue;
    const name = Math.max(...list.map(([text]) => text.length));
    const cell = name + 1 + VALUE + GAP;
    const columns = Math.max(1, Math.floor((width - 1 + GAP) / cell));
    const rows = Math.ceil(list.length / columns);
    if (1 + rows > height) continue;
    const head = new LineBuilder().add(' counters of the hypervisor', 'heading');
    return [
      head,
      ...Array.from({ length: rows }, (_, row) => {
        const line = new LineBuilder();
        for (let at = row; at < list.length; at += rows) {
          const [text, value] = list[at]!;
          line.to(1 + Math.floor(at / rows) * cell);
          line.add(sanitize(text, glyphs.ascii)).to(1 + Math.floor(at / rows) * cell + name);
          line.add(padLeft(count(value, VALUE), 1 + VALUE), value === 0 ? 'dim' : undefined);
        }
        return line;
      }),
    ];
  }
  return [];
}
