/**
 * A Linux kernel in a paravirtual domain: its CPUs, interrupts, softirqs, threads and time, and what its /proc
 * shows of them. Drivers are added by the boot.
 */
import type { Hypercalls } from '../../abi/hypercalls.ts';
import type { GuestMemory, SharedInfo } from '../../abi/xen.ts';
import type { Books, DestinationId, SlotId } from '../../core/books.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Trace, Tracepoint } from '../../core/trace.ts';
import type { VirtualCpu } from '../../hw/x86/cpu.ts';
import { archLayout, dialectOf } from '../../proc/arch-rows.ts';
import { precisionFor } from '../../proc/dialects.ts';
import { type Interrupts, SOFTIRQS, type Softirqs } from '../../proc/types.ts';
import { timing } from '../../timing.ts';
import { CrossCalls } from './calls.ts';
import { LinuxCpu } from './entry.ts';
import { Events2l } from './events-2l.ts';
import type { EventAbi } from './events-abi.ts';
import { EventsFifo } from './events-fifo.ts';
import { EventIrqs } from './evtchn.ts';
import { type IrqDesc, IrqTable, type Work } from './irq-core.ts';
import type { EventsHost } from './irq-info.ts';
import { NapiList } from './napi.ts';
import type { KernelProfile } from './profiles.ts';
import { Thread, type ThreadWork } from './threads.ts';
import { KernelTime, type KernelTimer } from './time.ts';

export interface KernelInit {
  /** number of its domain */
  readonly domain: number;
  /** dom0 */
  readonly initialDomain: boolean;
  readonly profile: KernelProfile;
  readonly vcpus: readonly VirtualCpu[];
  readonly hypercalls: readonly Hypercalls[];
  readonly shared: SharedInfo;
  readonly memory: GuestMemory;
  readonly books: Books;
  readonly trace: Trace;
  readonly parts: { add<P extends Part>(part: P): P };
  /** first number of event channels where the profile leaves it to the machine */
  readonly dynamicBase: number;
  readonly nrIrqs: number;
  slot(port: number): SlotId;
  destination(port: number): DestinationId;
  /** the callback comes as an interrupt of its own (PVH, HVM) */
  readonly callbackVector: boolean;
}

export class LinuxKernel implements EventsHost, Part {
  readonly id: string;
  readonly profile: KernelProfile;
  readonly cpuCount: number;
  readonly dynamicBase: number;
  readonly books: Books;
  readonly trace: Trace;
  readonly irqs: IrqTable;
  readonly cpus: readonly LinuxCpu[];
  readonly events: EventIrqs;
  readonly time: KernelTime;
  readonly napi: NapiList;
  readonly calls: CrossCalls;
  readonly threads: Thread[] = [];
  readonly softirqs: Work[];
  /** what it complained of */
  readonly log: string[] = [];
  /** handlers run since boot */
  interrupts = 0;
  /** context switches since boot, to the idle loop as well */
  switches = 0;
  private readonly softirqCounts: number[][];
  /** counters of the rows below the numbered ones, per CPU */
  private readonly arch = new Map<string, number[]>();
  private readonly eoiTimers: KernelTimer[];
  /** per handler running: the journey it serves */
  private readonly journeys: number[];
  private readonly tpHandler: Tracepoint;
  private readonly tpHandlerEnd: Tracepoint;

  constructor(readonly init: KernelInit) {
    this.id = `dom${init.domain}`;
    this.profile = init.profile;
    this.cpuCount = init.vcpus.length;
    this.dynamicBase = init.profile.dynamicBase ?? init.dynamicBase;
    this.books = init.books;
    this.trace = init.trace;
    const { parts, profile } = init;
    const nrIrqs = profile.numbering === 'bindcount' ? this.dynamicBase + profile.nrDynamic : init.nrIrqs;
    this.irqs = new IrqTable(nrIrqs, this.cpuCount);
    this.events = new EventIrqs(this, this.makeAbi());
    if (profile.numbering === 'bindcount') this.events.initIrqs(init.initialDomain);
    parts.add(this.events.abi);
    parts.add(this.events);
    this.time = parts.add(new KernelTime(this));
    this.napi = parts.add(new NapiList(this.id, this.cpuCount));
    this.calls = parts.add(new CrossCalls(this));
    this.cpus = init.vcpus.map((v, cpu) => parts.add(new LinuxCpu(this, cpu, v)));
    this.softirqCounts = SOFTIRQS.map(() => new Array(this.cpuCount).fill(0));
    const short: Work = { cost: () => timing.shortHandler, run: () => {} };
    this.softirqs = SOFTIRQS.map(() => short);
    this.softirqs[SOFTIRQS.indexOf('TIMER')] = this.time.softirq;
    this.softirqs[SOFTIRQS.indexOf('NET_RX')] = this.napi.softirq;
    this.eoiTimers = this.cpus.map((c) => this.time.timer(c.cpu, (on) => this.events.late.worker(on.cpu)));
    this.journeys = new Array(this.cpuCount).fill(0);
    this.tpHandler = init.trace.point('irq_handler_entry', 'dom', 'irq', 'vcpu');
    this.tpHandlerEnd = init.trace.point('irq_handler_exit', 'dom', 'irq', 'vcpu');
    parts.add(this);
  }

  private makeAbi(): EventAbi {
    const { shared, memory } = this.init;
    const calls = (cpu: number) => this.hypercalls(cpu);
    if (this.profile.abi === 'fifo') {
      const fifo = new EventsFifo(this.id, memory, this.cpuCount, calls);
      if (fifo.init() === 0) return fifo;
    }
    const { timerFirst, scan } = this.profile;
    return new Events2l(this.id, shared, calls, { timerFirst, scan }, (cpu) => this.events.timerPort(cpu));
  }

