/** Virtual CPUs of the whole host as a table: where each is, and where its time goes. */
import type { DomainSnapshot, Snapshot, VcpuSnapshot } from '../engine/index.ts';
import { numberColumn, sparkColumns } from './components/cells.ts';
import { percent, rate, sanitize } from './format.ts';
import type { History } from './history.ts';
import { SPARK_WIDTHS } from './history.ts';
import type { Subject } from './subject.ts';
import {
  compareText,
  type Row,
  type SortColumn,
  sortedBy,
  sum,
  type TableColumn,
  type TableKind,
} from './table-model.ts';
import type { Role } from './theme.ts';

export interface VcpuRow extends Row {
  readonly domain: string;
  readonly vcpu: number;
  readonly state: VcpuSnapshot['state'];
  /** the physical CPU it runs on, waits for, or ran on last */
  readonly cpu: number;
  /** has exits at all */
  readonly exits: boolean;
  /** place in the snapshot */
  readonly order: number;
}

const SORTS: readonly SortColumn[] = ['name', 'state', 'pcpu', 'run', 'steal', 'blocked', 'wakes', 'exits'];

/** Under which names the history keeps what a virtual CPU has done. */
const ran = (name: string) => `ran ${name}`;
const stolen = (name: string) => `steal ${name}`;
const slept = (name: string) => `blocked ${name}`;
export const wokenKey = (name: string) => `woken ${name}`;
const exited = (name: string) => `exited ${name}`;

function vcpuName({ name }: DomainSnapshot, { vcpu }: VcpuSnapshot): string {
  return `${name}.${vcpu}`;
}

function exitsOf({ exits }: DomainSnapshot, index: number): number {
  return sum(exits?.rows.map((row) => row.counts[index] ?? 0) ?? []);
}

/** What the history is to keep of a host: counters by their names. */
export function hostCounts({ cpus, domains }: Snapshot): [key: string, value: number][] {
  const counts: [string, number][] = [];
  for (const { cpu, guestNs, xenNs, switches, exits } of cpus) {
    counts.push([`busy ${cpu}`, guestNs + xenNs]);
    if (switches !== undefined) counts.push([`switches ${cpu}`, switches]);
    if (exits !== undefined) counts.push([`exits ${cpu}`, exits]);
  }
  for (const domain of domains) {
    domain.vcpus.forEach((v, i) => {
      if (!v.times) return;
      const name = vcpuName(domain, v);
      counts.push([ran(name), v.times.running], [stolen(name), v.times.runnable]);
      counts.push([slept(name), v.times.blocked], [wokenKey(name), v.wakeUps ?? 0]);
      if (domain.exits) counts.push([exited(name), exitsOf(domain, i)]);
    });
  }
  return counts;
}

/** Is there a host to look at, with CPUs that take turns? */
export function hasHost({ cpus }: Snapshot): boolean {
  return cpus.some((cpu) => cpu.level !== undefined);
}

function vcpuRows({ domains }: Snapshot, ascii: boolean): VcpuRow[] {
  return domains
    .flatMap((domain) => domain.vcpus.map((v) => ({ domain, v })))
    .filter(({ v }) => v.times !== undefined)
    .map(({ domain, v }, order) => {
      const label = sanitize(vcpuName(domain, v), ascii);
      return {
        key: ran(vcpuName(domain, v)),
        domain: domain.name,
        vcpu: v.vcpu,
        label,
        counts: [],
        total: 0,
        flagged: v.state === 'runnable',
        state: v.state,
        cpu: v.cpu,
        exits: domain.exits !== undefined,
        order,
      };
    });
}

/** of a second, as a share of it */
const share = (history: History, key: string) => history.rate(key) / 1e9;

const name = ({ key }: VcpuRow) => key.slice(ran('').length);

const STATES = ['running', 'runnable', 'blocked', 'offline'] as const;

/** A percentage, with tenths where these say something. */
function fine(fraction: number): string {
  const small = fraction > 0 && fraction < 0.0995;
  return small ? `${(fraction * 100).toFixed(1)}%` : percent(fraction);
}

/** What columns are ordered by. */
const BY: Partial<Record<SortColumn, (row: VcpuRow, history: History) => number>> = {
  state: (row) => STATES.indexOf(row.state),
  pcpu: (row) => row.cpu,
  run: (row, history) => share(history, ran(name(row))),
  steal: (row, history) => share(history, stolen(name(row))),
  blocked: (row, history) => share(history, slept(name(row))),
  wakes: (row, history) => history.rate(wokenKey(name(row))),
  exits: (row, history) => (row.exits ? history.rate(exited(name(row))) : 0),
};

