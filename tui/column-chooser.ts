/** Which columns of the table shown are to be seen: a list of them all, with a mark for each. */
import { LineBuilder } from './line.ts';
import type { OverlayContent } from './overlay.ts';
import type { Session } from './session.ts';
import { columnId } from './table-model.ts';

/** Opens the list for the table shown. */
export function chooseColumns(session: Session): void {
  if (session.ui.overlay?.kind === 'columns') session.update({ overlay: null });
  else if (session.table) session.update({ overlay: { kind: 'columns', at: 0 }, overlayTop: 0 });
  else session.update({ notice: `${session.view.title} is no table` });
}

/** All columns of the table shown but the first, which names the rows. */
function choices({ table }: Session) {
  return (table?.choices ?? []).slice(1);
}

export function moveColumn(session: Session, by: number): void {
  const { overlay } = session.ui;
  if (overlay?.kind !== 'columns') return;
  const last = choices(session).length - 1;
  session.update({ overlay: { kind: 'columns', at: Math.max(0, Math.min(last, overlay.at + by)) } });
}

/** The chosen one is hidden, or seen again. */
export function toggleColumn(session: Session): void {
  const { overlay } = session.ui;
  const { tableState } = session;
  const column = overlay?.kind === 'columns' ? choices(session)[overlay.at] : undefined;
  if (!column || !tableState) return;
  const { hidden = [] } = tableState;
  const id = columnId(column);
  session.updateTable({ hidden: hidden.includes(id) ? hidden.filter((h) => h !== id) : [...hidden, id] });
}

export function columnsContent(session: Session, at: number): OverlayContent {
  const { view, tableState } = session;
  const hidden = tableState?.hidden ?? [];
  return {
    title: new LineBuilder()
      .add(` Columns of ${view.title}`, 'title')
      .add('   space shows or hides, Enter or Esc closes', 'dim'),
    lines: choices(session).map((column, i) => {
      const seen = !hidden.includes(columnId(column));
      return new LineBuilder()
        .add(i === at ? '>' : ' ', 'key')
        .add(seen ? ' [x] ' : ' [ ] ', seen ? undefined : 'dim')
        .add(columnName(column), i === at ? 'selected' : seen ? undefined : 'dim');
    }),
  };
}

function columnName(column: { readonly id?: string | undefined; readonly title: string }): string {
  return column.id ?? column.title.trim();
}
