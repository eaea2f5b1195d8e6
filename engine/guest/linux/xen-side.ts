/**
 * What a kernel on Xen has beside its CPUs, paravirtual or not: event channels, hypercalls and the memory it shares
 * with Xen (drivers/xen/events/events_base.c, arch/x86/xen).
 */
import type { Hypercalls } from '../../abi/hypercalls.ts';
import type { GuestMemory, SharedInfo } from '../../abi/xen.ts';
import type { Books, DestinationId, SlotId } from '../../core/books.ts';
import type { LinuxCpu } from './entry.ts';
import { Events2l } from './events-2l.ts';
import type { EventAbi } from './events-abi.ts';
import { EventsFifo } from './events-fifo.ts';
import { EventIrqs } from './evtchn.ts';
import type { IrqDesc, IrqTable } from './irq-core.ts';
import type { EventsHost } from './irq-info.ts';
import type { LinuxKernel } from './kernel.ts';
import type { KernelProfile } from './profiles.ts';
import type { KernelTimer } from './time.ts';

export interface XenSideInit {
  /** dom0 */
  readonly initialDomain: boolean;
  readonly hypercalls: readonly Hypercalls[];
  readonly shared: SharedInfo;
  readonly memory: GuestMemory;
  /** first number of event channels where the profile leaves it to the machine */
  readonly dynamicBase: number;
  slot(port: number): SlotId;
  destination(port: number): DestinationId;
}

/** A kernel that drivers for Xen run in. */
export interface XenGuest extends LinuxKernel {
  readonly events: EventIrqs;
  hypercalls(cpu: number): Hypercalls;
}

export class XenSide implements EventsHost {
  readonly id: string;
  readonly profile: KernelProfile;
  readonly irqs: IrqTable;
  readonly books: Books;
  readonly cpuCount: number;
  readonly events: EventIrqs;
  private readonly eoiTimers: KernelTimer[];

  constructor(
    private readonly kernel: LinuxKernel,
    private readonly init: XenSideInit,
    readonly dynamicBase: number,
    /** xen_hvm_domain() */
    private readonly hvm: boolean,
  ) {
    this.id = kernel.id;
    this.profile = kernel.profile;
    this.irqs = kernel.irqs;
    this.books = kernel.books;
    this.cpuCount = kernel.cpuCount;
    this.events = new EventIrqs(this, this.makeAbi());
    if (this.profile.numbering === 'bindcount') this.events.initIrqs(init.initialDomain);
    const { parts } = kernel.init;
    parts.add(this.events.abi);
    parts.add(this.events);
    const { time, cpus } = kernel;
    this.eoiTimers = cpus.map((c) => time.timer(c.cpu, (on) => this.events.late.worker(on.cpu)));
  }

  private makeAbi(): EventAbi {
    const { shared, memory } = this.init;
    const calls = (cpu: number) => this.hypercalls(cpu);
    if (this.profile.abi === 'fifo') {
      const fifo = new EventsFifo(this.id, memory, this.cpuCount, calls);
      if (fifo.init() === 0) return fifo;
    }
    const { timerFirst, scan, hvmAsksToUnmask } = this.profile;
    const options = { timerFirst, scan, asksToUnmask: this.hvm && hvmAsksToUnmask };
    return new Events2l(this.id, shared, calls, options, (cpu) => this.events.timerPort(cpu));
  }

  /** xen_send_IPI_one */
  sendIpi(kind: string, cpu: number, from: LinuxCpu): void {
    const port = this.events.ipi(kind, cpu);
    if (port !== 0) this.hypercalls(from.cpu).send(port);
  }

  /** The upcall has found the port of an interrupt. */
  traceFlow(cpu: LinuxCpu, desc: IrqDesc): void {
    const { kernel, books } = this;
    if (!kernel.trace.enabled) return;
    const { port } = this.events.infoOf(desc, cpu.cpu);
    const slot = this.slot(port);
    kernel.traceFlow(cpu, desc, port, books.holds(slot) ? books.journeyIn(slot) : 0);
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
    return this.kernel.time.jiffies(this.kernel.cpus[0]!.now);
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
    const on = this.kernel.cpus[cpu]!;
    // delayed work is due on a tick
    const due = this.kernel.time.jiffies(on.now) + jiffies;
    this.kernel.time.set(this.eoiTimers[cpu]!, Math.round((due * 1e9) / this.profile.hz), on);
  }
}
