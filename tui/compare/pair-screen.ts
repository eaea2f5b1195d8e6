/** A comparison as lines of text: what both are, the numbers side by side, the way of what was fired last. */
import type { HopSnapshot, Snapshot } from '../../engine/index.ts';
import { footerHeight, footerLines } from '../components/footer.ts';
import { clockTime, displayWidth, duration, grouped, pad, padLeft, sanitize, speed } from '../format.ts';
import { GROUPS, KEYMAP } from '../keymap.ts';
import { LineBuilder, type Segment, spread } from '../line.ts';
import { tooSmallLine } from '../screen.ts';
import type { Size } from '../watched.ts';
import { isEqual, type Pair, type PairStep, type PairTable } from './model.ts';
import { PAIR_ACTIONS, type PairSession } from './pair-session.ts';

/** title, A, B, settings, subjects */
const ABOVE = 5;
const NUMBER = 12;
const PERCENT = 9;
const LEAST_NAME = 20;
const MOST_NAME = 44;
/** below this a chart says nothing */
const LEAST_CHART = 13;
const MOST_CHART = 61;

/** A line of the table. */
export type BodyRow =
  | { readonly kind: 'head'; readonly table: PairTable }
  | { readonly kind: 'pair'; readonly table: PairTable; readonly pair: Pair }
  | { readonly kind: 'equal'; readonly count: number };

export function pairScreen(session: PairSession): string[] {
  const { size, ui, frame, paint, glyphs } = session;
  if (session.tooSmall) return [tooSmallLine(size)];
  const { devices } = frame.snapshots[0];
  const without = KEYMAP.map((k) => k.action).filter((action) => !PAIR_ACTIONS.includes(action));
  const footer = footerLines({ devices, without, width: size.columns, paint, glyphs });
  const middle = ui.help
    ? helpLines(session)
    : [...aboveLines(session), ...bodyLines(session), ...wayLines(session)];
  return [...middle, ...footer];
}

// what both are

function aboveLines(session: PairSession): string[] {
  return [
    titleLine(session),
    sideLine(session, 0),
    sideLine(session, 1),
    settingsLine(session),
    subjectLine(session),
  ];
}

function titleLine({ frame, size, paint, glyphs }: PairSession): string {
  const [a] = frame.snapshots;
  const { running, speed: wanted, achieved } = frame;
  const slow = running && achieved < wanted * 0.9 && Number.isFinite(wanted);
  const left: Segment[] = [
    { text: 'virqtop', role: 'title', keep: 4 },
    { text: 'compare', role: 'accent', keep: 9 },
    { text: `seed ${a.seed}`, keep: 3 },
    { text: `averages of ${duration(a.time - frame.since)}`, keep: 5 },
  ];
  const right: Segment[] = [
    { text: `t ${clockTime(a.time, running && wanted > 0.01 ? 6 : 9)}`, keep: 8 },
    { text: slow ? `${speed(achieved)} of ${speed(wanted)}` : speed(wanted), role: 'time', keep: 7 },
    running
      ? { text: ' RUNNING ', role: 'badgeRun', keep: 10 }
      : { text: ' PAUSED ', role: 'badgePause', keep: 10 },
  ];
  return spread(left, right, size.columns).paint(paint, size.columns, glyphs.ellipsis);
}

function sideLine({ frame, contest, size, paint, glyphs }: PairSession, side: 0 | 1): string {
  const snapshot = frame.snapshots[side];
  const left: Segment[] = [
    { text: side === 0 ? ' A' : ' B', role: side === 0 ? 'guest' : 'xen', keep: 10 },
    { text: sanitize(contest.labels[side], glyphs.ascii), role: 'title', keep: 9 },
    { text: sanitize(snapshot.system, glyphs.ascii), keep: 4 },
    { text: sanitize(snapshot.title, glyphs.ascii), role: 'dim', keep: 1 },
  ];
  const right: Segment[] = [{ text: countsText(snapshot), keep: 3 }];
  return spread(left, right, size.columns).paint(paint, size.columns, glyphs.ellipsis);
}

