/** compare: both sides as text of at most 80 columns; rows that are equal are counted, not shown. */
import type { HopSnapshot } from '../../engine/index.ts';
import { isEqual, type Pair } from '../../tui/compare/model.ts';
import { count, secondsText } from '../batch/report.ts';
import { printable } from '../usage.ts';
import type { Comparison, Side } from './comparison.ts';
import { TABLES } from './measure.ts';
import { mostChanged, type PairSubject, type PairTable } from './pairs.ts';
import { valueText } from './settings.ts';
import { isSame, type Step, type Way } from './ways.ts';

const WIDTH = 80;
/** the name of a row, and its four numbers */
const NAME = 34;
const NUMBERS = [10, 10, 10, 8] as const;
const COLUMNS = ['A', 'B', 'B - A', '%'] as const;
/** places where the scenarios differ that are shown */
const MOST = 20;
/** rows of the whole that come first */
const TOP = 8;
/** the function of a hop */
const FUNCTION = 26;
/** and the two times before it */
const BEFORE = 22;

export function compareText(comparison: Comparison): string {
  const { a, b, balanced, subjects, ways } = comparison;
  const head = [
    `virqtop compare - seed ${a.now.seed}, ${secondsText(a.now.time - a.before.time)} s each`,
    sideLine('A', a),
    sideLine('B', b),
  ];
  const books = (['A', 'B'] as const).filter((_, i) => !balanced[i]);
  const verdict =
    books.length === 0
      ? 'balanced on both sides: raised = delivered + coalesced + ignored + pending'
      : `NOT balanced: ${books.join(' and ')}`;
  const blocks = [
    lines(head),
    settingsTable(comparison),
    topTable(subjects),
    ...ways.map(wayTable),
    ...subjects.map(block),
    lines([verdict]),
  ];
  return blocks.filter((text) => text !== '').join('\n');
}

function sideLine(letter: string, { wanted, settings, now: { title } }: Side): string {
  return cut(`${letter}: ${[wanted, ...settings].join(' ')} - ${title}`, WIDTH);
}

/** In what the scenarios differ. */
function settingsTable({ settings }: Comparison): string {
  if (settings.length === 0) return 'The scenarios are the same.\n';
  const shown = settings.slice(0, MOST);
  const half = (WIDTH - NAME - 4) / 2;
  const row = (name: string, a: string, b: string) =>
    `${cut(name, NAME).padEnd(NAME)}  ${cut(a, half).padEnd(half)}  ${cut(b, half)}`;
  return lines([
    row('SETTING', 'A', 'B'),
    ...shown.map(({ place, a, b }) => row(place, valueText(a), valueText(b))),
    ...(settings.length > MOST ? [`${settings.length - MOST} more`] : []),
  ]);
}

/** What changed most of all: in events per second, each counted in one place. */
function topTable(subjects: readonly PairSubject[]): string {
  const rows = subjects.flatMap(({ name, tables }) =>
    tables
      .filter(({ table }) => table === 'exits' || table === 'interrupts' || table === 'softirqs')
      .flatMap(({ table, rows }) =>
        rows.map((row) => ({ ...row, name: `${name} ${row.name}${table === 'exits' ? ' exits' : ''}` })),
      ),
  );
  const top = mostChanged(rows.filter((row) => !isEqual(row))).slice(0, TOP);
  if (top.length === 0) return '';
  return lines([line('MOST CHANGED/s', ...COLUMNS), ...top.map((pair) => pairLine(pair))]);
}

/** One interrupt: when it came where, and what for; times are since its raise. */
function wayTable(way: Way): string {
  const { name, steps } = way;
  if (isSame(way)) return lines([cut(`Way of ${name}: the same, ${count(steps.length, 'hop')}`, WIDTH)]);
  const row = (a: string, b: string, what: string) =>
    cut(`${a.padStart(9)}  ${b.padStart(9)}  ${what}`, WIDTH);
  return lines([
    cut(`Way of ${name}`, WIDTH),
    row('A us', 'B us', 'FUNCTION'),
    ...steps.flatMap((s) => stepRows(s, row)),
  ]);
}

