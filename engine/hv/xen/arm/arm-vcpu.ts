/**
 * A virtual CPU of a guest on ARM (struct arch_vcpu): where it is between `eret` and the next exception, what Xen keeps of
 * it while another has the processor, and how the physical CPU that runs it comes in and out. What an exception does is in
 * traps.ts.
 */
import type { Plain } from '../../../core/state.ts';
import type { ArmEntry } from '../../../hw/arm/cpu.ts';
import { Ec, From, Hcr, Kind, syndrome, vectorOffset } from '../../../hw/arm/exceptions.ts';
import { timing } from '../../../timing.ts';
import type { InterruptLine } from '../../hypervisor.ts';
import type { Pcpu } from '../../pcpu.ts';
import { Vcpu } from '../../vcpu.ts';
import type { ArmDomain } from './arm-domain.ts';
import type { Traps } from './traps.ts';
import { UserRegs } from './user-regs.ts';
import type { VgicVcpu } from './vgic-domain.ts';
import { VcpuTimers } from './vtimer.ts';

/** ESR_EL1 of a virtual SError: VSESR_EL2 is empty */
const VSERROR_ESR = syndrome(Ec.SERROR, 0);

/** get_default_hcr_flags, with vwfi=trap */
const DEFAULT_HCR =
  Hcr.ptw.mask |
  Hcr.bsuInner.mask |
  Hcr.amo.mask |
  Hcr.imo.mask |
  Hcr.fmo.mask |
  Hcr.vm.mask |
  Hcr.twi.mask |
  Hcr.twe.mask |
  Hcr.tid3.mask |
  Hcr.tsc.mask |
  Hcr.tacr.mask |
  Hcr.swio.mask |
  Hcr.tidcp.mask |
  Hcr.fb.mask |
  Hcr.tsw.mask;

export class ArmVcpu extends Vcpu {
  arm!: ArmDomain;
  vgic!: VgicVcpu;
  /** the kernel that runs on it */
  guest!: ArmEntry;
  readonly timers: VcpuTimers;
  readonly regs = new UserRegs();
  /** in EL2, an exception being handled; false: in EL1 */
  exited = true;
  /** PSTATE.I of the guest */
  irqsMasked = true;
  /** the guest has executed WFI, and no interrupt has come since */
  waiting = false;
  /** it has been brought up (not _VPF_down): the first one by Xen, the others by the first (PSCI) */
  online: boolean;
  /** the raise that is being handled */
  journey = 0;
  /** HCR_EL2; VSE: a virtual SError is pending */
  hcr: number;
  /** the failed store that this is for */
  serrorJourney = 0;
  /** the guest has made a store that will fail, or does when it next runs: its journey; 0: it has not */
  failing = 0;
  /** it runs with the workaround for speculative store bypass (CPUINFO_WORKAROUND_2_FLAG) */
  workaround2 = true;

  constructor(
    private readonly traps: Traps,
    index: number,
    domain: number,
    vcpu: number,
    cpu: Pcpu,
    affinity: readonly number[],
    /** AArch32 at EL1: exceptions come by the compat entries */
    readonly compat: boolean,
  ) {
    super(index, domain, vcpu, cpu, affinity);
    this.online = vcpu === 0;
    this.timers = new VcpuTimers(this, traps.xen);
    this.hcr = DEFAULT_HCR | (compat ? 0 : Hcr.rw.mask);
  }

  // from its physical CPU

  stretchOver(): void {
    // no longer in a handler: what it does now is about nothing that came before
    if (!this.irqsMasked) this.journey = 0;
    this.traps.xen.books.journey = this.journey;
    this.guest.done();
  }

  /** The IRQ entry of EL2's vector table: from the guest, or from Xen itself. */
  override acknowledge(line: InterruptLine): number {
    if (this.exited) return line.ack();
    const fiq = this.traps.xen.hardware.signals.fiq[this.processor] === 1;
    if (fiq) this.traps.guestFiq(this);
    else this.traps.guestIrq(this);
    return vectorOffset(this.compat ? From.LOWER_32 : From.LOWER_64, fiq ? Kind.FIQ : Kind.IRQ);
  }

