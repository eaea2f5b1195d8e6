/**
 * A Linux kernel: its CPUs, interrupts, softirqs, threads and time, and what its /proc shows of them. How interrupts
 * come is the business of xen-kernel.ts and native.ts; drivers are added by the boot.
 */
import type { Books } from '../../core/books.ts';
import type { Ns } from '../../core/clock.ts';
import { LatencyTable } from '../../core/latency.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Trace, Tracepoint } from '../../core/trace.ts';
import type { Processor } from '../../hw/cpu.ts';
import { archLayout, dialectOf } from '../../proc/arch-rows.ts';
import { precisionFor } from '../../proc/dialects.ts';
import { type Interrupts, SOFTIRQS, type Softirqs } from '../../proc/types.ts';
import { timing } from '../../timing.ts';
import { CrossCalls } from './calls.ts';
import type { LinuxCpu } from './entry.ts';
import { type IrqDesc, IrqTable, type Work } from './irq-core.ts';
import { NapiList } from './napi.ts';
import type { KernelProfile } from './profiles.ts';
import { Thread, type ThreadWork } from './threads.ts';
import { KernelTime } from './time.ts';

export interface KernelInit<P extends Processor = Processor> {
  /** e.g. `dom0`, `host`, `vm1` */
  readonly id: string;
  /** number of its domain, for traces */
  readonly domain: number;
  readonly profile: KernelProfile;
  readonly vcpus: readonly P[];
  readonly books: Books;
  readonly trace: Trace;
  readonly parts: { add<T extends Part>(part: T): T };
  readonly nrIrqs: number;
}

export abstract class LinuxKernel implements Part {
  readonly id: string;
  readonly profile: KernelProfile;
  readonly cpuCount: number;
  readonly books: Books;
  readonly trace: Trace;
  readonly irqs: IrqTable;
  readonly cpus: readonly LinuxCpu[];
  readonly time: KernelTime;
  readonly napi: NapiList;
  readonly calls: CrossCalls;
  /** from raises to handlers, by interrupt number */
  readonly latency: LatencyTable;
  readonly threads: Thread[] = [];
  readonly softirqs: Work[];
  /** what it complained of */
  readonly log: string[] = [];
  /** threads that may move and wait in a run queue */
  waiting = 0;
  /** handlers run since boot */
  interrupts = 0;
  /** context switches since boot, to the idle loop as well */
  switches = 0;
  private readonly softirqCounts: number[][];
  /** counters of the rows below the numbered ones, per CPU */
  private readonly arch = new Map<string, number[]>();
  /** per handler running: the journey it serves */
  private readonly journeys: number[];
  private readonly tpFlow: Tracepoint;
  private readonly tpHandler: Tracepoint;
  private readonly tpHandlerEnd: Tracepoint;
  private readonly tpMachineCheck: Tracepoint;
  private readonly tpSwitch: Tracepoint;
  private readonly tpWakeup: Tracepoint;

  constructor(readonly init: KernelInit) {
    this.id = init.id;
    this.profile = init.profile;
    this.cpuCount = init.vcpus.length;
    this.books = init.books;
    this.trace = init.trace;
    const { parts } = init;
    this.irqs = new IrqTable(init.nrIrqs, this.cpuCount);
    this.time = parts.add(new KernelTime(this));
    this.napi = parts.add(new NapiList(this.id, this.cpuCount));
    this.calls = parts.add(new CrossCalls(this));
    this.latency = parts.add(new LatencyTable(`${this.id}.latency`));
    this.cpus = init.vcpus.map((_, cpu) => parts.add(this.makeCpu(cpu)));
    this.softirqCounts = SOFTIRQS.map(() => new Array(this.cpuCount).fill(0));
    const short: Work = { cost: () => timing.shortHandler, run: () => {} };
    this.softirqs = SOFTIRQS.map(() => short);
    this.softirqs[SOFTIRQS.indexOf('TIMER')] = this.time.softirq;
    this.softirqs[SOFTIRQS.indexOf('NET_RX')] = this.napi.softirq;
    this.journeys = new Array(this.cpuCount).fill(0);
    this.tpFlow = init.trace.point('generic_handle_irq', 'dom', 'irq', 'vcpu', 'cause');
    this.tpHandler = init.trace.point('irq_handler_entry', 'dom', 'irq', 'vcpu');
    this.tpHandlerEnd = init.trace.point('irq_handler_exit', 'dom', 'irq', 'vcpu');
    this.tpMachineCheck = init.trace.point('exc_machine_check', 'dom', 'vcpu');
    this.tpSwitch = init.trace.point('thread_switch', 'dom', 'prev', 'next', 'ready');
    this.tpWakeup = init.trace.point('thread_wakeup', 'dom', 'thread', 'target');
    parts.add(this);
  }

