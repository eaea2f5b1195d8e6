/** The interrupts of one domain: which domain, its table, and the way of the interrupt fired last. */
import { sortable } from '../columns.ts';
import { journeyLines } from '../components/journey.ts';
import { promptLine } from '../components/prompt.ts';
import { tableLines } from '../components/table.ts';
import { displayWidth, sanitize } from '../format.ts';
import { geometryOf } from '../geometry.ts';
import { type Segment, spread } from '../line.ts';
import type { Session } from '../session.ts';
import { countsByKey, isDescending } from '../table-model.ts';

const TAB_GAP = 2;

/** From the domains' line to the footer. */
export function interruptsLines(session: Session): string[] {
  const { frame, ui, size, paint, glyphs, table, domain } = session;
  const { journeyLines: height, tallJourney: tall } = geometryOf(size);
  const base = frame.base.domains.find((d) => d.name === domain.name) ?? domain;
  const shared = { frame, width: size.columns, paint, glyphs };
  return [
    domainLine(session),
    ...tableLines({ ...shared, ...table, base: countsByKey(base), sort: ui.sort }),
    ...journeyLines({ ...shared, height, tall }),
    ...(ui.prompt ? [promptLine({ ...shared, prompt: ui.prompt, error: table.error })] : []),
  ];
}

/** ` >dom0<  dom1  dom2 ... sort IRQ  41 of 63 rows`, or what the last key has to say. */
export function domainLine(session: Session): string {
  const { frame, ui, size, paint, glyphs, table, domain } = session;
  const { domains } = frame.snapshot;
  const text = (s: string) => sanitize(s, glyphs.ascii);
  const arrow = isDescending(ui.sort) ? glyphs.descending : glyphs.ascending;
  const inSight = sortable(table.columns).includes(ui.sort.column);
  const vcpus = domain.vcpus.length;
  const right: Segment[] =
    ui.notice !== ''
      ? [{ text: ui.notice, role: 'warn', keep: 9 }]
      : [
          { text: `${text(domain.kind)}, ${vcpus} ${vcpus === 1 ? 'vCPU' : 'vCPUs'}`, keep: 3 },
          { text: inSight ? '' : `sort ${ui.sort.column}${arrow}`, keep: 4 },
          { text: ui.hideIdle ? 'idle hidden' : '', role: 'warn', keep: 5 },
          { text: ui.filter === '' ? '' : `filter /${text(ui.filter)}/`, role: 'warn', keep: 6 },
          { text: `${rowRange(session)} of ${table.all} rows`, keep: 7 },
        ];
  const tabs = domainTabs(
    domains.map((d) => text(d.name)),
    domains.indexOf(domain),
    Math.floor(size.columns / 2),
  );
  return spread(tabs, right, size.columns, TAB_GAP).paint(paint, size.columns, glyphs.ellipsis);
}

/** Which rows are on the screen. */
function rowRange({ table }: Session): string {
  const { rows, top, height } = table;
  if (rows.length <= height) return String(rows.length);
  return `${top + 1}-${Math.min(rows.length, top + height)}`;
}

/** The names around the chosen one that fit into so many cells; the chosen one between arrows. */
export function domainTabs(names: readonly string[], chosen: number, room: number): Segment[] {
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
