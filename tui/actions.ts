/** What each action of the key table does. */

import { chooseColumns, moveColumn, toggleColumn } from './column-chooser.ts';
import {
  affinity,
  burst,
  changeRate,
  fire,
  ipi,
  mask,
  nmi,
  perform,
  raise,
  storm,
  typeRate,
} from './commands.ts';
import { lookedAt } from './details/index.ts';
import { chooseDump, showProcessor } from './dump.ts';
import type { Action } from './keymap.ts';
import { overlayOverflow, overlayRoom } from './overlay.ts';
import { leavePath, neighbourPath, openPath, showAllHops, stepBackPath, stepPath } from './path.ts';
import { leaveEvent, stepRecord, tellRecord } from './records.ts';
import type { Session } from './session.ts';
import { hookOf, subjectsOf } from './subject.ts';
import { type SortColumn, sortable, type TableModel, type TableState } from './table-model.ts';
import { TABLES, VIEWS, viewsOf } from './views.ts';

/** hops that a page up or down goes */
const HOPS_A_PAGE = 10;

const PRESENT = 'this is the present';

export const ACTIONS: Readonly<Record<Action, (session: Session, key: string) => void>> = {
  fire: (session, key) => fire(session, key, 1),
  burst,
  raise,
  storm,
  mask,
  affinity,
  ipi,
  nmi,
  pace: (session, key) => (key === 'v' ? typeRate(session) : changeRate(session, key === ')' ? 2 : 1 / 2)),
  pause: (session) =>
    session.ui.overlay?.kind === 'columns' ? toggleColumn(session) : session.driver.togglePause(),
  step(session) {
    if (session.view.name === 'path') stepPath(session);
    else if (session.view.name === 'pending') stepRecord(session);
    else session.driver.step();
  },
  seek: (session) => session.driver.seek(),
  back(session) {
    showAllHops(session);
    if (!session.driver.scrub(-1)) session.update({ notice: 'that is as far back as is kept' });
  },
  forth(session) {
    showAllHops(session);
    if (!session.driver.scrub(1)) session.update({ notice: PRESENT });
  },
  stepBack(session) {
    if (session.view.name === 'path') stepBackPath(session);
    else if (session.driver.stepBackRecord()) tellRecord(session);
    else if (!session.driver.stepBack()) session.update({ notice: 'nothing was before this' });
  },
  present(session) {
    showAllHops(session);
    if (!session.driver.toEnd()) session.update({ notice: PRESENT });
  },
  slower: (session) => session.changeSpeed(-1),
  faster: (session) => session.changeSpeed(1),
  nextDomain: (session) => switchDomain(session, 1),
  previousDomain: (session) => switchDomain(session, -1),
  nextView: (session) => switchView(session, 1),
  previousView: (session) => switchView(session, -1),
  view(session, key) {
    const view = VIEWS.find((v) => v.key === key);
    const { subject } = session;
    if (!view) session.update({ notice: `${key.toUpperCase()} is no view` });
    else if (view.has(subject, session.frame.snapshot)) session.update({ view: view.name, overlay: null });
    else session.update({ notice: `${subject.name} has no view ${view.title}` });
  },
  details,
  path: openPath,
  hook: toggleHook,
  earlier: (session, key) => neighbour(session, key === '}' ? 1 : -1),
  up: (session) => move(session, -1),
  down: (session) => move(session, 1),
  pageUp: (session) => move(session, -page(session)),
  pageDown: (session) => move(session, page(session)),
  first: (session) => move(session, Number.NEGATIVE_INFINITY),
  last: (session) => move(session, Number.POSITIVE_INFINITY),
  sort: (session) =>
    withTable(session, (_, { sort }) => {
      const { sorts } = TABLES[session.tableName!];
      if (sorts.length === 0) inTime(session);
      else sortBy(session, sorts[(sorts.indexOf(sort.column) + 1) % sorts.length]!);
    }),
  sortLeft: (session) => moveSort(session, -1),
  sortRight: (session) => moveSort(session, 1),
  reverse: (session) =>
    withTable(session, (_, { sort }) => {
      if (TABLES[session.tableName!].sorts.length === 0) inTime(session);
      else session.updateTable({ sort: { ...sort, reverse: !sort.reverse } });
    }),
  filter: (session) =>
    withTable(session, (_, { filter }) =>
      session.update({ overlay: null, prompt: { kind: 'filter', text: filter } }),
    ),
  clear(session) {
    if (session.ui.overlay) session.update({ overlay: null });
    else if (session.view.name === 'path') leavePath(session);
    else if (session.tableName === 'hook' && session.tableState?.filter === '')
      session.update({ hookLog: false });
    else session.updateTable({ filter: '' });
  },
  transpose(session) {
    const { view, ui } = session;
    if (view.name === 'interrupts') session.update({ transposed: !ui.transposed, overlay: null });
    else session.update({ notice: `T turns the table of Interrupts: ${view.title} stays as it is` });
  },
  columns: chooseColumns,
  span(session) {
    const span = session.ui.span === 'short' ? 'long' : 'short';
    session.update({ span, notice: `sparklines of ${span === 'short' ? '30 s' : '5 min'} watched` });
  },
  totals: (session) => session.update({ totals: !session.ui.totals }),
  hideIdle: (session) => session.update({ hideIdle: !session.ui.hideIdle }),
  resetRates(session) {
    const done = session.driver.resetRates();
    session.update({ notice: done ? 'rates begin anew' : 'the past stays as it was: L goes to the present' });
  },
  delay: (session) => session.update({ overlay: null, prompt: { kind: 'delay', text: '' } }),
  redrawFaster: (session) => session.redraw(-1),
  redrawSlower: (session) => session.redraw(1),
  theme: (session) => session.nextTheme(),
  writeConfig,
  dump: chooseDump,
  help: (session) =>
    session.update({ overlay: session.ui.overlay?.kind === 'help' ? null : { kind: 'help' }, overlayTop: 0 }),
  suspend: (session) => session.options.suspend(),
  quit: (session) => session.options.quit(),
};