function countsText({ totals }: Snapshot): string {
  const { interrupts, upcalls, exits } = totals;
  const other = exits === undefined ? `${grouped(upcalls)} upcalls` : `${grouped(exits)} exits`;
  return `${grouped(interrupts)} interrupts  ${other}`;
}

function settingsLine({ contest, size, paint, glyphs }: PairSession): string {
  const { settings } = contest;
  const line = new LineBuilder().add(settings.length === 0 ? ' the same scenario' : ' differ in ', 'dim');
  line.add(sanitize(settings.join(', '), glyphs.ascii));
  return line.paint(paint, size.columns, glyphs.ellipsis);
}

function subjectLine(session: PairSession): string {
  const { subjects, subject, size, paint, glyphs, ui } = session;
  const line = new LineBuilder();
  for (const { name } of subjects) {
    const text = sanitize(name, glyphs.ascii);
    if (name === subject.name) line.add(' ').add(`>${text}<`, 'selected').add(' ');
    else line.add(`  ${text}  `);
  }
  const right = ui.notice || (ui.hideEqual ? 'equal rows hidden' : '');
  const room = size.columns - line.width - 1;
  if (right !== '')
    line.to(size.columns - Math.min(room, displayWidth(right))).add(sanitize(right, glyphs.ascii), 'warn');
  return line.paint(paint, size.columns, glyphs.ellipsis);
}

// the numbers

export function bodyRows({ subject, ui }: PairSession): BodyRow[] {
  return subject.tables.flatMap((table): BodyRow[] => {
    const shown = ui.hideEqual ? table.rows.filter((pair) => !isEqual(pair)) : table.rows;
    const equal = table.rows.length - shown.length;
    return [
      { kind: 'head', table },
      ...shown.map((pair): BodyRow => ({ kind: 'pair', table, pair })),
      ...(equal > 0 ? [{ kind: 'equal', count: equal } as const] : []),
    ];
  });
}

export function bodyHeight({ size, frame }: PairSession): number {
  return size.rows - ABOVE - wayHeight(size) - footerHeight(frame.snapshots[0].devices, size.columns);
}

interface Layout {
  readonly name: number;
  /** 0: there is no room for it */
  readonly chart: number;
}

function layoutOf(width: number): Layout {
  const numbers = 3 * NUMBER + PERCENT + 1;
  const chart = width - numbers - LEAST_NAME - 10;
  if (chart < LEAST_CHART) return { name: Math.max(8, width - numbers), chart: 0 };
  const name = Math.min(MOST_NAME, LEAST_NAME + Math.floor(chart / 2));
  // an odd number of cells: there is a middle
  const cells = Math.min(MOST_CHART, width - numbers - name - 3);
  return { name, chart: cells < LEAST_CHART ? 0 : cells - ((cells + 1) % 2) };
}

function bodyLines(session: PairSession): string[] {
  const { size, ui, paint, glyphs } = session;
  const height = bodyHeight(session);
  const rows = bodyRows(session);
  const top = Math.max(0, Math.min(ui.top, rows.length - height));
  const layout = layoutOf(size.columns);
  const lines = rows
    .slice(top, top + height)
    .map((row) => bodyLine(row, layout, session).paint(paint, size.columns, glyphs.ellipsis));
  if (rows.length === 0 && height > 0)
    lines.push(paint('dim', ' nothing to compare yet: time has not passed'));
  const left = rows.length - top - height;
  if (left > 0) lines[height - 1] = paint('dim', ` ${glyphs.ellipsis} ${left + 1} rows more: down, PgDn`);
  while (lines.length < height) lines.push('');
  return lines;
}

