/**
 * A machine from real captures of /proc/interrupts: a host with the same CPUs and rows that goes on counting
 * from where the first capture stands, at the rates the captures tell.
 *
 * Every (row, CPU) that counts is a source. What lies between the device and the handler is not modelled:
 * an interrupt is raised, waits for its CPU, and is handled. Arrivals are renewals with uniform intervals of
 * half to one and a half times the mean, so that a counter of n strays from its course by less than a third
 * of sqrt(n).
 */
import { type Ns, Priority, type Task } from '../core/clock.ts';
import { asU32 } from '../core/counters.ts';
import { printable } from '../core/errors.ts';
import { LatencyTable } from '../core/latency.ts';
import type { Stream } from '../core/rng.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../core/state.ts';
import type { Tracepoint, TraceRecord } from '../core/trace.ts';
import { type Import, type ImportedRow, importProc } from '../import/proc.ts';
import { layoutOf } from '../proc/dialects.ts';
import { parseInterrupts } from '../proc/parse-interrupts.ts';
import { isWide } from '../proc/print-interrupts.ts';
import type { Interrupts } from '../proc/types.ts';
import { timing } from '../timing.ts';
import { type Hop, type HopTable, hopOf } from './hops.ts';
import type { CpuSnapshot, DomainSnapshot, VcpuSnapshot } from './inspect.ts';
import { latencySnapshot } from './latency.ts';
import { type Fireable, Machine, type Platform, type Runner, Workshop } from './machine.ts';
import type { PlatformTrace } from './trace-host.ts';

export interface ImportOptions {
  /** one capture, or two of which the second is the later */
  readonly files: readonly { readonly name: string; readonly text: string }[];
  /** between the two captures */
  readonly intervalSeconds?: number;
  /** of the machine when the only capture was taken */
  readonly uptimeSeconds?: number;
  readonly seed: number;
}

/** @throws UserError or FormatError if the captures cannot be read or do not fit together */
export function importHost(options: ImportOptions): Machine {
  const captures = options.files.map(({ name, text }) => ({ name, interrupts: parseInterrupts(text, name) }));
  const data = importProc(captures, options);
  const shop = new Workshop(options.seed);
  const names = captures.map((c) => printable(c.name)).join(' and ');
  const apart = captures.length === 2 ? 'apart' : 'after boot';
  const title = `${names}, ${Number(data.seconds.toFixed(3))} s ${apart}`;
  return new Machine({ name: 'imported', title }, shop, new ImportedHost(shop, data));
}

/** What a source's task does next. */
const RAISE = 0;
const HANDLE = 1;

/** Chips of Xen's interrupts in its guests. */
const XEN_CHIP = /^(xen-|Dynamic|Phys)/;
/** Handlers every CPU has for itself, which no device raises. */
const PER_CPU =
  /^(timer|resched|callfunc|callfuncsingle|call1func|irqwork|spinlock|reboot|debug)\d*$|^(arch_timer|arm-pmu|events|cascade)$/;
const KEYS = 9;

/** One row on one CPU. */
interface Cell {
  readonly row: number;
  readonly column: number;
  /** whose raises it takes, and where they wait */
  readonly source: number;
  readonly destination: number;
  readonly slot: number;
}

class ImportedHost implements Part, Platform {
  readonly id = 'imported';
  readonly system: string;
  readonly fireables: readonly Fireable[];
  readonly dumps: readonly string[] = [];
  private readonly domain: string;
  /** gained since the start: row * columns + column */
  private readonly gained: Float64Array;
  /** until when each CPU is in handlers, and for how long it was */
  private readonly busyUntil: Float64Array;
  private readonly busy: Float64Array;
  private readonly upcalls: Float64Array;
  private handled = 0;
  private readonly latency = new LatencyTable('imported.latency');
  private readonly cells: Cell[] = [];
  private readonly cellAt = new Map<number, Cell>();
  private readonly raised: Tracepoint;
  private readonly entered: Tracepoint;