function neighbour(session: Session, direction: 1 | -1): void {
  if (session.view.name === 'path') neighbourPath(session, direction);
  else session.update({ notice: `${session.view.title} shows no single interrupt: that is Path` });
}

/** Details of the row where there are any, and from them to its path; of others the path at once. */
function details(session: Session): void {
  const { overlay } = session.ui;
  if (overlay?.kind === 'columns') {
    session.update({ overlay: null });
    return;
  }
  if (overlay === null && session.view.name === 'pending') {
    showProcessor(session);
    return;
  }
  const looked = overlay === null ? lookedAt(session) : undefined;
  if (looked) leaveEvent(session);
  if (looked) {
    // the row stays the chosen one, wherever the order of rows puts it
    session.updateTable({ selected: session.table!.rows[session.table!.selected]!.key });
    session.update({ overlay: { kind: 'details', of: looked }, overlayTop: 0 });
  } else if (overlay === null || (overlay.kind === 'details' && overlay.of.what === 'irq')) openPath(session);
}

function toggleHook(session: Session): void {
  const on = !hookOf(session.frame.snapshot)?.on;
  if (!perform(session, { do: 'hook', on })) return;
  const where = session.view.name === 'events' ? ', Esc: the trace' : ': see Events of Xen';
  session.update({ hookLog: true, notice: on ? `hook on${where}` : 'hook off' });
}

function switchDomain(session: Session, direction: 1 | -1): void {
  const subjects = subjectsOf(session.frame.snapshot);
  const at = subjects.indexOf(session.subject);
  const next = subjects[(at + direction + subjects.length) % subjects.length]!;
  session.update({ domain: next.name, vcpu: 0, overlay: null });
  session.updateTable({ selected: null });
}

function switchView(session: Session, direction: 1 | -1): void {
  const views = viewsOf(session.subject, session.frame.snapshot);
  const next = views[(views.indexOf(session.view) + direction + views.length) % views.length]!;
  session.update({ view: next.name, overlay: null });
}

/** The keys of tables do nothing, and say so, where there is none. */
function withTable(session: Session, act: (table: TableModel, state: TableState) => void): void {
  const { table, tableState } = session;
  if (table && tableState) act(table, tableState);
  else session.update({ notice: `${session.view.title} is no table` });
}

/** Moves the selection, or scrolls what lies over the view. */
function move(session: Session, by: number): void {
  const { overlay, overlayTop } = session.ui;
  if (overlay === null) session.move(by);
  else if (overlay.kind === 'columns') moveColumn(session, by);
  else {
    const most = overlayOverflow(session);
    session.update({ overlayTop: Math.max(0, Math.min(most, Math.min(most, overlayTop) + by)) });
  }
}

function page(session: Session): number {
  if (session.ui.overlay) return Math.max(1, overlayRoom(session) - 1);
  if (session.view.name === 'path') return HOPS_A_PAGE;
  return Math.max(1, (session.table?.height ?? 2) - 1);
}

function sortBy(session: Session, column: SortColumn): void {
  session.updateTable({ sort: { column, reverse: false } });
}

function moveSort(session: Session, direction: 1 | -1): void {
  withTable(session, (table, { sort }) => {
    const columns = sortable(table);
    if (columns.length === 0) inTime(session);
    const at = columns.indexOf(sort.column);
    const next = columns[Math.max(0, Math.min(columns.length - 1, at + direction))];
    if (next) sortBy(session, next);
  });
}

/** Writes the configuration file, and tells of it when that is done. */
function writeConfig(session: Session): void {
  const { save, configFile = '' } = session.options;
  if (!save) session.update({ notice: 'nothing is written: no configuration file here' });
  else {
    save().then(
      () => session.update({ notice: `written to ${configFile}` }),
      (error: Error) => session.update({ notice: `not written: ${error.message}` }),
    );
  }
}

function inTime(session: Session): void {
  session.update({ notice: `${session.view.title} stand in the order of their times` });
}