  /** Called while the kernel is made. */
  protected abstract makeCpu(cpu: number): LinuxCpu;

  /** An inter-processor interrupt: `resched`, `callfunc`, `callfuncsingle`, ... */
  abstract sendIpi(kind: string, cpu: number, from: LinuxCpu): void;

  /** smp_send_reschedule, whatever the other CPU does. */
  sendReschedule(cpu: number, from: LinuxCpu): void {
    this.sendIpi('resched', cpu, from);
  }

  /** Sets the timer that interrupts this CPU; Infinity stops it. */
  abstract setTimer(cpu: LinuxCpu, when: Ns): void;

  /** The IPI for a single call (call_single_interrupt); kernels before it use the broadcast's. */
  get singleKind(): string {
    const { bootCpu } = this.profile;
    if (bootCpu.includes('callfuncsingle')) return 'callfuncsingle';
    return bootCpu.includes('call1func') ? 'call1func' : 'callfunc';
  }

  // threads

  thread(name: string, cpu: number, work: ThreadWork, allowed?: readonly number[]): Thread {
    const thread = new Thread(this.threads.length, name, cpu, work, allowed);
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
    thread.runstate.change('runnable', from.now);
    if (thread.allowed) {
      thread.cpu = this.chooseCpu(thread);
      this.waiting++;
    }
    this.traceWakeup(from, thread);
    const target = this.cpus[thread.cpu]!;
    const idle = target.idle;
    target.runq.push(thread);
    target.stored(from.now);
    if (target !== from && idle) this.sendIpi('resched', target.cpu, from);
  }

  /**
   * Somebody outside has something for a process that stays on its CPU.
   * @returns true: that CPU idles, and has to be interrupted
   */
  wakeFromOutside(thread: Thread): boolean {
    if (thread.ready) {
      thread.again = true;
      return false;
    }
    thread.ready = true;
    const target = this.cpus[thread.cpu]!;
    const { idle } = target;
    target.runq.push(thread);
    target.stored(target.now);
    return idle;
  }

  /** select_task_rq: where it ran last if that idles, else a CPU that does, else where the fewest wait. */
  private chooseCpu(thread: Thread): number {
    if (this.cpus[thread.cpu]!.idle) return thread.cpu;
    let best = thread.cpu;
    for (const cpu of thread.allowed!) {
      if (this.cpus[cpu]!.idle) return cpu;
      if (this.cpus[cpu]!.runq.length < this.cpus[best]!.runq.length) best = cpu;
    }
    return best;
  }

  /** newidle_balance: a CPU that would idle takes a thread that waits elsewhere and may move. */
  pullThread(to: LinuxCpu): void {
    if (this.waiting === 0) return;
    for (const { runq } of this.cpus) {
      const at = runq.findIndex((t) => t.allowed?.includes(to.cpu) === true);
      if (at < 0) continue;
      const [thread] = runq.splice(at, 1) as [Thread];
      thread.cpu = to.cpu;
      to.runq.push(thread);
      return;
    }
  }

  /** An idle CPU must look at its timers again. */
  kickIdle(cpu: number, from: LinuxCpu): void {
    if (this.cpus[cpu]!.idle) this.sendIpi('resched', cpu, from);
  }

