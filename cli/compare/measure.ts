/** What one side of a comparison measures: from two snapshots of a run to numbers with names, in tables. */
import type {
  DomainSnapshot,
  JourneySnapshot,
  LatencySnapshot,
  Snapshot,
  XenSnapshot,
} from '../../engine/index.ts';
import { type Changes, count, Deltas } from '../batch/report.ts';
import { type XenRow, xenRows } from '../batch/xen-rows.ts';
import type { Fire } from '../values.ts';

/** Numbers by name; null where there is nothing to measure. */
export type Values = ReadonlyMap<string, number | null>;

/** How often something has happened, by name. */
type Counts = Map<string, number>;

export interface TableKind {
  readonly title: string;
  readonly unit: '' | '/s' | 'us';
  /** told in a fixed order, equal rows too */
  readonly fixed: boolean;
}

const kind = (title: string, unit: TableKind['unit'], fixed = false): TableKind => ({ title, unit, fixed });

/** Kinds of tables, in their order. */
export const TABLES = {
  totals: kind('', '', true),
  exits: kind('VM EXITS', '/s'),
  'exit time': kind('EXIT TO ENTRY, mean', 'us'),
  interrupts: kind('INTERRUPTS', '/s'),
  softirqs: kind('SOFTIRQS', '/s'),
  counters: kind('COUNTERS', '/s'),
  latency: kind('RAISE TO HANDLER, by row', 'us'),
  'raise to handler': kind('RAISE TO HANDLER', 'us', true),
  raises: kind('RAISES', '/s', true),
} as const;

export type TableName = keyof typeof TABLES;

/** The host, Xen, a domain, what was fired, the books. */
export interface Subject {
  readonly name: string;
  /** what it is; may be empty */
  readonly about: string;
  readonly tables: readonly (readonly [TableName, Values])[];
}

/** A device that was fired, and the way of its interrupt. */
export interface Fired {
  readonly fire: Fire;
  readonly journey: JourneySnapshot;
}

/** KVM's counters that are of the moment, or of time: not how often something happened */
const GAUGE = /^(?:blocking|guest_mode|.*_ns)$/;

export function subjects(before: Snapshot, now: Snapshot, fired: readonly Fired[]): Subject[] {
  const deltas = new Deltas();
  deltas.begin(before);
  const changes = deltas.update(now);
  const domains = now.domains.map((domain) => {
    const old = before.domains.find((d) => d.name === domain.name);
    return domainSubject(domain, old, changes);
  });
  return [
    hostSubject(before, now, changes),
    ...(fired.length > 0 ? [firedSubject(fired)] : []),
    ...(now.xen ? [xenSubject(now.xen, changes, before.xen)] : []),
    ...domains,
    booksSubject(before, now, changes),
  ];
}

function hostSubject(before: Snapshot, now: Snapshot, changes: Changes): Subject {
  const spent = (of: 'guestNs' | 'xenNs' | 'idleNs') =>
    percentOfCpu(sum(now.cpus.map((c) => c[of])) - sum(before.cpus.map((c) => c[of])), changes);
  const totals = new Map([
    ['in guests, % of a CPU', spent('guestNs')],
    ['in the hypervisor, % of a CPU', spent('xenNs')],
    ['idle, % of a CPU', spent('idleNs')],
  ]);
  return {
    name: 'Host',
    about: `${now.system}, ${count(now.cpus.length, 'CPU')}`,
    tables: [['totals', totals]],
  };
}

function firedSubject(fired: readonly Fired[]): Subject {
  const latencies = fired.map((one): [string, number | null] => {
    const { latency } = one.journey;
    return [firedName(one), latency === null ? null : latency / 1e3];
  });
  return { name: 'Fired', about: '', tables: [['raise to handler', new Map(latencies)]] };
}

/** As the command line names it. */
export function firedName({ fire: { device, at, times } }: Fired): string {
  return `${device}@${at / 1e9}${times > 1 ? `x${times}, the last` : ''}`;
}

