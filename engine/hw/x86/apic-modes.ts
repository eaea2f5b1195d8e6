/** Whether a local APIC is enabled, in which mode, and by what it is known (SDM volume 3, "Local APIC" and "x2APIC"). */
import { ApicPriority } from './apic-priority.ts';
import { BASE_ENABLE, BASE_X2APIC, Reg, SVR_ENABLE } from './apic-regs.ts';
import type { LapicOptions } from './lapic-options.ts';

export class ApicModes extends ApicPriority {
  /** IA32_APIC_BASE, upper half */
  baseHigh = 0;
  private icrUpper = 0;

  constructor(readonly options: LapicOptions) {
    super();
  }

  reg(offset: number): number {
    return this.regs[offset >> 4]!;
  }

  /** Enabled in IA32_APIC_BASE. */
  get hardwareEnabled(): boolean {
    return (this.base & BASE_ENABLE) !== 0;
  }

  get softwareEnabled(): boolean {
    return (this.regs[Reg.SVR >> 4]! & SVR_ENABLE) !== 0;
  }

  get enabled(): boolean {
    return (this.base & BASE_ENABLE) !== 0 && (this.regs[Reg.SVR >> 4]! & SVR_ENABLE) !== 0;
  }

  get x2apic(): boolean {
    return (
      this.options.hasX2apic && (this.base & (BASE_X2APIC | BASE_ENABLE)) === (BASE_X2APIC | BASE_ENABLE)
    );
  }

  /** Are the registers at their page? */
  get atPage(): boolean {
    if (!this.options.hasX2apic) return this.hardwareEnabled;
    return (this.base & (BASE_X2APIC | BASE_ENABLE)) === BASE_ENABLE;
  }

  /** The ID register's ID in xAPIC mode. */
  get xapicId(): number {
    return this.reg(Reg.ID) >>> 24;
  }

  /** ICR bits 63-32 in x2APIC mode. */
  get icrHigh(): number {
    return this.options.icrUpperIsIcr2 ? this.reg(Reg.ICR2) : this.icrUpper;
  }

  set icrHigh(value: number) {
    if (this.options.icrUpperIsIcr2) this.regs[Reg.ICR2 >> 4] = value;
    else this.icrUpper = value;
  }
}
