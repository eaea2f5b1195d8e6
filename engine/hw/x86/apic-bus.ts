/**
 * Who is meant by an interrupt message, and who takes it: physical and logical destinations, flat, cluster and x2APIC,
 * broadcasts, lowest priority and the shorthands of the ICR (SDM volume 3, "Determining IPI Destination").
 *
 * Under KVM the two ways there are (kvm_irq_delivery_to_apic), by its map and by asking each virtual CPU, differ in
 * what they answer when nobody is meant: 0 and -1. Other differences are in apic-bus-options.ts.
 */
import type { BusOptions } from './apic-bus-options.ts';
import { ApicMap } from './apic-map.ts';
import { DFR_CLUSTER, DFR_FLAT, Mode, Reg, Shorthand } from './apic-regs.ts';
import type { LocalApic } from './lapic.ts';

export type { BusOptions } from './apic-bus-options.ts';

const BROADCAST = 0xff;
const X2APIC_BROADCAST = 0xffff_ffff;

export class ApicBus {
  readonly apics: LocalApic[] = [];
  /** who lowest priority chose last, an index in `apics` (Xen's round_robin_prev_vcpu) */
  roundRobin = 0;
  /** somebody must look at its table again: an ID, an address or a mode has changed */
  onChange: () => void = () => {};
  /** an EOI went out */
  onEoi: (apic: LocalApic, vector: number, level: boolean) => void = () => {};
  private readonly map: ApicMap;
  private readonly mapped: boolean;
  private readonly logicalBroadcast: boolean;
  /** those that lowest priority chooses among, while it does */
  private readonly able: LocalApic[] = [];

  constructor(readonly options: BusOptions = {}) {
    this.map = new ApicMap(this.apics, options.vectorHashing !== false);
    this.mapped = options.map !== false;
    this.logicalBroadcast = options.logicalBroadcast !== false;
  }

  add(apic: LocalApic): void {
    this.apics.push(apic);
  }

  /** A register that decides on destinations was written. */
  changed(): void {
    this.map.stale = true;
    this.onChange();
  }

  /** The map is of another moment: a saved state was put back. */
  forget(): void {
    this.map.stale = true;
  }

  eoi(apic: LocalApic, vector: number, level: boolean): void {
    this.onEoi(apic, vector, level);
  }

  /**
   * A message.
   * @param source who sent it by its ICR; null: a device
   * @param assert level: raised, not lowered
   * @param hint MSI redirection hint: as lowest priority
   * @returns how many processors took it; 0: none did; -1: none was meant
   */
  send(
    source: LocalApic | null,
    destination: number,
    logical: boolean,
    mode: number,
    vector: number,
    assert: boolean,
    level: boolean,
    shorthand: number,
    hint: boolean,
  ): number {
    const lowest = mode === Mode.LOWEST || hint;
    if (shorthand === Shorthand.SELF && source && !(lowest && this.options.roundRobin)) {
      return source.accept(mode, vector, assert, level);
    }
    if (shorthand === Shorthand.NONE && this.find(source, destination, logical, lowest, vector)) {
      const { group, first, mask } = this.map;
      let taken = 0;
      for (let left = mask, i = first; left !== 0; left >>>= 1, i++) {
        if (left & 1) taken += group[i]?.accept(mode, vector, assert, level) ?? 0;
      }
      return taken;
    }
    return this.askEach(source, destination, logical, mode, vector, assert, level, shorthand, hint);
  }

  /** A single virtual CPU that the message is for; undefined: none, or several (kvm_intr_is_single_vcpu). */
  single(
    destination: number,
    logical: boolean,
    mode: number,
    vector: number,
    hint: boolean,
  ): LocalApic | undefined {
    const lowest = mode === Mode.LOWEST || hint;
    const only = this.find(null, destination, logical, lowest, vector) ? this.map.only() : undefined;
    if (only) return only;
    let found: LocalApic | undefined;
    for (const apic of this.apics) {
      if (!this.hears(apic) || !this.isMeant(apic, destination, logical)) continue;
      if (found) return undefined;
      found = apic;
    }
    return found;
  }

  /** Is this processor among those that a device's message is for? (kvm_apic_match_dest) */
  isMeant(apic: LocalApic, destination: number, logical: boolean): boolean {
    return this.matches(apic, null, Shorthand.NONE, destination, logical);
  }

  /** All that a command of an ICR is for, local APIC enabled or not (vlapic_match_dest). */
  commanded(
    source: LocalApic,
    destination: number,
    logical: boolean,
    shorthand: number,
    take: (apic: LocalApic) => void,
  ): void {
    for (const apic of this.apics) {
      if (this.matches(apic, source, shorthand, destination, logical)) take(apic);
    }
  }

  /** All that a device's message is for, one after the other (kvm_bitmap_or_dest_vcpus). */
  meant(
    destination: number,
    logical: boolean,
    mode: number,
    vector: number,
    take: (apic: LocalApic) => void,
  ): void {
    if (this.find(null, destination, logical, mode === Mode.LOWEST, vector)) {
      const { group, first, mask } = this.map;
      for (let left = mask, i = first; left !== 0; left >>>= 1, i++) {
        const apic = left & 1 ? group[i] : undefined;
        if (apic) take(apic);
      }
      return;
    }
    for (const apic of this.apics) {
      if (this.hears(apic) && this.isMeant(apic, destination, logical)) take(apic);
    }
  }