  // EventsHost

  hypercalls(cpu: number): Hypercalls {
    return this.init.hypercalls[cpu]!;
  }

  slot(port: number): SlotId {
    return this.init.slot(port);
  }

  destination(port: number): DestinationId {
    return this.init.destination(port);
  }

  jiffies(): number {
    return this.time.jiffies(this.cpus[0]!.now);
  }

  upcallPending(cpu: number): boolean {
    return this.init.shared.vcpus[cpu]!.upcallPending !== 0;
  }

  setUpcall(cpu: number, pending: boolean | undefined, mask: boolean | undefined): void {
    const info = this.init.shared.vcpus[cpu]!;
    if (pending !== undefined) info.upcallPending = Number(pending);
    if (mask !== undefined) info.upcallMask = Number(mask);
  }

  delayEoi(cpu: number, jiffies: number): void {
    const on = this.cpus[cpu]!;
    // delayed work is due on a tick
    const due = this.time.jiffies(on.now) + jiffies;
    this.time.set(this.eoiTimers[cpu]!, Math.round((due * 1e9) / this.profile.hz), on);
  }

  // threads

  thread(name: string, cpu: number, work: ThreadWork): Thread {
    const thread = new Thread(this.threads.length, name, cpu, work);
    this.threads.push(thread);
    return thread;
  }

  /** wake_up_process from code on `from`; a CPU elsewhere that idles is told by IPI. */
  wake(thread: Thread, from: LinuxCpu): void {
    if (thread.ready) {
      thread.again = true;
      return;
    }
    thread.ready = true;
    const target = this.cpus[thread.cpu]!;
    const idle = target.idle;
    target.runq.push(thread);
    if (target !== from && idle) this.sendIpi('resched', target.cpu, from);
  }

  /** An idle CPU must look at its timers again. */
  kickIdle(cpu: number, from: LinuxCpu): void {
    if (this.cpus[cpu]!.idle) this.sendIpi('resched', cpu, from);
  }

  sendIpi(kind: string, cpu: number, from: LinuxCpu): void {
    const port = this.events.ipi(kind, cpu);
    if (port !== 0) this.hypercalls(from.cpu).send(port);
  }

  // counting and tracing

  countSoftirq(nr: number, cpu: number): void {
    this.softirqCounts[nr]![cpu]!++;
  }

  countArch(label: string, cpu: number): void {
    let row = this.arch.get(label);
    if (!row) {
      row = new Array(this.cpuCount).fill(0);
      this.arch.set(label, row);
    }
    row[cpu]!++;
  }

  traceHandler(cpu: LinuxCpu, desc: IrqDesc): void {
    const { journey } = this.books;
    this.journeys[cpu.cpu] = journey;
    const { vcpu } = cpu;
    this.trace.emit(this.tpHandler, cpu.now, journey, vcpu.processor, this.init.domain, desc.irq, cpu.cpu);
  }

  traceHandlerEnd(cpu: LinuxCpu, desc: IrqDesc): void {
    const journey = this.journeys[cpu.cpu]!;
    const { vcpu } = cpu;
    this.trace.emit(this.tpHandlerEnd, cpu.now, journey, vcpu.processor, this.init.domain, desc.irq, cpu.cpu);
  }

  // /proc

  interruptsFile(): Interrupts {
    const { profile } = this;
    const cpus = this.cpus.map((c) => c.cpu);
    const dialect = dialectOf(profile.arch);
    return {
      dialect,
      cpus,
      rows: this.shownDescs().map((d) => ({
        irq: d.irq,
        counts: [...d.counts],
        chip: d.chip.name,
        hwirq: d.hwirq,
        trigger: null,
        name: d.flow,
        actions: d.actions.map((a) => a.name),
      })),
      arch: archLayout(profile.arch).map(({ label, text, single }) => ({
        label,
        counts: single ? [0] : cpus.map((c) => this.arch.get(label)?.[c] ?? 0),
        text,
        single,
      })),
      precision: precisionFor(dialect, this.irqs.nrIrqs),
    };
  }

  /** The descriptors that /proc/interrupts shows: with an action, or a count. */
  shownDescs(): IrqDesc[] {
    const always = this.profile.numbering === 'bindcount';
    return [...this.irqs.all()].filter(
      (d) => d.irq < this.irqs.nrIrqs && (d.actions.length > 0 || (!always && d.counts.some((n) => n > 0))),
    );
  }

  softirqsFile(): Softirqs {
    return {
      cpus: this.cpus.map((c) => c.cpu),
      rows: SOFTIRQS.map((name, i) => ({ name, counts: [...this.softirqCounts[i]!] })),
    };
  }

  save(): Plain {
    return {
      irqs: this.irqs.save(),
      interrupts: this.interrupts,
      switches: this.switches,
      softirqCounts: this.softirqCounts,
      arch: [...this.arch],
      threads: this.threads.map((t) => [Number(t.ready), Number(t.again)]),
      journeys: this.journeys,
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      irqs: Plain;
      interrupts: number;
      switches: number;
      softirqCounts: number[][];
      arch: [string, number[]][];
      threads: [number, number][];
      journeys: number[];
    };
    this.irqs.restore(s.irqs);
    this.interrupts = s.interrupts;
    this.switches = s.switches;
    s.softirqCounts.forEach((row, i) => {
      this.softirqCounts[i] = [...row];
    });
    this.arch.clear();
    for (const [label, row] of s.arch) this.arch.set(label, [...row]);
    s.threads.forEach(([ready, again], i) => {
      this.threads[i]!.ready = ready === 1;
      this.threads[i]!.again = again === 1;
    });
    s.journeys.forEach((j, i) => {
      this.journeys[i] = j;
    });
  }
}
