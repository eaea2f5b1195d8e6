/** One interrupt hop by hop: when, on which CPU, in which mode, through which function, at what cost, and what waits. */
import type { HopSnapshot } from '../../engine/index.ts';
import { clockTime, displayWidth, duration, grouped, pad, padLeft, sanitize } from '../format.ts';
import { roomOf } from '../geometry.ts';
import type { Glyphs } from '../glyphs.ts';
import { LineBuilder, type Segment, spread } from '../line.ts';
import { MODE_ROLES } from '../modes.ts';
import { type PathModel, pathModel } from '../path.ts';
import type { Session } from '../session.ts';
import type { Role } from '../theme.ts';

const AT = 8;
const CPU = 4;
const MODE = 6;
const COST = 6;
const NEXT = 8;
/** lines below the hops: what the chosen one is about, what waits */
const BELOW = 3;

interface Columns {
  readonly width: number;
  readonly name: number;
  readonly detail: number;
  /** 0: no such column */
  readonly next: number;
  readonly bar: number;
  readonly waits: number;
}

/** The lines between the domains' line and the footer: the view needs no summary of the journey below it. */
export function pathLines(session: Session): string[] {
  const { frame, ui, size, paint, glyphs } = session;
  const { columns: width } = size;
  const height = roomOf(frame.snapshot, size, ui.prompt !== null, false);
  const model = pathModel(session);
  const lines = model ? drawn(model, session, height) : [hint(session)];
  const texts = lines.slice(0, height).map((line) => line.paint(paint, width, glyphs.ellipsis));
  while (texts.length < height) texts.push('');
  return texts;
}

function hint({ frame }: Session): LineBuilder {
  const keys = frame.snapshot.devices.map((d) => d.key);
  const which = keys.length > 1 ? `${keys[0]} to ${keys.at(-1)}` : (keys[0] ?? 'nothing');
  return new LineBuilder()
    .add(' nothing fired yet: press ')
    .add(which, 'key')
    .add(' to follow an interrupt, or ')
    .add('Enter', 'key')
    .add(' on a row of Interrupts');
}

function drawn(model: PathModel, session: Session, height: number): LineBuilder[] {
  const { size, glyphs } = session;
  const columns = columnsFor(model.hops, size.columns, glyphs);
  const room = Math.max(1, height - 2 - (height >= 8 ? BELOW : 0));
  const top = Math.max(0, Math.min(model.hops.length - room, model.selected - (room >> 1)));
  const end = Math.min(model.hops.length, top + room);
  const rows = model.hops.slice(top, end).map((hop, i) => rowLine(hop, top + i, model, columns, session));
  while (rows.length < room) rows.push(new LineBuilder());
  const lines = [titleLine(model, session, top, end), headLine(columns), ...rows];
  return height >= 8 ? [...lines, ...belowLines(model, columns, session)] : lines;
}

/** ` 1 kbd  #48213  raised at 0.100 000 000 s        4.1 us to the handler` */
function titleLine(model: PathModel, session: Session, top: number, end: number): LineBuilder {
  const { frame, size, glyphs, ui } = session;
  const { journey, hops, over } = model;
  const device = frame.snapshot.devices.find((d) => d.name === journey.device);
  const name = `${device && ui.path.choice?.kind !== 'row' ? `${device.key} ` : ''}${sanitize(journey.device, glyphs.ascii)}`;
  const cut = hops.length > end - top ? `hops ${top + 1}-${end} of ${hops.length}` : '';
  const left: Segment[] = [
    { text: ` ${name}`, role: 'title', keep: 10 },
    { text: `#${journey.journey}`, keep: 2 },
    { text: `raised at ${clockTime(journey.start, 9)}`, keep: 5 },
    { text: cut, keep: 6 },
  ];
  const right: Segment[] = [{ text: `${outcomeOf(model, session)} `, role: over ? 'good' : 'warn', keep: 9 }];
  return spread(left, right, size.columns);
}

function outcomeOf({ hops, over }: PathModel, { frame }: Session): string {
  const end = hops.findLast((hop) => hop.end);
  if (over && end) return `${duration(end.at)} to the handler`;
  const so = `under way for ${duration(hops.at(-1)!.at)}`;
  return frame.state === 'paused' ? `${so}: . next hop` : so;
}

function columnsFor(hops: readonly HopSnapshot[], width: number, glyphs: Glyphs): Columns {
  const longest = (of: (hop: HopSnapshot) => string) =>
    Math.max(8, ...hops.map((hop) => displayWidth(sanitize(of(hop), glyphs.ascii))));
  let left = width - (1 + AT) - CPU - (2 + MODE) - (1 + COST) - 1;
  const next = width >= 100 ? NEXT : 0;
  left -= next;
  const name = Math.min(longest(nameOf), Math.max(18, Math.floor(left * 0.5)));
  left -= 1 + name + 2;
  const wanted = longest((hop) => hop.detail);
  const detail = Math.min(wanted, left);
  left -= detail + 2;
  const bar = left >= 12 ? Math.min(24, left) : 0;
  left -= bar > 0 ? bar + 2 : 0;
  return { width, name, detail: bar > 0 ? detail : detail + Math.max(0, left), next, bar, waits: left };
}

