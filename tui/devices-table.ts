/** All that can be fired and all that goes on by itself, as a table: what it is, where it ends, what became of it. */
import type { DeviceSnapshot, Snapshot, SourceSnapshot } from '../engine/index.ts';
import { count, grouped, pad, padLeft, sanitize } from './format.ts';
import type { LineBuilder } from './line.ts';
import { isXenOnX86, type Subject, vectorText } from './subject.ts';
import {
  compareText,
  comparison,
  type Row,
  type Sort,
  type SortColumn,
  sortedBy,
  type TableColumn,
  type TableKind,
} from './table-model.ts';

/** What the books have of a device's raises. */
interface Fates {
  readonly raised: number;
  readonly delivered: number;
  readonly coalesced: number;
  readonly ignored: number;
  readonly pending: number;
}

export interface DeviceRow extends Row {
  /** in the scenario's order, devices first */
  readonly place: number;
  readonly what: string;
  /** e.g. `dom0 53` */
  readonly ends: string;
  /** undefined: it is a workload */
  readonly device: DeviceSnapshot | undefined;
  readonly source: SourceSnapshot | undefined;
  readonly fates: Fates | undefined;
  /** events in a second that it makes by itself; percent where it is a share */
  readonly pace: string;
}

/** Under which name the history keeps what a device raises. */
export function deviceKey(name: string): string {
  return `device ${name}`;
}

const FATES = new WeakMap<Snapshot, Map<string, Fates>>();

function fatesOf(snapshot: Snapshot): Map<string, Fates> {
  let sums = FATES.get(snapshot);
  if (!sums) {
    sums = new Map();
    for (const { source, raised, delivered, coalesced, pending, ignored } of snapshot.books) {
      const before = sums.get(source) ?? { raised: 0, delivered: 0, coalesced: 0, ignored: 0, pending: 0 };
      let lost = before.ignored;
      for (const n of Object.values(ignored)) lost += n;
      sums.set(source, {
        raised: before.raised + raised,
        delivered: before.delivered + delivered,
        coalesced: before.coalesced + coalesced,
        ignored: lost,
        pending: before.pending + pending,
      });
    }
    FATES.set(snapshot, sums);
  }
  return sums;
}

function fatesOfDevice(snapshot: Snapshot, { sources }: DeviceSnapshot): Fates {
  const all = fatesOf(snapshot);
  const sum = { raised: 0, delivered: 0, coalesced: 0, ignored: 0, pending: 0 };
  for (const source of sources) {
    const fates = all.get(source);
    if (!fates) continue;
    sum.raised += fates.raised;
    sum.delivered += fates.delivered;
    sum.coalesced += fates.coalesced;
    sum.ignored += fates.ignored;
    sum.pending += fates.pending;
  }
  return sum;
}

/** What each device has raised, by its key. */
export function deviceCounts(snapshot: Snapshot): Map<string, readonly number[]> {
  return new Map(snapshot.devices.map((d) => [deviceKey(d.name), [fatesOfDevice(snapshot, d).raised]]));
}

/** `dom0 53`, of several rows the first and how many more. */
function endsText({ ends }: DeviceSnapshot, { domains, xen }: Snapshot): string {
  const [first] = ends;
  if (!first) return '';
  const more = ends.length > 1 ? ` +${ends.length - 1}` : '';
  if (xen && first.domain === xen.id) {
    return `Xen ${isXenOnX86(xen) ? vectorText(first.irq) : first.irq}${more}`;
  }
  return `${domains.find((d) => d.id === first.domain)?.name ?? '?'} ${first.irq}${more}`;
}

export function paceText({ rate, unit }: Pick<SourceSnapshot, 'rate' | 'unit'>): string {
  if (rate === null) return 'no pause';
  const number = rate >= 100 ? grouped(Math.round(rate)) : String(Number(rate.toPrecision(3)));
  return unit === 'percent' ? `${number}%` : `${number}/s`;
}

function deviceRows(snapshot: Snapshot, ascii: boolean): DeviceRow[] {
  const text = (s: string) => sanitize(s, ascii);
  const devices = snapshot.devices.map((device, place): DeviceRow => {
    const fates = fatesOfDevice(snapshot, device);
    return {
      key: deviceKey(device.name),
      label: text(device.name),
      counts: [fates.raised],
      total: fates.raised,
      flagged: device.storm > 0 || fates.pending > 0,
      place,
      what: text(device.title),
      ends: text(endsText(device, snapshot)),
      device,
      source: undefined,
      fates,
      pace: device.storm > 0 ? paceText({ rate: device.storm, unit: 'a second' }) : '',
    };
  });
  const workloads = snapshot.sources.map(
    (source, i): DeviceRow => ({
      key: `source ${source.name}`,
      label: text(source.name),
      counts: [],
      total: -1,
      flagged: true,
      place: devices.length + i,
      what: text(source.what),
      ends: '',
      device: undefined,
      source,
      fates: undefined,
      pace: paceText(source),
    }),
  );
  return [...devices, ...workloads];
}

