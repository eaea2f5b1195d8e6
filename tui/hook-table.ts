/** The log of the interrupt hook of Xen: what it has recorded last, the newest on top. */

import type { XenX86Snapshot } from '../engine/index.ts';
import { numberColumn } from './components/cells.ts';
import { clockTime, pad, sanitize } from './format.ts';
import { vectorText } from './subject.ts';
import {
  compareText,
  type Row,
  type SortColumn,
  sortedBy,
  type TableColumn,
  type TableKind,
} from './table-model.ts';

export interface HookRow extends Row {
  readonly time: number;
  readonly cpu: number;
  readonly vector: number;
  /** the virtual CPU that the vector has found */
  readonly who: string;
  readonly point: string;
  readonly what: string;
  readonly journey: number;
}

/** As the line of the hook calls what it records. */
const WHO = 'name';
const POINT = 'chip';
const SORTS: readonly SortColumn[] = ['time', 'irq', WHO, POINT];

function hookRows({ hook }: XenX86Snapshot, ascii: boolean): HookRow[] {
  return hook.last.map(({ time, cpu, vector, who, point, what, journey }) => ({
    key: `hook ${cpu} ${time}`,
    label: clockTime(time, 9),
    counts: [],
    total: 0,
    flagged: true,
    follow: { vector },
    time,
    cpu,
    vector,
    who: sanitize(who, ascii),
    point: sanitize(point, ascii),
    what: sanitize(what, ascii),
    journey,
  }));
}

const BY: Partial<Record<SortColumn, (a: HookRow, b: HookRow) => number>> = {
  irq: (a, b) => a.vector - b.vector,
  [WHO]: (a, b) => compareText(a.who, b.who),
  [POINT]: (a, b) => compareText(a.point, b.point),
};

const byTime = (a: HookRow, b: HookRow) => a.time - b.time || a.cpu - b.cpu;

export const HOOK: TableKind<HookRow, XenX86Snapshot> = {
  sorts: SORTS,
  below: 3,
  rows: hookRows,
  counts: () => new Map(),
  sorted: (rows, sort) => sortedBy(rows, sort, BY[sort.column] ?? byTime, (a, b) => byTime(b, a)),
  textOf: ({ cpu, who, point, vector, what }) => `CPU${cpu} ${who} ${point} ${vectorText(vector)} ${what}`,
  columns(rows, _, { width, glyphs }) {
    const longest = (least: number, of: (row: HookRow) => string) =>
      rows.reduce((most, row) => Math.max(most, of(row).length), least);
    const time = longest(4, (row) => row.label);
    const who = longest(4, (row) => row.who);
    const point = Math.min(
      longest(5, (row) => row.point),
      width < 72 ? 9 : 18,
    );
    const text = (
      title: string,
      sort: SortColumn | undefined,
      cells: number,
      of: (row: HookRow) => string,
    ) => {
      const column: TableColumn<HookRow> = {
        title,
        sort,
        gap: 2,
        width: cells,
        cell: (line, row) => void line.add('  ').add(pad(of(row), cells, glyphs.ellipsis)),
      };
      return column;
    };
    const columns = [
      numberColumn<HookRow>('TIME', 'time', time, (row) => row.label, { gap: 0 }),
      numberColumn<HookRow>('CPU', undefined, 4, (row) => String(row.cpu)),
      text('VCPU', WHO, who, (row) => row.who),
      text('POINT', POINT, point, (row) => row.point),
      numberColumn<HookRow>('VECTOR', 'irq', 6, (row) => vectorText(row.vector), { gap: 2 }),
    ];
    const used = columns.reduce((n, c) => n + c.gap + c.width, 1);
    const journey = width >= 100 ? longest(7, (row) => `#${row.journey}`) : 0;
    const what = Math.max(0, width - used - 2 - (journey > 0 ? 2 + journey : 0));
    columns.push(text('WHAT', undefined, Math.min(what, 40), (row) => row.what));
    if (journey > 0)
      columns.push(
        numberColumn<HookRow>(
          'JOURNEY',
          undefined,
          journey,
          (row) => (row.journey === 0 ? '' : `#${row.journey}`),
          { gap: 2 },
        ),
      );
    return columns;
  },
};
