/** Two sides in one: what both have by one name stands in one row, what changed most comes first. */
import type { Pair } from '../../tui/compare/model.ts';
import { type Subject, TABLES, type TableKind, type TableName, type Values } from './measure.ts';

export interface PairTable {
  readonly table: TableName;
  /** those that differ first, the largest difference on top, unless the table has an order of its own */
  readonly rows: readonly Pair[];
}

export interface PairSubject {
  readonly name: string;
  /** what it is on either side; null: it is not there */
  readonly a: string | null;
  readonly b: string | null;
  readonly tables: readonly PairTable[];
}

/** In the order of A; what B alone has comes where it does there. */
export function paired(a: readonly Subject[], b: readonly Subject[]): PairSubject[] {
  return merged(names(a), names(b)).map((name) => {
    const [left, right] = [a, b].map((side) => side.find((s) => s.name === name));
    const of = (subject: Subject | undefined, table: TableName): Values =>
      subject?.tables.find(([t]) => t === table)?.[1] ?? new Map();
    const tables = (Object.keys(TABLES) as TableName[]).map((table) => ({
      table,
      rows: rowsOf(of(left, table), of(right, table), TABLES[table]),
    }));
    return {
      name,
      a: left?.about ?? null,
      b: right?.about ?? null,
      tables: tables.filter(({ rows }) => rows.length > 0),
    };
  });
}

function names(subjects: readonly Subject[]): string[] {
  return subjects.map((s) => s.name);
}

/** What the second alone has comes after what it follows there. */
function merged(first: readonly string[], second: readonly string[]): string[] {
  const all = [...first];
  second.forEach((name, i) => {
    if (!all.includes(name)) all.splice(all.indexOf(second[i - 1]!) + 1, 0, name);
  });
  return all;
}

function rowsOf(a: Values, b: Values, { fixed, unit }: TableKind): Pair[] {
  const rows = merged([...a.keys()], [...b.keys()]).map((name): Pair => {
    const pair = { name, a: a.get(name) ?? null, b: b.get(name) ?? null };
    // what did not happen took no time, which is not a time of 0; what is not there happens 0 times
    const difference =
      unit === 'us' && (pair.a === null || pair.b === null) ? null : (pair.b ?? 0) - (pair.a ?? 0);
    return {
      ...pair,
      difference,
      percent: difference !== null && pair.a ? (difference / pair.a) * 100 : null,
    };
  });
  return fixed ? rows : mostChanged(rows);
}

/** The largest differences first; where there is nothing to compare, last. */
export function mostChanged<T extends Pair>(rows: readonly T[]): T[] {
  const size = (row: T) => (row.difference === null ? -1 : Math.abs(row.difference));
  return [...rows].sort((x, y) => size(y) - size(x)); // a stable sort: equals stay in their order
}