// a domain

function domainSubject(domain: DomainSnapshot, old: DomainSnapshot | undefined, changes: Changes): Subject {
  const { interrupts, vcpus, channels, exits } = domain;
  const softirqs = softirqCounts(domain, old);
  const reasons = exits && exitCounts(exits, old?.exits);
  const totals = new Map([['interrupts/s', sum(interrupts.rows.map((row) => changes.of(domain, row.irq)))]]);
  if (channels.length > 0) totals.set('upcalls/s', upcallsOf(domain) - upcallsOf(old));
  if (reasons) totals.set('VM exits/s', sum([...reasons.values()]));
  totals.set('softirqs/s', sum([...softirqs.values()]));
  const rates = (counts: Counts) => perSecond(counts, changes);
  const ran = ranOf(domain) - ranOf(old);
  const share = ran > 0 ? [['ran, % of a CPU', percentOfCpu(ran, changes)] as const] : [];
  return {
    name: domain.name,
    about: `${domain.kind}, ${count(vcpus.length, 'vCPU')}`,
    tables: [
      ['totals', new Map([...rates(totals), ...share])],
      ...(exits ? exitTables(exits, old?.exits, rates) : []),
      ['interrupts', rates(interruptCounts(domain, changes))],
      ['softirqs', rates(softirqs)],
      ['latency', latencies(domain.latency ?? [], old?.latency ?? [])],
      ...(exits ? [['counters', rates(counterCounts(exits, old?.exits))] as const] : []),
    ],
  };
}

function upcallsOf(domain: DomainSnapshot | undefined): number {
  return sum(domain?.vcpus.map((v) => v.upcalls) ?? []);
}

function ranOf(domain: DomainSnapshot | undefined): number {
  return sum(domain?.vcpus.map((v) => v.runNs) ?? []);
}

function interruptCounts(domain: DomainSnapshot, changes: Changes): Counts {
  const { rows, arch } = domain.interrupts;
  const counts: Counts = new Map();
  for (const { irq, chip, actions } of rows) {
    add(counts, actions.length > 0 ? actions.join(', ') : `irq ${irq} ${chip}`, changes.of(domain, irq));
  }
  for (const { label, text } of arch) add(counts, `${label} ${text}`.trim(), changes.of(domain, label));
  return counts;
}

function softirqCounts({ softirqs }: DomainSnapshot, old: DomainSnapshot | undefined): Counts {
  const before = new Map(old?.softirqs.rows.map(({ name, counts }) => [name, sum(counts)]));
  return new Map(softirqs.rows.map(({ name, counts }) => [name, sum(counts) - (before.get(name) ?? 0)]));
}

type Exits = NonNullable<DomainSnapshot['exits']>;

function exitCounts({ rows }: Exits, old: Exits | undefined): Counts {
  const before = new Map(old?.rows.map(({ reason, counts }) => [reason, sum(counts)]));
  return new Map(rows.map(({ reason, name, counts }) => [name, sum(counts) - (before.get(reason) ?? 0)]));
}

/** How often, and how long one takes on average from the exit to the next entry. */
function exitTables(
  exits: Exits,
  old: Exits | undefined,
  rates: (counts: Counts) => Values,
): [TableName, Values][] {
  const counts = exitCounts(exits, old);
  const before = new Map(old?.rows.map(({ reason, totalNs }) => [reason, totalNs]));
  const means = exits.rows.map(({ reason, name, totalNs }): [string, number | null] => {
    const times = counts.get(name)!;
    return [name, times > 0 ? (totalNs - (before.get(reason) ?? 0)) / times / 1e3 : null];
  });
  return [
    ['exits', rates(counts)],
    ['exit time', new Map(means)],
  ];
}

function counterCounts({ stats }: Exits, old: Exits | undefined): Counts {
  const before = new Map(old?.stats);
  const counted = stats.filter(([name]) => !GAUGE.test(name));
  return new Map(counted.map(([name, value]) => [name, value - (before.get(name) ?? 0)]));
}

