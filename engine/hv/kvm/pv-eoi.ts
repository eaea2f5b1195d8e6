/**
 * PV EOI of a virtual CPU (MSR_KVM_PV_EOI_EN; arch/x86/kvm/lapic.c): where nothing depends on it, an EOI is a bit that the
 * guest clears in its memory, and KVM makes up for it at the next exit, whatever that is for.
 */
import { KVM_FEATURE_PV_EOI, KVM_MSR_ENABLED, PvEoiWord } from '../../abi/kvm.ts';
import type { Plain } from '../../core/state.ts';
import { timing } from '../../timing.ts';
import type { KvmVcpu } from './vcpu.ts';

export class PvEoi {
  /** pv_eoi.msr_val */
  private msr = 0;
  /** KVM_APIC_PV_EOI_PENDING: the bit was set as the guest was entered */
  pending = false;
  /** highest_isr_cache: the vector put in service last, until an EOI; -1: none is known */
  private inService = -1;
  /** KVM makes up for an EOI, within `fromGuest` */
  private byWord = false;
  /** the raise that it is of */
  private journey = 0;
  /** what its memory has at an address, which stays there */
  private found: PvEoiWord | undefined;
  private foundAt = 0;

  constructor(private readonly v: KvmVcpu) {}

  /** kvm_lapic_set_pv_eoi; false: #GP */
  wrmsr(low: number, high: number): boolean {
    if (!(this.v.vm.features & (1 << KVM_FEATURE_PV_EOI)) || high !== 0 || (low & 2) !== 0) return false;
    this.msr = low;
    return true;
  }

  /** pv_eoi_enabled */
  private get enabled(): boolean {
    return (this.msr & KVM_MSR_ENABLED) !== 0;
  }

  private get word(): PvEoiWord | undefined {
    const address = (this.msr & ~3) >>> 0;
    if (this.found === undefined || this.foundAt !== address) {
      this.found = this.v.vm.memory.at(address, PvEoiWord);
      this.foundAt = address;
    }
    return this.found;
  }

  /** Between an entry and the next exit: the bit; undefined: it was not set. */
  get shared(): 0 | 1 | undefined {
    if (!this.pending) return undefined;
    return this.word?.bit ? 1 : 0;
  }

  /** apic_set_isr, as far as it is cached: the processor's own virtual APIC has none. */
  injected(vector: number): void {
    if (this.v.apicv) return;
    this.inService = vector;
    this.journey = this.v.journey;
  }

  /** apic_clear_isr. True: by PV EOI, and no register was written. */
  ended(): boolean {
    this.inService = -1;
    return this.byWord;
  }

  /** apic_sync_pv_eoi_to_guest: on the way in. Under APICv irr_pending is always set. */
  toGuest(): void {
    const { v, inService } = this;
    if (!this.enabled || v.apicv || v.apic.highestRequest >= 0 || inService < 0) return;
    if (v.vm.chip.handledVectors(v.vcpu).has(inService)) return;
    const { word } = this;
    if (!word) return;
    word.bit = true;
    this.pending = true;
    v.on.charge(timing.pvEoi);
  }

  /** kvm_lapic_sync_from_vapic: at each exit. The bit is taken back; where the guest has cleared it, that was its EOI. */
  fromGuest(): void {
    if (!this.pending) return;
    const { v } = this;
    this.pending = false;
    v.on.charge(timing.pvEoi);
    if (this.word?.testAndClear()) return;
    const { journey } = v;
    v.journey = this.journey;
    this.byWord = true;
    const vector = v.apic.eoi();
    this.byWord = false;
    const { kvm } = v;
    kvm.trace.emit(kvm.points.pvEoi, v.on.now, v.journey, v.on.processor, v.index, vector);
    v.journey = journey;
  }

  save(): Plain {
    return [this.msr, Number(this.pending), this.inService, this.journey];
  }

  restore(state: Plain): void {
    const [msr, pending, inService, journey] = state as number[];
    this.msr = msr!;
    this.pending = pending === 1;
    this.inService = inService!;
    this.journey = journey!;
  }
}