  /** The hypercall KVM_HC_SEND_IPI: bitmaps of IDs from `min` and from `min` + `size` on. */
  sendBitmaps(
    bitmaps: readonly [low: readonly [number, number], high: readonly [number, number]],
    min: number,
    size: 32 | 64,
    command: {
      readonly mode: number;
      readonly vector: number;
      readonly assert: boolean;
      readonly level: boolean;
    },
  ): number {
    if (this.map.stale) this.map.refresh();
    const { physical, largest } = this.map;
    const { mode, vector, assert, level } = command;
    let taken = 0;
    bitmaps.forEach((words, n) => {
      const base = (min + n * size) >>> 0; // 32 bits, as KVM adds them
      for (let i = 0; i < 64 && base + i <= largest; i++) {
        if ((words[i >> 5]! >>> (i & 31)) & 1) {
          taken += physical[base + i]?.accept(mode, vector, assert, level) ?? 0;
        }
      }
    });
    return taken;
  }

  /** Looks the destinations up in the map; false: it does not say. */
  private find(
    source: LocalApic | null,
    destination: number,
    logical: boolean,
    lowest: boolean,
    vector: number,
  ): boolean {
    if (!this.mapped) return false;
    const { map } = this;
    if (map.stale) map.refresh();
    if (this.isBroadcast(source, destination, logical)) return false;
    if (!logical) {
      map.findPhysical(destination);
      return true;
    }
    if (!map.findLogical(destination)) return false;
    if (lowest) map.choose(vector);
    return true;
  }

  private isBroadcast(source: LocalApic | null, destination: number, logical: boolean): boolean {
    if (logical && !this.logicalBroadcast) return false;
    if (this.options.noBroadcastQuirk) {
      return destination === X2APIC_BROADCAST || (destination === BROADCAST && !this.map.allX2apic);
    }
    return destination === (source?.x2apic ? X2APIC_BROADCAST : BROADCAST);
  }

  private askEach(
    source: LocalApic | null,
    destination: number,
    logical: boolean,
    mode: number,
    vector: number,
    assert: boolean,
    level: boolean,
    shorthand: number,
    hint: boolean,
  ): number {
    // KVM makes a physical broadcast of lowest priority a fixed interrupt, whatever it was
    const fixed = this.mapped && !logical && destination === BROADCAST && (mode === Mode.LOWEST || hint);
    const kind = fixed ? Mode.FIXED : mode;
    if (kind === Mode.LOWEST || hint) {
      const chosen = this.lowest(source, destination, logical, shorthand, vector);
      return chosen ? chosen.accept(kind, vector, assert, level) : -1;
    }
    let taken = -1;
    for (const apic of this.apics) {
      if (!this.hears(apic) || !this.matches(apic, source, shorthand, destination, logical)) continue;
      taken = Math.max(taken, 0) + apic.accept(kind, vector, assert, level);
    }
    return taken;
  }

  /** Which of the processors that are meant and enabled lowest priority chooses; undefined: there is none. */
  lowest(
    source: LocalApic | null,
    destination: number,
    logical: boolean,
    shorthand: number,
    vector: number,
  ): LocalApic | undefined {
    const { able, apics } = this;
    able.length = 0;
    // from the one after who was chosen last; the others' order does not matter but for hashing
    const start = this.options.roundRobin ? this.roundRobin + 1 : 0;
    for (let i = 0; i < apics.length; i++) {
      const apic = apics[(start + i) % apics.length]!;
      if (apic.enabled && this.matches(apic, source, shorthand, destination, logical)) able.push(apic);
    }
    if (able.length === 0) return undefined;
    if (!this.options.roundRobin && this.options.vectorHashing !== false) return able[vector % able.length];
    let best = able[0]!;
    for (const apic of able) if (this.load(apic) < this.load(best)) best = apic;
    if (this.options.roundRobin) this.roundRobin = apics.indexOf(best);
    return best;
  }

  private load(apic: LocalApic): number {
    return this.options.roundRobin ? apic.updatePpr() : apic.arbitration;
  }

  /** Is it told of messages at all? */
  private hears(apic: LocalApic): boolean {
    return apic.hardwareEnabled || this.options.disabledHear === true;
  }

  private matches(
    apic: LocalApic,
    source: LocalApic | null,
    shorthand: number,
    destination: number,
    logical: boolean,
  ): boolean {
    switch (shorthand) {
      case Shorthand.SELF:
        return apic === source;
      case Shorthand.ALL:
        return true;
      case Shorthand.ALL_BUT_SELF:
        return apic !== source;
    }
    const { x2apic } = apic;
    // a device's 0xff reaches all x2APICs under KVM, which has no interrupt remapping to send 0xffffffff
    const widened =
      this.mapped && !this.options.noBroadcastQuirk && !source && destination === BROADCAST && x2apic;
    const address = widened ? X2APIC_BROADCAST : destination;
    const everybody = address === (x2apic ? X2APIC_BROADCAST : BROADCAST);
    if (everybody && (!logical || this.logicalBroadcast)) return true;
    if (!logical) return address === (x2apic || address > BROADCAST ? apic.apicId : apic.xapicId);
    return this.matchesLogical(apic, address);
  }

  private matchesLogical(apic: LocalApic, address: number): boolean {
    const ldr = apic.reg(Reg.LDR);
    if (apic.x2apic) return ldr >>> 16 === address >>> 16 && (ldr & address & 0xffff) !== 0;
    const own = ldr >>> 24;
    // KVM compares clusters with what is beyond 8 bits of the destination, too
    const cluster = this.mapped ? address >>> 4 : (address >>> 4) & 0xf;
    switch (apic.reg(Reg.DFR)) {
      case DFR_FLAT:
        return (own & address) !== 0;
      case DFR_CLUSTER:
        return own >>> 4 === cluster && (own & address & 0xf) !== 0;
      default:
        return false;
    }
  }
}
