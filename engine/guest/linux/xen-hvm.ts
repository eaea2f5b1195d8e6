/**
 * A native kernel that knows it runs on Xen (PVHVM; arch/x86/xen/enlighten_hvm.c, smp_hvm.c): it has the interrupt
 * controllers of a PC, and beside them event channels. These are told by a vector of the local APIC; timers and IPIs
 * come by them, and so do the lines of emulated devices, which are pirqs here.
 */
import type { Hypercalls } from '../../abi/hypercalls.ts';
import type { Ns } from '../../core/clock.ts';
import { timing } from '../../timing.ts';
import type { LinuxCpu } from './entry.ts';
import type { EventIrqs } from './evtchn.ts';
import { EXIT, UPCALL } from './frames.ts';
import type { IrqDesc } from './irq-core.ts';
import { type NativeInit, NativeKernel } from './native.ts';
import { NativeLinuxCpu } from './native-entry.ts';
import type { GsiRequest } from './native-irqs.ts';
import { type XenGuest, XenSide, type XenSideInit } from './xen-side.ts';

/** HYPERVISOR_CALLBACK_VECTOR of asm/irq_vectors.h */
export const HYPERVISOR_CALLBACK_VECTOR = 0xf3;

export interface XenHvmInit extends NativeInit {
  readonly xen: XenSideInit;
  /** events come by a vector of each local APIC, which wants EOI (xen_percpu_upcall) */
  readonly percpuUpcall: boolean;
  /** SCHEDOP_poll on one port */
  poll(cpu: number, port: number): void;
}

export class XenHvmKernel extends NativeKernel implements XenGuest {
  declare readonly init: XenHvmInit;
  declare readonly cpus: readonly XenHvmCpu[];
  readonly xen: XenSide;

  constructor(init: XenHvmInit) {
    super(init);
    this.xen = new XenSide(this, init.xen, init.xen.dynamicBase, true);
  }

  protected override makeCpu(cpu: number): XenHvmCpu {
    return new XenHvmCpu(this, cpu, this.init.vcpus[cpu]!);
  }

  get events(): EventIrqs {
    return this.xen.events;
  }

  hypercalls(cpu: number): Hypercalls {
    return this.xen.hypercalls(cpu);
  }

  /** acpi_register_gsi_xen_hvm: the line is an event channel, but it keeps the number of its pin. */
  override requestGsi(gsi: number, request: GsiRequest): IrqDesc {
    const desc = this.events.bindGsi(gsi, request.level);
    desc.hwirq = gsi;
    this.irqs.request(desc, { name: request.name, work: request.work }, this.everyCpu);
    return desc;
  }

  /** A GSI is found in the tables of the firmware, and mapped. */
  mapGsi(gsi: number, level: boolean): void {
    this.events.bindGsi(gsi, level);
  }

  private get everyCpu(): number[] {
    return this.cpus.map((c) => c.cpu);
  }

  override sendIpi(kind: string, cpu: number, from: LinuxCpu): void {
    this.xen.sendIpi(kind, cpu, from);
  }

  override setTimer(cpu: LinuxCpu, when: Ns): void {
    this.hypercalls(cpu.cpu).setTimer(when === Infinity ? undefined : when);
  }
}

export class XenHvmCpu extends NativeLinuxCpu {
  constructor(
    readonly hvm: XenHvmKernel,
    cpu: number,
    hardware: NativeLinuxCpu['hardware'],
  ) {
    super(hvm, cpu, hardware);
  }

  /** sysvec_xen_hvm_callback: EOI first if the vector is the local APIC's, then the events are looked at with interrupts off. */
  override interrupt(vector: number, remaining: Ns): void {
    if (vector !== HYPERVISOR_CALLBACK_VECTOR) {
      super.interrupt(vector, remaining);
      return;
    }
    const { idleTick } = this;
    this.top.left = remaining;
    if (this.hvm.init.percpuUpcall) this.native.eoi(this);
    this.kernel.countArch('HYP', this.cpu);
    this.push(UPCALL, 0);
    this.hvm.events.beginUpcall(this);
    this.vcpu.run(timing.upcallEntry + idleTick);
  }

  protected override sleepFor(port: number): void {
    this.hvm.init.poll(this.cpu, port);
  }

  protected override entered(): void {
    this.nextEvent();
  }

  protected override traceFlow(desc: IrqDesc): void {
    if (this.top.kind === UPCALL) this.hvm.xen.traceFlow(this, desc);
    else super.traceFlow(desc);
  }

  /** The upcall's loop, or the end of another interrupt. */
  protected override nextEvent(): void {
    if (this.top.kind !== UPCALL) {
      super.nextEvent();
      return;
    }
    for (;;) {
      const desc = this.hvm.events.next(this);
      if (!desc) {
        this.top.kind = EXIT;
        this.vcpu.run(timing.upcallExit);
        return;
      }
      if (this.handleIrq(desc)) return;
    }
  }
}
