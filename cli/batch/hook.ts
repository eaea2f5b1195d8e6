/** --hook: a line for every vector that comes to Xen, and at the end what recording them has cost each CPU. */
import type { HookRecordSnapshot, Machine, Snapshot } from '../../engine/index.ts';
import { hookOf, isXen, vectorText } from '../../tui/subject.ts';
import { chosenOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { table } from '../table.ts';
import { printable } from '../usage.ts';
import { type Report, secondsText } from './report.ts';

export class HookReport implements Report {
  private records: HookRecordSnapshot[] = [];
  /** domain of the records that are asked for; undefined: all */
  private only: number | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly options: Options,
  ) {}

  begin(before: Snapshot): string {
    const { domain, json } = this.options;
    const chosen = domain === undefined ? undefined : chosenOf(before, domain);
    this.only = chosen && !isXen(chosen) ? chosen.id : undefined;
    this.machine.platform.hook!.listen((record) => {
      if (this.only === undefined || record.domain === this.only) this.records.push(record);
    });
    if (json) return '';
    const head = `virqtop - scenario ${before.scenario}, seed ${before.seed}, hook from ${secondsText(before.time)} s`;
    return `${printable(head)}\n\n${HEAD}`;
  }

  update({ time }: Snapshot): string {
    return this.until(time);
  }

  /**
   * What was recorded up to a moment. CPUs are ahead of the clock, each by its own way: what they write for later
   * waits, so that the lines stand in order.
   */
  until(time: number): string {
    const due = this.records.filter((r) => r.time <= time);
    this.records = this.records.filter((r) => r.time > time);
    due.sort((a, b) => a.time - b.time || a.cpu - b.cpu);
    return due.map(this.options.json ? (r) => `${JSON.stringify(r)}\n` : lineOf).join('');
  }

  /** The sums are of all that was written, so what waits is told before them. */
  end(snapshot: Snapshot): string {
    const { scenario, seed, time } = snapshot;
    const rest = this.until(Infinity);
    const { cpus } = hookOf(snapshot)!;
    if (this.options.json) return `${rest}${JSON.stringify({ scenario, seed, time, hook: { cpus } })}\n`;
    const rows = cpus.map(({ records, added }, cpu) => [`CPU${cpu}`, String(records), microseconds(added)]);
    const sum = (of: (cpu: (typeof cpus)[number]) => number) => cpus.reduce((n, cpu) => n + of(cpu), 0);
    rows.push(['total', String(sum((c) => c.records)), microseconds(sum((c) => c.added))]);
    return `${rest}\n${table(
      [{ title: '' }, { title: 'RECORDS', right: true }, { title: 'ADDED, INTERRUPTS OFF', right: true }],
      rows,
    )}`;
  }
}

/** widths of time, CPU, virtual CPU, point and vector */
const WIDTHS = [14, 4, 11, 18, 6] as const;

function columns(
  time: string,
  cpu: string,
  who: string,
  point: string,
  vector: string,
  what: string,
): string {
  const [t, c, w, p, v] = WIDTHS;
  const cells = [time.padStart(t), cpu.padStart(c), who.padEnd(w), point.padEnd(p), vector.padStart(v), what];
  return `${cells.join('  ').trimEnd()}\n`;
}

const HEAD = columns('TIME', 'CPU', 'VCPU', 'POINT', 'VECTOR', 'WHAT');

function lineOf({ time, cpu, who, point, vector, what }: HookRecordSnapshot): string {
  const seconds = `${Math.floor(time / 1e9)}.${String(time % 1e9).padStart(9, '0')}`;
  return columns(seconds, String(cpu), who, point, vectorText(vector), what);
}

function microseconds(ns: number): string {
  return `${(ns / 1000).toFixed(3)} us`;
}
