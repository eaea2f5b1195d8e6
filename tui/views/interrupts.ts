/** The interrupts of one domain. */
import { tableLines } from '../components/table.ts';
import type { Session } from '../session.ts';
import { TABLES } from '../views.ts';

/** The table that the session shows: its heading and rows. */
export function countersLines(session: Session): string[] {
  const { frame, size, paint, glyphs, table, tableName, tableState, domain } = session;
  if (!table || !tableName || !tableState) return [];
  const before = frame.base.domains.find((d) => d.name === domain.name) ?? domain;
  const base = TABLES[tableName].counts(before);
  return tableLines({ table, frame, base, sort: tableState.sort, width: size.columns, paint, glyphs });
}
