/** From raise to handler: a table of all interrupts, and below it the histogram of the selected one. */
import { histogramLines } from '../components/histogram.ts';
import { count, duration } from '../format.ts';
import { roomOf } from '../geometry.ts';
import type { LatencyRow } from '../latency-table.ts';
import { LineBuilder, type Segment, spread } from '../line.ts';
import type { Session } from '../session.ts';
import { isXen } from '../subject.ts';
import { countersLines } from './interrupts.ts';

const NOTE = ' a raise that is coalesced is counted with the first, and has its time';
/** lines that the note is worth one of */
const ROOMY = 7;

export function latencyLines(session: Session): string[] {
  const { frame, ui, size, paint, glyphs, table } = session;
  if (!table) return [];
  const room = roomOf(frame.snapshot, size, ui.prompt !== null);
  const lines = countersLines(session);
  if (lines.length < room) {
    // rows that are not there leave their lines to the histogram
    lines.length = Math.min(lines.length, 1 + Math.max(1, table.rows.length));
    const row = table.rows[table.selected] as LatencyRow | undefined;
    for (const line of row ? rowLines(session, row, room - lines.length) : [])
      lines.push(line.paint(paint, size.columns, glyphs.ellipsis));
  }
  if (table.all === 0) lines[1] = ' no raise has come to its handler yet';
  while (lines.length < room) lines.push('');
  return lines;
}

/** One line about the row, then its histogram. */
function rowLines(session: Session, row: LatencyRow, height: number): LineBuilder[] {
  const { subject, size, glyphs } = session;
  const { latency } = row;
  const { min, mean, last, max } = latency;
  const left: Segment[] = [
    { text: ` ${row.label} ${row.name}`.trimEnd(), role: 'title', keep: 9 },
    { text: `${count(latency.count, 13)} from raise to ${isXen(subject) ? 'do_IRQ' : 'handler'}`, keep: 8 },
  ];
  const right: Segment[] = [
    { text: `min ${duration(min)}`, keep: 5 },
    { text: `mean ${duration(mean)}`, keep: 4 },
    { text: `last ${duration(last)}`, keep: 3 },
    { text: `max ${duration(max)}`, keep: 6 },
  ];
  const rest = height - 1;
  const noted = rest >= ROOMY ? [new LineBuilder().add(NOTE, 'dim')] : [];
  return [
    spread(left, right, size.columns - 1),
    ...histogramLines(latency, Math.max(1, rest - noted.length), size.columns, glyphs),
    ...noted,
  ];
}
