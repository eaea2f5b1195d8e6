/** What the interrupts view shows: which rows, from which on, in which columns, how many lines of them. */
import type { DomainSnapshot } from '../engine/index.ts';
import { type Columns, columnsFor } from './columns.ts';
import { footerHeight } from './components/footer.ts';
import { cpuGrid } from './components/header.ts';
import { geometryOf } from './geometry.ts';
import type { SessionState } from './session.ts';
import { makeFilter, rowsOf, sortRows, type TableRow } from './table-model.ts';

export interface InterruptsModel {
  readonly columns: Columns;
  /** filtered and sorted */
  readonly rows: readonly TableRow[];
  /** rows of the domain */
  readonly all: number;
  /** lines there are for rows */
  readonly height: number;
  /** first row on the screen */
  readonly top: number;
  readonly selected: number;
  /** what is wrong with the filter */
  readonly error: string | undefined;
}

/** @param scroll where the table stood before */
export function interruptsModel(
  state: SessionState,
  domain: DomainSnapshot,
  scroll: { readonly top: number; readonly selected: number },
  ascii: boolean,
): InterruptsModel {
  const { frame, ui, size } = state;
  const { history, snapshot } = frame;
  const all = rowsOf(domain, ascii);
  const filter = makeFilter(ui.filter);
  const shown = all.filter((row) => filter.matches(row) && !(ui.hideIdle && history.idle(row.key)));
  const rows = sortRows(shown, ui.sort, history);
  const columns = columnsFor(all, domain.interrupts.cpus, size.columns, ui.totals);

  const geometry = geometryOf(size);
  const above = 1 + cpuGrid(snapshot.cpus.length, size.columns, geometry.cpuLines).lines + 2;
  const below = geometry.journeyLines + (ui.prompt ? 1 : 0) + footerHeight(snapshot.devices, size.columns);
  const height = Math.max(1, size.rows - above - below);

  let selected = ui.selected === null ? 0 : rows.findIndex((r) => r.key === ui.selected);
  if (selected < 0) selected = Math.max(0, Math.min(scroll.selected, rows.length - 1));
  let top = Math.min(scroll.top, Math.max(0, rows.length - height));
  if (selected < top) top = selected;
  else if (selected >= top + height) top = selected - height + 1;
  return { columns, rows, all: all.length, height, top, selected, error: filter.error };
}