  constructor(
    private readonly shop: Workshop,
    private readonly data: Import,
  ) {
    const { first, rows } = data;
    this.raised = shop.trace.point('irq_raise', 'row', 'column', 'pending');
    this.entered = shop.trace.point('irq_handler_entry', 'row', 'column');
    this.domain = first.rows.some((r) => XEN_CHIP.test(r.chip)) ? 'dom0' : 'host';
    this.system = `imported, ${layoutOf(first.dialect).title}`;
    this.gained = new Float64Array(rows.length * first.cpus.length);
    this.busyUntil = new Float64Array(first.cpus.length);
    this.busy = new Float64Array(first.cpus.length);
    this.upcalls = new Float64Array(first.cpus.length);
    shop.parts.add(this);
    rows.forEach((row, r) => {
      if (row.sumOf.length > 0) return;
      row.growth.forEach((growth, column) => {
        if (growth > 0) this.addSource(r, column, (data.seconds * 1e9) / growth);
      });
    });
    this.fireables = devicesOf(rows).map((d, n) => this.addDevice(d.row, d.name, String(n + 1)));
  }

  // ---- from the raise to the handler

  /** A source raises and is handled in turn; the next raise is drawn before the handler runs. */
  private addSource(row: number, column: number, mean: Ns): void {
    const name = this.nameOf(row, column);
    const cell = this.cell(row, column);
    const stream = this.shop.rng.stream(name);
    const task: Task = this.shop.clock.task(name, Priority.hardware, (step, next) => {
      let following = next;
      if (step === RAISE) {
        following = this.shop.clock.now + interval(stream, mean);
        const entry = this.raise(cell, this.shop.books.begin(cell.source));
        if (entry !== undefined) return task.at(entry, HANDLE, following);
      } else {
        this.handle(cell);
      }
      if (following <= Number.MAX_SAFE_INTEGER) task.at(following, RAISE);
    });
    const first = Math.round(mean * stream.unit());
    if (first <= Number.MAX_SAFE_INTEGER) task.at(first, RAISE);
  }

  private addDevice(row: number, name: string, key: string): Fireable {
    const { start, growth, label, title } = this.data.rows[row]!;
    const most = start
      .map((s, n) => s + growth[n]!)
      .reduce((best, c, n, all) => (c > all[best]! ? n : best), 0);
    const cell = this.cell(row, most);
    const task = this.shop.clock.task(`fire.${key}`, Priority.hardware, () => this.handle(cell));
    return {
      key,
      name,
      title: `irq ${label} ${title}`,
      fire: () => {
        const journey = this.shop.books.begin(cell.source);
        const entry = this.raise(cell, journey);
        if (entry !== undefined) task.at(entry);
        return journey;
      },
    };
  }

  /** The answer is when the handler runs, after those the CPU is busy with; none if one was pending. */
  private raise(cell: Cell, journey: number): Ns | undefined {
    const { books, clock, trace } = this.shop;
    const { row, column } = cell;
    const fresh = books.pend(cell.slot, cell.destination);
    trace.emit(this.raised, clock.now, journey, -1, row, column, fresh ? 0 : 1);
    if (!fresh) return undefined;
    const entry = Math.max(clock.now, this.busyUntil[column]!) + timing.irqEntry;
    this.busyUntil[column] = entry + timing.shortHandler;
    return entry;
  }

  private handle(cell: Cell): void {
    const { books, clock, trace } = this.shop;
    const { row, column } = cell;
    const journey = books.deliver(cell.slot);
    if (journey === 0) return;
    this.latency.add(row, journey, books.raisedIn(cell.slot), clock.now);
    const { cpus } = this.data.first;
    this.gained[row * cpus.length + column]!++;
    this.handled++;
    this.busy[column]! += timing.irqEntry + timing.shortHandler;
    if (XEN_CHIP.test(this.data.rows[row]!.irq?.chip ?? '')) this.upcalls[column]!++;
    trace.emit(this.entered, clock.now, journey, cpus[column]!, row, column);
  }