const SORTS: readonly SortColumn[] = ['irq', 'name', 'total'];

function sorted(
  rows: readonly DeviceRow[],
  sort: Sort,
  history: Parameters<typeof comparison>[1],
): DeviceRow[] {
  const byPlace = (a: DeviceRow, b: DeviceRow) => a.place - b.place;
  const byName = (a: DeviceRow, b: DeviceRow) => compareText(a.label, b.label);
  const by = sort.column === 'name' ? byName : (comparison(sort.column, history) ?? byPlace);
  const kinds = [rows.filter((r) => r.device), rows.filter((r) => !r.device)];
  return kinds.flatMap((kind) => sortedBy(kind, sort, by, byPlace));
}

const KEY = 3;
const PACE = 11;
const NUMBER = 9;

interface Layout {
  readonly name: number;
  readonly ends: number;
  readonly what: number;
  /** numbers from the left that have a column */
  readonly numbers: number;
}

const NUMBERS: readonly (readonly [
  title: string,
  of: (row: DeviceRow) => number | undefined,
  alarm: boolean,
])[] = [
  ['FIRED', (row) => row.device?.fired, false],
  ['RAISED', (row) => row.fates?.raised, false],
  ['DELIVERED', (row) => row.fates?.delivered, false],
  ['COALESCED', (row) => row.fates?.coalesced, false],
  ['IGNORED', (row) => row.fates?.ignored, false],
  ['PENDING', (row) => row.fates?.pending, true],
];

/** Who and how fast first, then where it ends, then as many numbers as fit, then what it is. */
function layout(rows: readonly DeviceRow[], width: number): Layout {
  const longest = (of: (row: DeviceRow) => string, least: number) =>
    Math.max(least, ...rows.map((row) => of(row).length));
  const name = Math.min(
    longest((r) => r.label, 4),
    18,
  );
  const ends = Math.min(
    longest((r) => r.ends, 7),
    14,
  );
  let left = width - 1 - KEY - (1 + name) - (1 + PACE) - (1 + ends);
  const what = Math.min(
    longest((r) => r.what, 4),
    34,
  );
  let numbers = 0;
  while (numbers < NUMBERS.length && left >= 1 + NUMBER) {
    left -= 1 + NUMBER;
    numbers++;
  }
  // what it is tells more than what the books have last
  while (numbers > 3 && left < 1 + what) {
    left += 1 + NUMBER;
    numbers--;
  }
  return { name, ends, numbers, what: left >= 9 ? Math.min(what, left - 1) : 0 };
}

export const DEVICES: TableKind<DeviceRow, Subject> = {
  sorts: SORTS,
  below: 1,
  rows: (_, ascii, __, snapshot) => deviceRows(snapshot, ascii),
  counts: (_, snapshot) => deviceCounts(snapshot),
  sorted,
  textOf: (row) => `${row.label} ${row.what} ${row.ends}`,
  columns(rows, _, { width, glyphs }) {
    const at = layout(rows, width);
    const columns: TableColumn<DeviceRow>[] = [
      {
        title: 'KEY',
        sort: 'irq',
        gap: 0,
        width: KEY,
        right: true,
        cell: (line, { device }) => void line.add(padLeft(device?.key ?? '', KEY), device && 'key'),
      },
      words('NAME', at.name, glyphs.ellipsis, (row) => row.label, 'name'),
    ];
    if (at.what > 0) columns.push(words('WHAT', at.what, glyphs.ellipsis, (row) => row.what));
    columns.push(
      words('ENDS IN', at.ends, glyphs.ellipsis, (row) => row.ends),
      {
        title: 'BY ITSELF',
        gap: 1,
        width: PACE,
        right: true,
        cell: (line, row) => void line.add(padLeft(row.pace, 1 + PACE), row.device ? 'warn' : undefined),
      },
    );
    for (const [title, of, alarm] of NUMBERS.slice(0, at.numbers)) {
      columns.push({
        title,
        ...(title === 'RAISED' && { sort: 'total' as const }),
        gap: 1,
        width: NUMBER,
        right: true,
        cell: (line, row, { changed }) => addNumber(line, of(row), changed && title !== 'FIRED', alarm),
      });
    }
    return columns;
  },
};

function words(
  title: string,
  width: number,
  mark: string,
  of: (row: DeviceRow) => string,
  sort?: SortColumn,
): TableColumn<DeviceRow> {
  const cell = (line: LineBuilder, row: DeviceRow) => void line.add(` ${pad(of(row), width, mark)}`);
  return { title, gap: 1, width, cell, ...(sort && { sort }) };
}

function addNumber(line: LineBuilder, n: number | undefined, changed: boolean, alarm: boolean): void {
  if (n === undefined) line.add(' '.repeat(1 + NUMBER));
  else {
    const role = n === 0 ? 'dim' : alarm ? 'warn' : changed ? 'changed' : undefined;
    line.add(padLeft(count(n, NUMBER), 1 + NUMBER), role);
  }
}
