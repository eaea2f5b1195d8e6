/**
 * How interrupts reach an arm64 kernel: the IRQ vector of EL1, the loop that reads what it is from the GIC's CPU
 * interface (el1h_64_irq_handler of arch/arm64/kernel/entry-common.c, gic_handle_irq of drivers/irqchip/irq-gic.c and
 * irq-gic-v3.c), and on Xen event channels, which are looked at within the handler of one PPI
 * (xen_arm_callback of arch/arm/xen/enlighten.c).
 */
import type { Ns } from '../../core/clock.ts';
import type { Plain } from '../../core/state.ts';
import type { ArmCpu, ArmEntry, CodePlace } from '../../hw/arm/cpu.ts';
import { PRIVATE } from '../../hw/arm/gic-regs.ts';
import { timing } from '../../timing.ts';
import type { Arm64Kernel } from './arm64.ts';
import { placeOf } from './arm64-symbols.ts';
import { LinuxCpu } from './entry.ts';
import { EXIT, type Frame, HANDLER, UPCALL } from './frames.ts';
import type { IrqDesc } from './irq-core.ts';

const PSCI_SYSTEM_RESET = 0x8400_0009;

/** of a HANDLER frame: it goes through event channels */
const IN_EVENTS: Ns = -2;
/** of an UPCALL frame: an interrupt was taken */
const TAKEN = 1;

export class Arm64Cpu extends LinuxCpu implements ArmEntry {
  /** the interrupt that was read last, as its register had it: with GICv2 an SGI's sender too */
  iar = 0;

  constructor(
    readonly arm: Arm64Kernel,
    cpu: number,
    readonly hardware: ArmCpu,
  ) {
    super(arm, cpu, hardware);
  }

  irq(remaining: Ns): void {
    const { idleTick } = this;
    this.top.left = remaining;
    this.push(UPCALL, 0);
    this.vcpu.run(timing.kernelEntry + idleTick);
  }

  protected entered(): void {
    this.nextEvent();
  }

  /**
   * do_serror, arm64_serror_panic. The kernel was booted with panic=-1, so that its panic ends in a reboot, which it asks
   * its firmware for; one that knows Xen would by SCHEDOP_shutdown, to the same end.
   */
  serror(remaining: Ns, syndrome: number): void {
    const { log } = this.arm;
    const code = syndrome.toString(16).padStart(16, '0');
    log.push(`SError Interrupt on CPU${this.cpu}, code 0x${code} -- SError`);
    log.push('Kernel panic - not syncing: Asynchronous SError Interrupt', 'SMP: stopping secondary CPUs');
    this.top.left = remaining;
    this.hardware.hvc(0, PSCI_SYSTEM_RESET, 0, 0, 0);
    this.vcpu.run(timing.kernelEntry);
  }

  /** Where the function lies that its top frame runs in, and those that have called it. */
  where(): CodePlace {
    return placeOf(this.frames, this.arm.init.aarch32 === true, this.cpu);
  }

  /** gic_handle_irq: GICv2's goes on until there is nothing more, GICv3's takes one. */
  protected nextEvent(): void {
    const { top } = this;
    if (top.kind === HANDLER) {
      this.nextChannel(top);
      return;
    }
    const { gic } = this.arm;
    while (top.nth !== TAKEN || gic.loops) {
      const desc = gic.acknowledge(this);
      if (!desc) break;
      top.nth = TAKEN;
      if (desc.depth > 0 && desc.hwirq! >= PRIVATE) gic.whileDisabled(desc, this);
      else if (this.handleIrq(desc)) return;
    }
    top.kind = EXIT;
    this.vcpu.run(timing.kernelExit);
  }

  // event channels

  protected override handlerDone(frame: Frame): void {
    const { xen, eventsIrq } = this.arm;
    if (!xen || frame.arg !== eventsIrq) {
      super.handlerDone(frame);
      return;
    }
    frame.left = IN_EVENTS;
    xen.events.beginUpcall(this);
    this.nextChannel(frame);
  }

  /** The upcall's loop: one event after the other until none is left. */
  private nextChannel(frame: Frame): void {
    for (;;) {
      const desc = this.arm.xen!.events.next(this);
      if (!desc) break;
      if (this.handleIrq(desc)) return;
    }
    frame.left = 0;
    super.handlerDone(frame);
  }

  protected traceFlow(desc: IrqDesc): void {
    const { arm } = this;
    if (this.top.left === IN_EVENTS) arm.xen!.traceFlow(this, desc);
    else arm.gic.traceFlow(this, desc);
  }

  protected interruptsOn(): void {
    this.hardware.irqsMasked = false;
  }

  protected interruptsOff(): void {
    this.hardware.irqsMasked = true;
  }

  /** cpu_do_idle waits with interrupts masked; what ends the wait is taken behind it (raw_local_irq_enable). */
  protected sleep(): void {
    this.hardware.irqsMasked = true;
    this.hardware.wfi();
    this.hardware.irqsMasked = false;
  }

  override save(): Plain {
    return { ...(super.save() as object), iar: this.iar } as Plain;
  }

  override restore(state: Plain): void {
    super.restore(state);
    this.iar = (state as { iar: number }).iar;
  }
}