/** What a hop is for stands beside its function where there is room for all of it, else below. */
function stepRows({ a, b }: Step, row: (a: string, b: string, what: string) => string): string[] {
  const at = (hop: HopSnapshot | undefined) => (hop ? (hop.at / 1e3).toFixed(3) : '-');
  const { name, end, detail } = (a ?? b)!;
  const named = end ? `${name} *` : name;
  if (a && b && a.detail !== b.detail) {
    return [row(at(a), at(b), named), row('', '', `  A: ${a.detail}`), row('', '', `  B: ${b.detail}`)];
  }
  const beside = `${named.padEnd(FUNCTION)}  ${detail}`;
  if (BEFORE + printable(beside).length <= WIDTH) return [row(at(a), at(b), beside)];
  return [row(at(a), at(b), named), row('', '', `  ${detail}`)];
}

function block(subject: PairSubject): string {
  const { tables } = subject;
  const rows = tables.flatMap((table) => table.rows);
  const head = heading(subject);
  if (rows.every(isEqual)) return lines([...head, `${count(rows.length, 'row')}, all equal`]);
  const parts = tables.map(tableLines);
  // what is all equal is one line and needs no air around it
  const spaced = parts.map((part, i) =>
    i > 0 && part.length + parts[i - 1]!.length > 2 ? ['', ...part] : part,
  );
  return lines([...head, ...spaced.flat()]);
}

function heading({ name, a, b }: PairSubject): string[] {
  const about = (text: string) => (text === '' ? '' : `: ${text}`);
  if (a !== null && a === b) return [cut(`${name}${about(a)}`, WIDTH)];
  const side = (letter: string, text: string | null) =>
    cut(`${name} of ${letter}${text === null ? ': not there' : about(text)}`, WIDTH);
  return [side('A', a), side('B', b)];
}

function tableLines({ table, rows }: PairTable): string[] {
  const { title, unit, fixed } = TABLES[table];
  const caption = unit === 'us' ? `${title}, us` : `${title}${unit}`;
  const shown = fixed ? rows : rows.filter((row) => !isEqual(row));
  const equal = rows.length - shown.length;
  const folded = equal === 0 ? [] : [`${equal} ${equal === 1 ? 'row' : 'rows'} equal`];
  if (shown.length === 0) return [line(caption, ...folded)];
  const digits = unit === 'us' ? 2 : 1;
  return [line(caption, ...COLUMNS), ...shown.map((pair) => pairLine(pair, digits)), ...folded];
}

function pairLine(pair: Pair, digits = 1): string {
  const { name, a, b, difference } = pair;
  const number = (n: number | null) => (n === null ? '-' : n.toFixed(digits));
  return line(
    name,
    number(a),
    number(b),
    difference === null ? '-' : signed(difference, digits),
    percent(pair),
  );
}

function line(name: string, ...cells: readonly string[]): string {
  const numbers = cells.map((cell, i) => cell.padStart(NUMBERS[i]!));
  return [cut(name, NAME).padEnd(NAME), ...numbers].join('  ');
}

/** With its sign, unless it is too small to be seen. */
function signed(n: number, digits: number): string {
  const text = n.toFixed(digits);
  if (Number(text) === 0) return Math.abs(n).toFixed(digits);
  return n > 0 ? `+${text}` : text;
}

function percent(pair: Pair): string {
  if (isEqual(pair)) return '=';
  if (pair.b === null) return 'gone';
  if (pair.percent === null) return 'new';
  return pair.percent > 99_999 ? '>99999' : signed(pair.percent, 1);
}

function lines(all: readonly string[]): string {
  return all.map((text) => `${text.trimEnd()}\n`).join('');
}

/** Foreign text, as long as there is room. */
function cut(text: string, most: number): string {
  const safe = printable(text);
  return safe.length > most ? `${safe.slice(0, most - 3)}...` : safe;
}