  private cell(row: number, column: number): Cell {
    const key = row * this.data.first.cpus.length + column;
    let cell = this.cellAt.get(key);
    if (!cell) {
      const { books } = this.shop;
      const { label, title } = this.data.rows[row]!;
      cell = {
        row,
        column,
        source: books.sourceOf(label === title ? label : `${label} ${title}`),
        destination: books.destinationOf(`${this.domain} CPU${this.data.first.cpus[column]}`),
        slot: books.addSlots(1),
      };
      this.cellAt.set(key, cell);
      this.cells.push(cell);
    }
    return cell;
  }

  private nameOf(row: number, column: number): string {
    return `import.${this.data.rows[row]!.label}.cpu${this.data.first.cpus[column]}`;
  }

  // ---- what is seen of it

  private count(row: number, column: number): number {
    const { rows, first } = this.data;
    const { start, sumOf, label } = rows[row]!;
    let n = start[column]! + this.gained[row * first.cpus.length + column]!;
    for (const part of sumOf) n += this.gained[part * first.cpus.length + column]!;
    return isWide(label) ? n : asU32(n);
  }

  private interrupts(): Interrupts {
    const { first } = this.data;
    const counts = (row: number, start: readonly number[]) => start.map((_, n) => this.count(row, n));
    return {
      ...first,
      rows: first.rows.map((r, n) => ({ ...r, counts: counts(n, r.counts) })),
      arch: first.arch.map((r, n) => ({ ...r, counts: counts(first.rows.length + n, r.counts) })),
    };
  }

  /** Nothing of the hardware is known: a raise waits in the books alone. */
  pendingMismatch(): string[] {
    return [];
  }

  domains(): DomainSnapshot[] {
    const interrupts = this.interrupts();
    const waiting = new Set(this.cells.filter((c) => this.shop.books.holds(c.slot)).map((c) => c.row));
    return [
      {
        id: 0,
        name: this.domain,
        kind: this.system,
        vcpus: this.vcpus(),
        interrupts,
        irqStates: interrupts.rows.map((row, n) => ({
          row,
          pending: waiting.has(n),
          masked: false,
          active: false,
          port: null,
        })),
        softirqs: { cpus: interrupts.cpus, rows: [] },
        latency: latencySnapshot(this.latency, (row) => {
          const { irq, label, title } = this.data.rows[row]!;
          return { row: irq ? irq.irq : label, name: title };
        }),
        channels: [],
      },
    ];
  }

  private vcpus(): VcpuSnapshot[] {
    const { cpus } = this.data.first;
    return cpus.map((cpu, n) => ({
      vcpu: cpu,
      state: this.inHandler(n) ? 'running' : 'blocked',
      cpu,
      runNs: this.busyTime(n),
      upcallPending: false,
      upcallMask: false,
      upcalls: this.upcalls[n]!,
    }));
  }

  cpus(): CpuSnapshot[] {
    const { now } = this.shop.clock;
    return this.data.first.cpus.map((cpu, n) => ({
      cpu,
      running: this.inHandler(n) ? `${this.domain}.${cpu}` : null,
      mode: this.inHandler(n) ? 'guest' : 'idle',
      guestNs: this.busyTime(n),
      xenNs: 0,
      idleNs: now - this.busyTime(n),
    }));
  }

  private inHandler(column: number): boolean {
    return this.busyUntil[column]! > this.shop.clock.now;
  }

  /** A handler is charged when it is entered, so the last one may not have been finished. */
  private busyTime(column: number): Ns {
    return Math.min(this.shop.clock.now, this.busy[column]!);
  }

  hop(record: TraceRecord): Hop {
    return hopOf(HOPS, this.data, record);
  }

  runner(): Runner {
    return { domain: 0, name: this.domain };
  }

  details(): undefined {
    return undefined;
  }

  /** Nothing of the hardware is known. */
  waiting(): string {
    return '';
  }

  totals(): { interrupts: number; upcalls: number } {
    return { interrupts: this.handled, upcalls: this.upcalls.reduce((a, b) => a + b, 0) };
  }