function nameOf({ nested, name }: HopSnapshot): string {
  return `${nested ? '  ' : ''}${name}`;
}

function headLine({ name, detail, next, bar, waits }: Columns): LineBuilder {
  const line = new LineBuilder()
    .add(padLeft('at us', 1 + AT), 'heading')
    .add(padLeft('CPU', CPU), 'heading')
    .add(`  ${pad('mode', MODE)}`, 'heading')
    .add(` ${pad('function', name)}`, 'heading')
    .add(`  ${pad('what', detail)}`, 'heading')
    .add(padLeft('cost', 1 + COST), 'heading');
  if (next > 0) line.add(padLeft('to next', next), 'heading');
  if (bar > 0) line.add(`  ${pad('', bar)}`, 'heading');
  if (bar > 0 && waits >= WAITS_LEAST) line.add(`  ${pad('waits', waits - 2)}`, 'heading');
  return line;
}

/** cells below which what waits is told of the chosen hop alone */
const WAITS_LEAST = 50;

function rowLine(
  hop: HopSnapshot,
  i: number,
  model: PathModel,
  columns: Columns,
  session: Session,
): LineBuilder {
  const { glyphs } = session;
  const { hops, selected } = model;
  const text = (s: string) => sanitize(s, glyphs.ascii);
  const role = MODE_ROLES[hop.mode];
  const here = i === selected;
  const line = new LineBuilder()
    .add(here ? '>' : ' ', 'key')
    .add(padLeft(micro(hop.at), AT), 'time')
    .add(padLeft(hop.cpu < 0 ? '-' : String(hop.cpu), CPU))
    .add('  ')
    .add(pad(text(hop.mode), MODE), role)
    .add(' ')
    .add(
      pad(text(nameOf(hop)), columns.name, glyphs.ellipsis),
      hop.end ? 'changed' : here ? 'title' : undefined,
    )
    .add('  ')
    .add(pad(text(hop.detail), columns.detail, glyphs.ellipsis), hop.end ? 'changed' : undefined)
    .add(padLeft(hop.charged === null ? '' : micro(hop.charged), 1 + COST));
  if (columns.next > 0) line.add(padLeft(hop.next === null ? '' : micro(hop.next), columns.next), 'dim');
  if (columns.bar > 0) addBar(line, hop, hops, columns.bar, glyphs, role);
  if (columns.bar > 0 && columns.waits >= WAITS_LEAST) {
    const same = hops[i - 1]?.pending === hop.pending;
    line.add('  ').add(pad(same ? '' : text(hop.pending), columns.waits - 2, glyphs.ellipsis), 'dim');
  }
  return line;
}

/** The time to the next hop, beside that of the others. */
function addBar(
  line: LineBuilder,
  hop: HopSnapshot,
  hops: readonly HopSnapshot[],
  cells: number,
  glyphs: Glyphs,
  role: Role,
): void {
  const dearest = Math.max(1, ...hops.map((h) => h.next ?? 0));
  const spent = hop.next ?? 0;
  const marks = spent > 0 ? Math.max(1, Math.round((spent / dearest) * cells)) : 0;
  const glyph = hop.mode === 'guest' || hop.mode === 'el1' ? glyphs.bar.guest : glyphs.bar.xen;
  line
    .add('  ')
    .add(glyph.repeat(marks), role)
    .add(' '.repeat(cells - marks));
}

/** What happens at the hop that is looked at, and what waits when it is over. */
function belowLines({ hops, selected }: PathModel, { width }: Columns, { glyphs }: Session): LineBuilder[] {
  const hop = hops[selected]!;
  const text = (s: string) => sanitize(s, glyphs.ascii);
  const rule = new LineBuilder().add(glyphs.rule.repeat(3), 'dim').add(` ${text(hop.name)} `, 'title');
  if (hop.detail !== '') rule.add(`${text(hop.detail)} `);
  rule.add(glyphs.rule.repeat(Math.max(0, width - rule.width)), 'dim');
  return [
    rule,
    new LineBuilder().add(` ${text(hop.about)}`),
    new LineBuilder().add(' waits: ', 'dim').add(text(hop.pending === '' ? 'nothing known' : hop.pending)),
  ];
}

/** Microseconds to the nanosecond: hops are less than that apart. */
function micro(ns: number): string {
  return ns < 1e6
    ? (ns / 1000).toFixed(3)
    : `${grouped(Math.floor(ns / 1000))}.${String(Math.round(ns % 1000)).padStart(3, '0')}`;
}
