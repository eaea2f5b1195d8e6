/** A Linux kernel in a Xen domain: event channels in place of interrupt controllers, hypercalls in place of instructions. */
import type { Hypercalls } from '../../abi/hypercalls.ts';
import type { GuestMemory, SharedInfo } from '../../abi/xen.ts';
import type { DestinationId, SlotId } from '../../core/books.ts';
import type { Ns } from '../../core/clock.ts';
import type { VirtualCpu } from '../../hw/x86/cpu.ts';
import type { LinuxCpu } from './entry.ts';
import { Events2l } from './events-2l.ts';
import type { EventAbi } from './events-abi.ts';
import { EventsFifo } from './events-fifo.ts';
import { EventIrqs } from './evtchn.ts';
import type { EventsHost } from './irq-info.ts';
import { type KernelInit, LinuxKernel } from './kernel.ts';
import type { KernelTimer } from './time.ts';
import { XenCpu } from './xen-entry.ts';

export interface XenKernelInit extends KernelInit<VirtualCpu> {
  /** dom0 */
  readonly initialDomain: boolean;
  readonly hypercalls: readonly Hypercalls[];
  readonly shared: SharedInfo;
  readonly memory: GuestMemory;
  /** first number of event channels where the profile leaves it to the machine */
  readonly dynamicBase: number;
  slot(port: number): SlotId;
  destination(port: number): DestinationId;
  /** the callback comes as an interrupt of its own (PVH, HVM) */
  readonly callbackVector: boolean;
}

export class XenKernel extends LinuxKernel implements EventsHost {
  declare readonly init: XenKernelInit;
  declare readonly cpus: readonly XenCpu[];
  readonly dynamicBase: number;
  readonly events: EventIrqs;
  private readonly eoiTimers: KernelTimer[];

  constructor(init: XenKernelInit) {
    const { profile, parts } = init;
    const dynamicBase = profile.dynamicBase ?? init.dynamicBase;
    const bindcount = profile.numbering === 'bindcount';
    super({ ...init, nrIrqs: bindcount ? dynamicBase + profile.nrDynamic : init.nrIrqs } as XenKernelInit);
    this.dynamicBase = dynamicBase;
    this.events = new EventIrqs(this, this.makeAbi());
    if (bindcount) this.events.initIrqs(init.initialDomain);
    parts.add(this.events.abi);
    parts.add(this.events);
    this.eoiTimers = this.cpus.map((c) => this.time.timer(c.cpu, (on) => this.events.late.worker(on.cpu)));
  }

  protected makeCpu(cpu: number): XenCpu {
    return new XenCpu(this, cpu, this.init.vcpus[cpu]!);
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

  // LinuxKernel

  sendIpi(kind: string, cpu: number, from: LinuxCpu): void {
    const port = this.events.ipi(kind, cpu);
    if (port !== 0) this.hypercalls(from.cpu).send(port);
  }

  setTimer(cpu: LinuxCpu, when: Ns): void {
    this.hypercalls(cpu.cpu).setTimer(when === Infinity ? undefined : when);
  }
}