const ROLES: Partial<Record<VcpuSnapshot['state'], Role>> = { running: 'good', runnable: 'warn' };
/** From here on it is said that a virtual CPU waits too much. */
const MUCH_STEAL = 0.05;
/** blanks before a column */
const WIDE = { gap: 2 };

export const HOST: TableKind<VcpuRow, Subject> = {
  sorts: SORTS,
  below: (room, { snapshot, width }) => cpuLinesOf(snapshot.cpus.length, width, room),
  rows: (_subject, ascii, _log, snapshot) => vcpuRows(snapshot, ascii),
  counts: () => new Map(),
  sorted(rows, sort, history) {
    const by = BY[sort.column];
    const inOrder = (a: VcpuRow, b: VcpuRow) => a.order - b.order;
    const byName = (a: VcpuRow, b: VcpuRow) => compareText(a.label, b.label);
    const wanted = by ? (a: VcpuRow, b: VcpuRow) => (by(a, history) || 0) - (by(b, history) || 0) : byName;
    return sortedBy(rows, sort, sort.column === 'name' ? inOrder : wanted, inOrder);
  },
  textOf: (row) => `${row.label} ${row.state} CPU${row.cpu}`,
  columns(rows, _, around) {
    const { frame, width } = around;
    const { history } = frame;
    const label = Math.max(6, ...rows.map((row) => row.label.length));
    const part = (title: string, sort: SortColumn, key: (name: string) => string, cells: number) =>
      numberColumn<VcpuRow>(title, sort, cells, (row) => fine(share(history, key(name(row)))), WIDE);
    const steal = (row: VcpuRow) => share(history, stolen(name(row)));
    const columns: TableColumn<VcpuRow>[] = [
      {
        title: 'vCPU',
        sort: 'name',
        gap: 0,
        width: label,
        cell: (line, row) => void line.add(row.label.padEnd(label)),
      },
      {
        title: 'STATE',
        sort: 'state',
        gap: 2,
        width: 8,
        cell: (line, row) => void line.add(`  ${row.state.padEnd(8)}`, ROLES[row.state] ?? 'dim'),
      },
      numberColumn('CPU', 'pcpu', 4, (row) => (row.state === 'offline' ? '-' : String(row.cpu)), WIDE),
      part('RUN', 'run', ran, 4),
      numberColumn('STEAL', 'steal', 6, (row) => fine(steal(row)), {
        gap: 2,
        role: (row) => (steal(row) >= MUCH_STEAL ? 'warn' : undefined),
      }),
      part('BLOCKED', 'blocked', slept, 8),
      numberColumn('WAKES/s', 'wakes', 8, (row) => rate(history.rate(wokenKey(name(row)))), WIDE),
    ];
    if (rows.some((row) => row.exits)) {
      columns.push(
        numberColumn(
          'EXITS/s',
          'exits',
          8,
          (row) => (row.exits ? rate(history.rate(exited(name(row)))) : '-'),
          WIDE,
        ),
      );
    }
    const used = columns.reduce((n, column) => n + column.gap + column.width, 1);
    const spark = SPARK_WIDTHS.findLast((cells) => cells <= 30 && used + 2 + cells <= width);
    columns.push(...sparkColumns(spark ?? 0, around));
    return columns;
  },
};

/** lines for both where neither is cramped */
const ROOMY = 24;

/** cells of a CPU where several stand in one line */
const CPU_CELL = 20;

/** Lines that the CPUs take above the table, with their heading: one each, several in a line, or strips. */
export function cpuLinesOf(cpus: number, width: number, room: number): number {
  const most = Math.max(3, Math.floor(room / 2));
  const inGrid = Math.ceil(cpus / gridOf(width)) + 1;
  const lines = cpus + 1 <= most ? cpus + 1 : inGrid <= most ? inGrid : 3;
  // a blank line where there is room to breathe
  return room >= ROOMY ? lines + 1 : lines;
}

/** CPUs in a line of the grid: a multiple of four. */
export function gridOf(width: number): number {
  return Math.max(1, Math.floor(width / CPU_CELL / 4)) * 4;
}