  /** An SError: the error entry, from the guest or from Xen itself. */
  override nonMaskable(): void {
    const { traps } = this;
    traps.inXen[this.processor] = Number(this.exited);
    if (!this.exited) traps.guestError(this);
  }

  /** leave_hypervisor_to_guest behind its softirqs, then the guest's interrupt, if it has one and takes it. */
  enter(): boolean {
    const { traps, cpu } = this;
    if (this.exited) traps.leave(this);
    if (cpu.holding || traps.xen.hardware.signals.fiq[cpu.cpu] === 1) return true;
    if (this.failing !== 0) this.storeFails();
    if (Hcr.vse.has(this.hcr)) {
      this.deliverSerror();
      return true;
    }
    if (!this.irqsMasked && this.traps.xen.hasVirq(this)) {
      this.deliver();
      return true;
    }
    if (!this.waiting) return false;
    // WFI may end for no reason that the guest finds
    this.waiting = false;
    this.guest.done();
    return true;
  }

  private deliver(): void {
    const left = this.waiting ? 0 : this.left;
    this.waiting = false;
    this.regs.takesIrq(this.compat);
    this.irqsMasked = true;
    this.traps.virq(this);
    this.guest.irq(left);
  }

  /** A store of the guest's, which it has just made, is answered by an error in a while. */
  private storeFails(): void {
    this.traps.xen.hardware.signals.storeFails(this.processor, this.now + timing.serrorFlight, this.failing);
    this.failing = 0;
  }

  /** Its kernel does not mask SErrors. */
  private deliverSerror(): void {
    const left = this.waiting ? 0 : this.left;
    this.waiting = false;
    this.regs.takesSerror(this.compat, this.irqsMasked, VSERROR_ESR);
    this.irqsMasked = true;
    this.traps.virtualSerror(this);
    this.guest.serror!(left, VSERROR_ESR >>> 0);
  }

  /** A device, or a test, lets the guest make a store that fails: now, or when it next runs. */
  makeStoreFail(journey: number): void {
    this.failing = journey;
    if (this.cpu.current === this && !this.exited) this.storeFails();
  }

  /** ctxt_switch_from */
  override leaves(): void {
    this.timers.save();
    this.traps.xen.vgic.gic.saveState(this.traps.xen.gicCpus[this.processor]!);
    this.traps.xen.vgic.gic.restoreState(this.traps.xen.gicCpus[this.processor]!, null);
  }

  /** ctxt_switch_to */
  override resumes(): void {
    this.traps.xen.vgic.gic.restoreState(this.traps.xen.gicCpus[this.processor]!, this.vgic);
    this.timers.restore();
  }

  override save(): Plain {
    const { exited, irqsMasked, waiting, online } = this;
    return {
      common: super.save(),
      flags: [exited, irqsMasked, waiting, online].map(Number),
      timers: this.timers.saveRegisters(),
      regs: this.regs.save(),
      numbers: [this.journey, this.hcr, this.serrorJourney, this.failing, Number(this.workaround2)],
    };
  }

  override restore(saved: Plain): void {
    const s = saved as unknown as {
      common: Plain;
      flags: number[];
      timers: Plain;
      regs: Plain;
      numbers: [number, number, number, number, number];
    };
    super.restore(s.common);
    [this.exited, this.irqsMasked, this.waiting, this.online] = s.flags.map((n) => n === 1) as [
      boolean,
      boolean,
      boolean,
      boolean,
    ];
    this.timers.restoreRegisters(s.timers);
    this.regs.restore(s.regs);
    [this.journey, this.hcr, this.serrorJourney, this.failing] = s.numbers;
    this.workaround2 = s.numbers[4] === 1;
  }
}
