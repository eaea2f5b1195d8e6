/**
 * How interrupts reach a native kernel: through the gates of its descriptor table, each with interrupts off until its
 * handler is over (common_interrupt and the system vectors of arch/x86/kernel/irq.c).
 */
import type { PvEoiWord } from '../../abi/kvm.ts';
import { MCG_STATUS, mcaMsr } from '../../abi/mca.ts';
import type { Ns } from '../../core/clock.ts';
import type { NativeCpu, NativeEntry } from '../../hw/x86/cpu.ts';
import { timing } from '../../timing.ts';
import { LinuxCpu } from './entry.ts';
import { EXCEPTION, HANDLER } from './frames.ts';
import type { IrqDesc } from './irq-core.ts';
import type { NativeKernel } from './native.ts';

/** Banks of a virtual CPU: errors are in the second. */
const BANKS = 2;

export class NativeLinuxCpu extends LinuxCpu implements NativeEntry {
  /** vector_irq: who a vector is for */
  readonly vectors: (IrqDesc | undefined)[] = new Array(256).fill(undefined);
  /** kvm_apic_eoi, on KVM with PV EOI */
  apicEoi: PvEoiWord | undefined;
  /** the vector whose handler runs */
  vector = -1;

  constructor(
    readonly native: NativeKernel,
    cpu: number,
    readonly hardware: NativeCpu,
  ) {
    super(native, cpu, hardware);
  }

  interrupt(vector: number, remaining: Ns): void {
    this.top.left = remaining;
    this.hardware.spend(this.idleTick);
    this.vector = vector;
    const desc = this.vectors[vector];
    if (!desc) {
      this.native.strayVector(this, vector);
      this.resume();
    } else if (desc.depth > 0 && desc.irq >= 0) {
      this.native.whileDisabled(desc, this);
      this.resume();
    } else if (!this.handleIrq(desc)) this.resume();
  }

  /** The NMI's gate. What it interrupts goes on behind it, interrupts on or off as they were. */
  nmi(remaining: Ns): void {
    const { top } = this;
    this.kernel.countArch('NMI', this.cpu);
    this.native.nmis++;
    this.hardware.nmiReturn();
    this.hardware.interruptFlag = top.kind !== HANDLER && top.kind !== EXCEPTION;
    this.hardware.run(remaining + timing.shortHandler);
  }

  /** exc_machine_check; do_machine_check of 2.6.36. */
  machineCheck(remaining: Ns, interrupts: boolean): void {
    this.beginMachineCheck(remaining, interrupts);
  }

  protected override readBanks(): boolean {
    const { hardware } = this;
    hardware.rdmsr(MCG_STATUS);
    let found = false;
    for (let bank = 0; bank < BANKS; bank++) {
      if (!hardware.rdmsr(mcaMsr(bank, 'status'))) continue;
      hardware.rdmsr(mcaMsr(bank, 'misc'));
      hardware.rdmsr(mcaMsr(bank, 'addr'));
      found = true;
    }
    return found;
  }

  protected override clearBanks(found: boolean): void {
    if (found) this.hardware.wrmsr(mcaMsr(BANKS - 1, 'status'), 0);
    this.hardware.wrmsr(MCG_STATUS, 0);
  }

  protected override descOf(irq: number): IrqDesc {
    return irq < 0 ? this.native.system[-irq]! : this.kernel.irqs.descs[irq]!;
  }

  /** irq_exit, its time added to what was interrupted. */
  protected nextEvent(): void {
    if (this.softirqsDue()) this.doSoftirq();
    else {
      if (this.top.left > 0) this.top.left += timing.upcallExit;
      this.resume();
    }
  }

  protected entered(): void {
    this.resume();
  }

  protected traceFlow(desc: IrqDesc): void {
    const { native, vector } = this;
    if (!native.trace.enabled) return;
    const slot = native.init.slot(this.cpu, vector);
    native.traceFlow(this, desc, vector, native.books.holds(slot) ? native.books.journeyIn(slot) : 0);
  }

  protected interruptsOn(): void {
    this.hardware.interruptFlag = true;
  }

  protected interruptsOff(): void {
    this.hardware.interruptFlag = false;
  }

  override stored(now: Ns): void {
    if (this.spinning) this.hardware.monitorStore?.(now);
  }

  /** What the loop looks for is there. */
  spinOver(): boolean {
    return this.spinning;
  }

  protected sleep(): void {
    this.hardware.halt();
  }
}
