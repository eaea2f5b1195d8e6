/** The interrupts of one domain, or Xen's. */

import { registersLine } from '../components/gic.ts';
import { tableLines } from '../components/table.ts';
import { stacksLine } from '../components/xen-waits.ts';
import type { Session } from '../session.ts';
import { isXen, isXenOnX86, subjectsOf } from '../subject.ts';
import { TABLES } from '../views.ts';

export function interruptsLines(session: Session): string[] {
  const { subject } = session;
  const lines = countersLines(session);
  if (!isXen(subject) || session.tableName === 'cpus') return lines;
  return [...lines, isXenOnX86(subject) ? stacksLine(session, subject) : registersLine(session, subject)];
}

/** The table that the session shows: its heading and rows. */
export function countersLines(session: Session): string[] {
  const { frame, size, paint, glyphs, table, tableName, tableState, subject } = session;
  if (!table || !tableName || !tableState) return [];
  const before = subjectsOf(frame.base).find((s) => s.name === subject.name) ?? subject;
  const base = TABLES[tableName].counts(before, frame.base);
  return tableLines({ table, frame, base, sort: tableState.sort, width: size.columns, paint, glyphs });
}