  trace(): PlatformTrace {
    const { first, rows } = this.data;
    return {
      kind: 'imported',
      cpus: Math.max(...first.cpus) + 1,
      domains: [this.domain],
      vcpus: [],
      tasks: [],
      running: first.cpus.map(() => -1),
      exits: [],
      action: (_, row) => rows[row]!.label,
      signals: () => [
        { scope: [this.domain], name: 'interrupts', kind: 'rate', read: () => this.handled, of: [] },
      ],
    };
  }

  dump(): undefined {
    return undefined;
  }

  // ---- memory

  save(): Plain {
    return {
      gained: saveArray(this.gained),
      busyUntil: saveArray(this.busyUntil),
      busy: saveArray(this.busy),
      upcalls: saveArray(this.upcalls),
      handled: this.handled,
      latency: this.latency.save(),
    };
  }

  restore(state: Plain): void {
    const s = state as { [name: string]: Plain };
    restoreArray(this.gained, s.gained!);
    restoreArray(this.busyUntil, s.busyUntil!);
    restoreArray(this.busy, s.busy!);
    restoreArray(this.upcalls, s.upcalls!);
    this.handled = s.handled as number;
    this.latency.restore(s.latency!);
  }
}

const HOPS: HopTable<Import> = {
  irq_raise: {
    mode: 'device',
    name: 'raise',
    detail: ({ rows, first }, [row, column, pending]) =>
      `irq ${rows[row!]!.label} on CPU${first.cpus[column!]}${pending === 1 ? ', was pending' : ''}`,
    brief: ({ rows, first }, [row, column, pending]) =>
      `irq ${rows[row!]!.label} raised on CPU${first.cpus[column!]}${pending === 1 ? ', was pending: coalesced' : ''}`,
    about: 'a row of the imported file counts',
    charged: timing.irqEntry,
  },
  irq_handler_entry: {
    mode: 'guest',
    name: 'handle_irq_event',
    detail: ({ rows }, [row]) => `irq ${rows[row!]!.label} ${rows[row!]!.title}`,
    brief: ({ rows }, [row]) => `irq ${rows[row!]!.label} handled: ${rows[row!]!.title}`,
    about: "the driver's handler runs",
    charged: timing.shortHandler,
    end: () => 2,
    row: ({ rows }, [row]) => {
      const { irq } = rows[row!]!;
      return irq ? { domain: 0, irq: irq.irq } : null;
    },
  },
};

/** An integer of at least 1, uniform between half and one and a half times the mean. */
function interval(stream: Stream, mean: Ns): Ns {
  return Math.max(1, Math.round(stream.between(0.5, 1.5) * mean));
}

/**
 * The rows whose interrupts a user may raise, nine at most: devices' rows, those that grow before those that
 * only counted once before those that never did; in the order of the file.
 */
function devicesOf(rows: readonly ImportedRow[]): { row: number; name: string }[] {
  const interest = ({ start, growth }: ImportedRow) =>
    growth.some((g) => g > 0) ? 0 : start.some((s) => s > 0) ? 1 : 2;
  const found = rows.flatMap((row, n) => (isDevice(row) ? [{ row, n }] : []));
  const chosen = [0, 1, 2].flatMap((i) => found.filter(({ row }) => interest(row) === i)).slice(0, KEYS);
  chosen.sort((a, b) => a.n - b.n);
  const names = new Set<string>();
  return chosen.map(({ row, n }) => {
    const plain = row.irq!.actions[0]!.replace(/[^\w.:]+/g, '-').replace(/^-|-$/g, '') || 'irq';
    const name = names.has(plain) ? `${plain}.${row.label}` : plain;
    names.add(name);
    return { row: n, name };
  });
}

function isDevice({ irq }: ImportedRow): boolean {
  const action = irq?.actions[0];
  if (!irq || action === undefined) return false;
  return irq.chip !== 'xen-percpu' && irq.name !== 'percpu' && !PER_CPU.test(action);
}
