/**
 * The trace as a log: its last records in the words of the platform, of the whole machine or of what concerns one
 * domain. Nothing of it is in a snapshot; who shows it asks.
 */
import type { Ns } from '../core/clock.ts';
import type { Tracepoint, TraceRecord } from '../core/trace.ts';
import { type Hop, inOrder } from './hops.ts';
import type { HopMode } from './inspect.ts';
import type { Machine, Platform } from './machine.ts';

/** One record of the trace. */
export interface EventSnapshot {
  /** its number in the run */
  readonly seq: number;
  readonly time: Ns;
  /** physical CPU, -1 outside */
  readonly cpu: number;
  readonly mode: HopMode;
  /** who had the CPU: `dom1.0`, `idle`, `host`; empty outside the CPUs */
  readonly who: string;
  /** the function, and what it was called for */
  readonly name: string;
  readonly detail: string;
  /** 0: no raise stands behind it */
  readonly journey: number;
}

export interface EventQuery {
  /** so many at most, the newest */
  readonly last: number;
  /** none before this record */
  readonly since?: number | undefined;
  /** none after this record */
  readonly until?: number | undefined;
  /** what concerns this domain: its virtual CPU has the processor, or the record names it */
  readonly domain?: number | undefined;
}

export interface EventLog {
  /** records written so far, and the oldest that is kept */
  readonly written: number;
  readonly oldest: number;
  /** the first that was looked at: between it and the newest none is missing */
  readonly from: number;
  /** in the order of their times */
  readonly events: readonly EventSnapshot[];
}

export function recentEvents(machine: Machine, query: EventQuery): EventLog {
  const { platform, shop } = machine;
  const { trace } = shop;
  const { last, domain, until = trace.written } = query;
  const since = Math.max(query.since ?? 1, trace.oldest);
  const found: number[] = [];
  let from = since;
  if (last > 0) {
    const concerned = domain === undefined ? undefined : concerning(platform, domain);
    trace.backwards(since, until, (seq, point, vcpu, args) => {
      if (concerned === undefined || concerned(point, vcpu, args)) found.push(seq);
      if (found.length < last) return true;
      from = seq;
      return false;
    });
  }
  const passed = found.reverse().map((seq) => {
    const record = trace.record(seq);
    return { record, hop: platform.hop(record) };
  });
  const events = passed.sort(inOrder).map(({ record, hop }) => eventOf(platform, record, hop));
  return { written: trace.written, oldest: trace.oldest, from, events };
}

function eventOf(platform: Platform, record: TraceRecord, { mode, name, detail }: Hop): EventSnapshot {
  const { seq, time, cpu, vcpu, journey } = record;
  return { seq, time, cpu, mode, who: cpu < 0 ? '' : platform.runner(vcpu).name, name, detail, journey };
}

type Concerned = (point: Tracepoint, vcpu: number, args: (i: number) => number) => boolean;

/** How to tell from a record's numbers whether it concerns a domain: tracepoints name what they mean alike. */
function concerning(platform: Platform, domain: number): Concerned {
  const vcpus: boolean[] = [];
  const isOurs = (vcpu: number) => {
    if (vcpu < 0) return false;
    vcpus[vcpu] ??= platform.runner(vcpu).domain === domain;
    return vcpus[vcpu];
  };
  const named: ((args: (i: number) => number) => boolean)[] = [];
  const nameOf = (point: Tracepoint) => {
    named[point.id] ??= namedBy(point, domain, isOurs);
    return named[point.id]!;
  };
  return (point, vcpu, args) => isOurs(vcpu) || nameOf(point)(args);
}

function namedBy({ args: names }: Tracepoint, domain: number, isOurs: (vcpu: number) => boolean) {
  const dom = names.findIndex((name) => name === 'dom' || name === 'domain');
  if (dom >= 0) return (args: (i: number) => number) => args(dom) === domain;
  switch (names[0]) {
    case 'vcpu':
      return (args: (i: number) => number) => isOurs(args(0));
    case 'prev':
      return (args: (i: number) => number) => isOurs(args(0)) || isOurs(args(1));
    case 'vm':
      // machines are domains from 1 on
      return (args: (i: number) => number) => args(0) + 1 === domain;
    default:
      return () => false;
  }
}