function bodyLine(row: BodyRow, { name, chart }: Layout, { glyphs }: PairSession): LineBuilder {
  const line = new LineBuilder();
  if (row.kind === 'equal')
    return line.add(`   ${row.count} ${row.count === 1 ? 'row' : 'rows'} equal`, 'dim');
  if (row.kind === 'head') {
    line.add(pad(` ${row.table.title}`, name), 'heading');
    for (const title of ['A', 'B', 'B - A']) line.add(padLeft(title, NUMBER), 'heading');
    line.add(padLeft('%', PERCENT), 'heading');
    if (chart > 0) line.add(`   ${centred(`A ${glyphs.ascii ? '|' : '│'} B`, chart)}`, 'dim');
    return line;
  }
  const { pair, table } = row;
  const equal = isEqual(pair);
  const role = equal ? 'dim' : undefined;
  line
    .add(equal ? '   ' : ' ! ', 'warn')
    .add(pad(sanitize(pair.name, glyphs.ascii), name - 3, glyphs.ellipsis), role);
  line.add(padLeft(numberText(pair.a, table.digits), NUMBER), role);
  line.add(padLeft(numberText(pair.b, table.digits), NUMBER), role);
  line.add(
    padLeft(equal ? '=' : signedText(pair.difference, table.digits), NUMBER),
    equal ? 'dim' : 'changed',
  );
  line.add(padLeft(equal ? '' : percentText(pair), PERCENT), equal ? 'dim' : 'changed');
  if (chart > 0) addChart(line.add('   '), pair, table, chart, glyphs);
  return line;
}

/** Two bars back to back: A to the left of the middle, B to the right of it. */
function addChart(
  line: LineBuilder,
  { a, b }: Pair,
  { rows }: PairTable,
  chart: number,
  glyphs: PairSession['glyphs'],
): void {
  const side = (chart - 1) / 2;
  const largest = Math.max(...rows.map((r) => Math.max(Math.abs(r.a ?? 0), Math.abs(r.b ?? 0))));
  const cells = (n: number | null) =>
    n && largest > 0 ? Math.max(1, Math.round((Math.abs(n) / largest) * side)) : 0;
  const [left, right] = [cells(a), cells(b)];
  line
    .add(' '.repeat(side - left))
    .add(glyphs.bar.guest.repeat(left), 'guest')
    .add(glyphs.ascii ? '|' : '│', 'dim')
    .add(glyphs.bar.xen.repeat(right), 'xen');
}

function centred(text: string, width: number): string {
  const left = Math.max(0, Math.floor((width - text.length) / 2));
  return pad(' '.repeat(left) + text, width);
}

function numberText(n: number | null, digits: number): string {
  if (n === null) return '-';
  const text = n.toFixed(digits);
  const [whole = '', fraction] = text.split('.');
  return fraction === undefined
    ? grouped(Number(whole))
    : `${n < 0 && Number(whole) === 0 ? '-0' : grouped(Number(whole))}.${fraction}`;
}

function signedText(n: number | null, digits: number): string {
  if (n === null) return '-';
  const text = numberText(Math.abs(n), digits);
  if (Number(n.toFixed(digits)) === 0) return text;
  return `${n > 0 ? '+' : '-'}${text}`;
}

function percentText({ a, b, percent }: Pair): string {
  if (b === null) return 'gone';
  if (a === null || percent === null) return 'new';
  if (percent > 99_999) return '>99999';
  return `${percent > 0 ? '+' : ''}${percent.toFixed(1)}`;
}

// the way of one interrupt

function wayHeight({ rows }: Size): number {
  return rows >= 50 ? 16 : rows >= 36 ? 9 : rows >= 20 ? 4 : 2;
}

function wayLines(session: PairSession): string[] {
  const { frame, size, paint, glyphs } = session;
  const { columns: width } = size;
  const [a, b] = frame.journeys;
  const height = wayHeight(size);
  const rule = new LineBuilder().add(glyphs.rule.repeat(3), 'dim');
  if (a && b) {
    rule.add(' last fired: ').add(sanitize(a.device, glyphs.ascii), 'title').add(' ');
    const text = (latency: number | null) => (latency === null ? 'under way' : duration(latency));
    const end = ` to the handler: A ${text(a.latency)}, B ${text(b.latency)} `;
    rule
      .add(glyphs.rule.repeat(Math.max(0, width - rule.width - displayWidth(end) - 3)), 'dim')
      .add(end, 'good');
  } else {
    rule.add(' nothing fired yet: a digit fires that device on both ');
  }
  rule.add(glyphs.rule.repeat(Math.max(0, width - rule.width)), 'dim');
  const steps = kept(frame.comparison.steps, height - 1);
  const lines = [rule, ...steps.map((step) => stepLine(step, session))].map((line) =>
    line.paint(paint, width, glyphs.ellipsis),
  );
  while (lines.length < height) lines.push('');
  return lines.slice(0, height);
}