  /** note_interrupt: a line that nobody handles is disabled in the end. */
  noteInterrupt(_desc: IrqDesc, _handled: boolean, _now: Ns): void {
    // only physical lines and those of emulated chips can get stuck
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

  /** generic_handle_irq: an interrupt was found, by its port or vector, and is still to be acknowledged. */
  traceFlow(cpu: LinuxCpu, { irq }: IrqDesc, from: number, journey: number): void {
    const { vcpu } = cpu;
    this.trace.emit(this.tpFlow, cpu.now, journey, vcpu.processor, this.init.domain, irq, cpu.cpu, from);
  }

  traceHandler(cpu: LinuxCpu, desc: IrqDesc): void {
    const { journey } = this.books;
    this.journeys[cpu.cpu] = journey;
    this.latency.add(desc.irq, journey, this.books.handled(), cpu.now);
    const { vcpu } = cpu;
    this.trace.emit(this.tpHandler, cpu.now, journey, vcpu.processor, this.init.domain, desc.irq, cpu.cpu);
  }

  /** What ends an interrupt is done in its name. */
  resumeJourney(cpu: LinuxCpu): void {
    this.books.journey = this.journeys[cpu.cpu]!;
  }

  traceHandlerEnd(cpu: LinuxCpu, desc: IrqDesc): void {
    const journey = this.journeys[cpu.cpu]!;
    const { vcpu } = cpu;
    this.trace.emit(this.tpHandlerEnd, cpu.now, journey, vcpu.processor, this.init.domain, desc.irq, cpu.cpu);
  }

  traceMachineCheck(cpu: LinuxCpu): void {
    const { processor } = cpu.vcpu;
    this.trace.emit(this.tpMachineCheck, cpu.now, this.books.journey, processor, this.init.domain, cpu.cpu);
  }

  /** A thread takes the CPU of another; undefined is the idle loop. */
  traceSwitch(cpu: LinuxCpu, prev: Thread | undefined, next: Thread | undefined): void {
    const { trace } = this;
    if (!trace.detailed || prev === next) return;
    const [from, to] = [prev?.index ?? -1, next?.index ?? -1];
    const ready = Number(prev?.ready ?? true);
    trace.emit(this.tpSwitch, cpu.now, 0, cpu.vcpu.processor, this.init.domain, from, to, ready);
  }

  private traceWakeup(from: LinuxCpu, thread: Thread): void {
    const { trace, books, init } = this;
    if (!trace.detailed) return;
    const { processor } = from.vcpu;
    trace.emit(this.tpWakeup, from.now, books.journey, processor, init.domain, thread.index, thread.cpu);
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
        trigger: profile.showsLevel ? (d.level ? 'Level' : 'Edge') : null,
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

  /** The row that counts an interrupt, and who handles it. */
  rowOf(irq: number): { readonly row: number | string; readonly name: string } {
    return { row: irq, name: this.irqs.descs[irq]?.actions.map((a) => a.name).join(', ') ?? '' };
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
      waiting: this.waiting,
      softirqCounts: this.softirqCounts,
      arch: [...this.arch],
      threads: this.threads.map((t) => [Number(t.ready), Number(t.again), t.cpu, t.runstate.save()]),
      journeys: this.journeys,
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      irqs: Plain;
      interrupts: number;
      switches: number;
      waiting: number;
      softirqCounts: number[][];
      arch: [string, number[]][];
      threads: [number, number, number, Plain][];
      journeys: number[];
    };
    this.irqs.restore(s.irqs);
    this.interrupts = s.interrupts;
    this.switches = s.switches;
    this.waiting = s.waiting;
    s.softirqCounts.forEach((row, i) => {
      this.softirqCounts[i] = [...row];
    });
    this.arch.clear();
    for (const [label, row] of s.arch) this.arch.set(label, [...row]);
    s.threads.forEach(([ready, again, cpu, runstate], i) => {
      this.threads[i]!.runstate.restore(runstate);
      this.threads[i]!.cpu = cpu;
      this.threads[i]!.ready = ready === 1;
      this.threads[i]!.again = again === 1;
    });
    s.journeys.forEach((j, i) => {
      this.journeys[i] = j;
    });
  }
}
