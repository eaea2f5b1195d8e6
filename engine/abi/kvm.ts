/** What a kernel that finds itself on KVM shares with it (arch/x86/include/uapi/asm/kvm_para.h). */
import type { Part, Plain } from '../core/state.ts';

export const MSR_KVM_PV_EOI_EN = 0x4b56_4d04;
/** in the value of an MSR that has an address in it */
export const KVM_MSR_ENABLED = 1;
/** bits of CPUID 0x40000001, EAX */
export const KVM_FEATURE_PV_EOI = 6;

/** Why KVM_RUN returns to user space. */
export const KVM_EXIT_IO = 2;
export const KVM_EXIT_MMIO = 6;

/** kvm_apic_eoi of a CPU: a word in the guest's memory, of which one bit is used. */
export class PvEoiWord implements Part {
  /** KVM_PV_EOI_BIT: by clearing it the guest ends the interrupt in service */
  bit = false;

  constructor(readonly id: string) {}

  testAndClear(): boolean {
    const { bit } = this;
    this.bit = false;
    return bit;
  }

  save(): Plain {
    return Number(this.bit);
  }

  restore(state: Plain): void {
    this.bit = state === 1;
  }
}