// Xen

function xenSubject(xen: XenSnapshot, changes: Changes, old: XenSnapshot | undefined): Subject {
  const counts: Record<XenRow['kind'], Counts> = { interrupt: new Map(), softirq: new Map() };
  for (const row of xenRows(xen)) {
    add(counts[row.kind], row.kind === 'softirq' ? row.label : interruptName(row), changes.of(xen, row.key));
  }
  const totals = new Map([
    ['interrupts/s', sum([...counts.interrupt.values()])],
    ['softirqs/s', sum([...counts.softirq.values()])],
    ['event checks/s', xen.eventChecks.sent - (old?.eventChecks.sent ?? 0)],
  ]);
  return {
    name: 'Xen',
    about: xen.kind,
    tables: [
      ['totals', perSecond(totals, changes)],
      ['interrupts', perSecond(counts.interrupt, changes)],
      ['softirqs', perSecond(counts.softirq, changes)],
    ],
  };
}

/** Who it is for; numbers, which depend on the order of the boot, are left out: `dom0 eth0-rx-0`. */
function interruptName({ what, owner }: XenRow): string {
  return owner === 'Xen' ? what : owner.replace(/:\d+/g, '').replace(/^Xen /, '');
}

/** Of each handler that ran meanwhile: what half of its interrupts, and 99 of 100, did not exceed. */
function latencies(now: readonly LatencySnapshot[], before: readonly LatencySnapshot[]): Values {
  const spans = new Map<string, Map<number, number>>();
  for (const [rows, sign] of [[now, 1] as const, [before, -1] as const]) {
    for (const { name, buckets } of rows) {
      const span = spans.get(name) ?? new Map<number, number>();
      spans.set(name, span);
      for (const [upTo, n] of buckets) span.set(upTo, (span.get(upTo) ?? 0) + sign * n);
    }
  }
  const values = new Map<string, number>();
  for (const [name, span] of spans) {
    if (sum([...span.values()]) === 0) continue;
    values.set(`${name} p50`, percentile(span, 0.5) / 1e3);
    values.set(`${name} p99`, percentile(span, 0.99) / 1e3);
  }
  return values;
}

function percentile(counts: ReadonlyMap<number, number>, share: number): number {
  const sorted = [...counts].sort(([a], [b]) => a - b);
  const all = sum([...counts.values()]);
  let seen = 0;
  for (const [upTo, n] of sorted) {
    seen += n;
    if (seen >= share * all) return upTo;
  }
  return sorted.at(-1)![0];
}

// the books

function booksSubject(before: Snapshot, now: Snapshot, changes: Changes): Subject {
  const counts: Counts = new Map();
  for (const [{ books }, sign] of [[now, 1] as const, [before, -1] as const]) {
    for (const { raised, delivered, coalesced, ignored } of books) {
      add(counts, 'raised', sign * raised);
      add(counts, 'delivered', sign * delivered);
      add(counts, 'coalesced', sign * coalesced);
      for (const [why, n] of Object.entries(ignored)) add(counts, `ignored: ${why}`, sign * n);
    }
  }
  return { name: 'Books', about: '', tables: [['raises', perSecond(counts, changes)]] };
}

/** raised = delivered + coalesced + ignored + pending, in every account */
export function balanced({ books }: Snapshot): boolean {
  return books.every(
    (a) => a.raised === a.delivered + a.coalesced + sum(Object.values(a.ignored)) + a.pending,
  );
}

function perSecond(counts: Counts, { seconds }: Changes): Values {
  return new Map([...counts].map(([name, n]) => [name, n / seconds]));
}

function percentOfCpu(ns: number, { seconds }: Changes): number {
  return ns / seconds / 1e7;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, n) => all + n, 0);
}

/** Rows of one name are one. */
function add(counts: Counts, name: string, n: number): void {
  counts.set(name, (counts.get(name) ?? 0) + n);
}