/** Equal steps make room for those that are not. */
function kept(steps: readonly PairStep[], room: number): (PairStep | number)[] {
  if (steps.length <= room) return [...steps];
  const out: (PairStep | number)[] = [];
  for (const step of steps) {
    const last = out.at(-1);
    if (!sameStep(step)) out.push(step);
    else if (typeof last === 'number') out[out.length - 1] = last + 1;
    else out.push(1);
  }
  if (out.length <= room) return out;
  const rest = out
    .slice(Math.max(0, room - 1))
    .reduce<number>((n, one) => n + (typeof one === 'number' ? one : 1), 0);
  return [...out.slice(0, Math.max(0, room - 1)), rest];
}

function sameStep({ a, b }: PairStep): boolean {
  return a !== undefined && b !== undefined && a.at === b.at && a.detail === b.detail;
}

function stepLine(step: PairStep | number, { glyphs }: PairSession): LineBuilder {
  const line = new LineBuilder();
  if (typeof step === 'number') return line.add(`   ${glyphs.ellipsis} ${step} hops more`, 'dim');
  const { a, b } = step;
  const at = (hop: HopSnapshot | undefined) => padLeft(hop ? (hop.at / 1e3).toFixed(3) : '-', 11);
  const hop = (a ?? b)!;
  line.add(sameStep(step) ? '   ' : ' ! ', 'warn');
  line.add('A').add(at(a), 'time').add('  B').add(at(b), 'time').add('   ');
  line.add(sanitize(hop.name, glyphs.ascii), hop.end ? 'changed' : undefined).add('  ');
  const detail = a && b && a.detail !== b.detail ? `A: ${a.detail}   B: ${b.detail}` : hop.detail;
  return line.add(sanitize(detail, glyphs.ascii), 'dim');
}

// help

/** What keys mean here where that is not what they mean in the monitor. */
const HERE: Readonly<Record<string, string>> = {
  fire: 'fire that device on both',
  step: 'one event, then pause',
  nextDomain: 'whose numbers: next',
  previousDomain: 'whose numbers: before',
  up: 'one row up',
  down: 'one row down',
  hideIdle: 'hide equal rows',
  resetRates: 'averages begin anew',
  clear: 'close this help',
};

function helpLines({ size, frame, paint, glyphs }: PairSession): string[] {
  const height = size.rows - footerHeight(frame.snapshots[0].devices, size.columns);
  const entries = GROUPS.flatMap((group) =>
    KEYMAP.filter((k) => k.group === group && PAIR_ACTIONS.includes(k.action)),
  );
  const column = (keys: typeof entries) =>
    keys.map((k) =>
      new LineBuilder()
        .add('  ')
        .add(k.label, 'key')
        .to(14)
        .add(HERE[k.action] ?? k.about),
    );
  const half = Math.ceil(entries.length / 2);
  const [left, right] = [column(entries.slice(0, half)), column(entries.slice(half))];
  const rows = left.map((line, i) =>
    right[i] ? line.to(Math.floor(size.columns / 2)).append(right[i]) : line,
  );
  const lines = [
    new LineBuilder().add(' Keys of virqtop compare', 'title').add('   Esc or ? closes', 'dim'),
    new LineBuilder(),
    ...rows,
    new LineBuilder(),
    new LineBuilder()
      .add(' !', 'warn')
      .add(' differs. Numbers are averages of both since the start, or since r.'),
  ];
  const texts = lines.slice(0, height).map((line) => line.paint(paint, size.columns, glyphs.ellipsis));
  while (texts.length < height) texts.push('');
  return texts;
}
