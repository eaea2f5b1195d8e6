/**
 * What root does to interrupts from inside: a process on each CPU, which writes /proc/irq/N/smp_affinity_list, loads a
 * module that calls disable_irq or enable_irq (kernel/irq/{proc,manage}.c) or xen_set_irq_priority
 * (drivers/xen/events/events_base.c), or has the kernel send a reschedule IPI (smp_send_reschedule). It sleeps until it is told by somebody at its terminal.
 */
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Tracepoint } from '../../core/trace.ts';
import type { LinuxCpu } from './entry.ts';
import type { IrqDesc } from './irq-core.ts';
import { NoSpace } from './irq-info.ts';
import type { LinuxKernel } from './kernel.ts';
import type { NativeLinuxCpu } from './native-entry.ts';
import type { Thread } from './threads.ts';
import type { XenGuest } from './xen-side.ts';

/** A command of a line, from user space and back. */
const COST: Ns = 4_000;

const MASK = 0;
const UNMASK = 1;
const AFFINITY = 2;
const IPI = 3;
const PRIORITY = 4;
const WRMSR = 5;
type Job = readonly [what: number, journey: number, about: number, ...cpus: number[]];

export class RootShell implements Part {
  readonly id: string;
  private queues: Job[][];
  private readonly threads: Thread[];
  /** interrupts that it was told to disable */
  private disabled = new Set<number>();
  private readonly tpTold: Tracepoint;
  private readonly tpReschedule: Tracepoint;

  constructor(private readonly kernel: LinuxKernel) {
    this.id = `${kernel.id}.shell`;
    this.tpTold = kernel.trace.point('shell_told', 'dom', 'vcpu');
    this.tpReschedule = kernel.trace.point('smp_send_reschedule', 'dom', 'vcpu', 'to');
    this.queues = kernel.cpus.map(() => []);
    this.threads = kernel.cpus.map(({ cpu }) =>
      kernel.thread(`sh/${cpu}`, cpu, {
        cost: () => COST * this.queues[cpu]!.length,
        run: (on) => this.work(on),
      }),
    );
    kernel.init.parts.add(this);
  }

  // what it is told, each time with the answer whether its CPU sleeps and has to be woken

  isDisabled(irq: number): boolean {
    return this.disabled.has(irq);
  }

  setDisabled(irq: number, disabled: boolean): boolean {
    if (disabled) this.disabled.add(irq);
    else this.disabled.delete(irq);
    return this.tell(0, [disabled ? MASK : UNMASK, 0, irq]);
  }

  setAffinity(irq: number, cpus: readonly number[]): boolean {
    return this.tell(0, [AFFINITY, 0, irq, ...cpus]);
  }

  setPriority(irq: number, priority: number): boolean {
    return this.tell(0, [PRIORITY, 0, irq, priority]);
  }

  /** `wrmsr -p`, of msr-tools. */
  writeMsr(cpu: number, msr: number, low: number): boolean {
    return this.tell(cpu, [WRMSR, 0, msr, low]);
  }

  sendReschedule(from: number, to: number, journey: number): boolean {
    const { trace, books, init } = this.kernel;
    trace.emit(this.tpTold, books.now(), journey, -1, init.domain, from);
    return this.tell(from, [IPI, journey, to]);
  }

  private tell(cpu: number, job: Job): boolean {
    this.queues[cpu]!.push(job);
    return this.kernel.wakeFromOutside(this.threads[cpu]!);
  }

  // what it does

  private work(on: LinuxCpu): boolean {
    const jobs = this.queues[on.cpu]!;
    this.queues[on.cpu] = [];
    for (const job of jobs) this.run(job, on);
    return this.queues[on.cpu]!.length > 0;
  }

  private run([what, journey, about, ...cpus]: Job, on: LinuxCpu): void {
    const { irqs, books, trace, init } = this.kernel;
    if (what === IPI) {
      trace.emit(this.tpReschedule, on.now, journey, on.vcpu.processor, init.domain, on.cpu, about);
      books.carried = journey;
      this.kernel.sendReschedule(about, on);
      books.carried = 0;
      return;
    }
    if (what === WRMSR) {
      (on as NativeLinuxCpu).hardware.wrmsr(about, cpus[0]!);
      return;
    }
    const desc = irqs.descs[about];
    if (!desc) return;
    if (what === MASK) irqs.disable(desc);
    else if (what === UNMASK) irqs.enable(desc);
    else if (what === PRIORITY) this.givePriority(desc, cpus[0]!, on);
    else this.writeAffinity(desc, cpus, on);
  }

  /** irq_set_affinity; what the kernel has no vector for stays where it was. */
  private writeAffinity(desc: IrqDesc, cpus: readonly number[], on: LinuxCpu): void {
    try {
      desc.chip.writeAffinity!(desc, cpus, on);
      desc.affinity = cpus;
    } catch (error) {
      if (!(error instanceof NoSpace)) throw error;
      this.kernel.log.push(error.message);
    }
  }

  /** The module's init fails with what EVTCHNOP_set_priority answers. */
  private givePriority(desc: IrqDesc, priority: number, on: LinuxCpu): void {
    const { events, log } = this.kernel as XenGuest;
    const r = events.setPriority(desc, priority, on.cpu);
    if (r < 0) log.push(`irq ${desc.irq}: EVTCHNOP_set_priority failed with ${r}`);
  }

  save(): Plain {
    return { queues: this.queues.map((jobs) => jobs.map((job) => [...job])), disabled: [...this.disabled] };
  }

  restore(state: Plain): void {
    const s = state as unknown as { queues: Job[][]; disabled: number[] };
    this.queues = s.queues.map((jobs) => jobs.map((job) => [...job]));
    this.disabled = new Set(s.disabled);
  }
}
