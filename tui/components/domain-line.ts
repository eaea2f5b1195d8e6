/** The line between the header and the view: which domain, which view, and how what is shown was chosen. */
import { displayWidth, sanitize, truncate } from '../format.ts';
import { type Segment, spread } from '../line.ts';
import type { Session } from '../session.ts';
import { cpusOf, hookOf, isXen, subjectsOf } from '../subject.ts';
import { isDescending, sortable, type TableModel } from '../table-model.ts';
import { viewsOf } from '../views.ts';

const TAB_GAP = 2;
/** cells that a notice leaves to the name of the domain */
const LEAST_TAB = 12;

/** how to leave the past */
const RETURN = 'L: present  space: replay';

/** ` >dom0<  dom1   [Interrupts]  Exits ... sort IRQ  41 of 63 rows`, or what the last key has to say. */
export function domainLine(session: Session): string {
  const { frame, ui, size, paint, glyphs, subject } = session;
  const subjects = subjectsOf(frame.snapshot);
  const text = (s: string) => sanitize(s, glyphs.ascii);
  const cpus = cpusOf(subject);
  const unit = `${isXen(subject) ? '' : 'v'}CPU${cpus === 1 ? '' : 's'}`;
  const right: Segment[] =
    ui.notice !== ''
      ? [
          {
            text: truncate(text(ui.notice), size.columns - LEAST_TAB, glyphs.ellipsis),
            role: 'warn',
            keep: 9,
          },
        ]
      : [
          { text: frame.past && frame.state !== 'running' ? RETURN : '', role: 'warn', keep: 6 },
          { text: hookOf(frame.snapshot)?.on ? 'hook on' : '', role: 'warn', keep: 5 },
          { text: `${text(subject.kind)}, ${cpus} ${unit}`, keep: 3 },
          ...tableSegments(session),
        ];
  const tabs = domainTabs(
    subjects.map((s) => text(s.name)),
    subjects.indexOf(subject),
    Math.floor(size.columns / 2),
  );
  return spread([...tabs, ...viewNames(session)], right, size.columns, TAB_GAP).paint(
    paint,
    size.columns,
    glyphs.ellipsis,
  );
}

/** The views there are, the one shown in brackets; nothing where there is no choice. */
function viewNames({ subject, view, frame }: Session): Segment[] {
  const views = viewsOf(subject, frame.snapshot);
  if (views.length < 2) return [];
  return views.map((v, i): Segment => {
    const text = `${i === 0 ? '  ' : ''}${v === view ? `[${v.title}]` : ` ${v.title} `}`;
    return v === view ? { text, role: 'title', keep: 8 } : { text, keep: 4 };
  });
}

/** How the table's rows were chosen and ordered. */
function tableSegments({ ui, table, tableState, glyphs }: Session): Segment[] {
  if (!table || !tableState) return [];
  const { sort, filter } = tableState;
  const arrow = isDescending(sort) ? glyphs.descending : glyphs.ascending;
  const columns = sortable(table);
  const inSight = columns.length === 0 || columns.includes(sort.column);
  return [
    { text: inSight ? '' : `sort ${sort.column}${arrow}`, keep: 5 },
    { text: ui.hideIdle ? 'idle hidden' : '', role: 'warn', keep: 5 },
    { text: filter === '' ? '' : `filter /${sanitize(filter, glyphs.ascii)}/`, role: 'warn', keep: 6 },
    { text: `${rowRange(table)} of ${table.all} rows`, keep: 7 },
  ];
}

/** Which rows are on the screen. */
function rowRange({ rows, top, height }: TableModel): string {
  if (rows.length <= height) return String(rows.length);
  return `${top + 1}-${Math.min(rows.length, top + height)}`;
}

/** The names around the chosen one that fit into so many cells; the chosen one between arrows. */
function domainTabs(names: readonly string[], chosen: number, room: number): Segment[] {
  const labels = names.map((name, i) => (i === chosen ? `>${name}<` : ` ${name} `));
  const cost = (i: number) => displayWidth(labels[i]!) + TAB_GAP;
  const whole = labels.reduce((n, _, i) => n + cost(i), 0) - TAB_GAP;
  let from = whole <= room ? 0 : chosen;
  let to = whole <= room ? names.length - 1 : chosen;
  let left = room - cost(chosen) - 2 * (2 + TAB_GAP);
  for (let grown = true; grown; ) {
    grown = false;
    if (to + 1 < names.length && cost(to + 1) <= left) {
      left -= cost(++to);
      grown = true;
    }
    if (from > 0 && cost(from - 1) <= left) {
      left -= cost(--from);
      grown = true;
    }
  }
  const out: Segment[] = [];
  if (from > 0) out.push({ text: '<<', role: 'dim', keep: 8 });
  for (let i = from; i <= to; i++) {
    out.push(i === chosen ? { text: labels[i]!, role: 'selected', keep: 10 } : { text: labels[i]!, keep: 8 });
  }
  if (to + 1 < names.length) out.push({ text: '>>', role: 'dim', keep: 8 });
  return out;
}
