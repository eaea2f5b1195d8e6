/**
 * Who is meant by an interrupt message: physical and logical destinations, flat, cluster and x2APIC, broadcasts,
 * lowest priority and the shorthands of the ICR (SDM volume 3, "Determining IPI Destination").
 *
 * KVM keeps a map from destinations to virtual CPUs (kvm_recalculate_apic_map, kvm_irq_delivery_to_apic of
 * arch/x86/kvm/{lapic,irq_comm}.c). It holds while all software-enabled APICs use one logical mode; else, and for
 * broadcasts, each virtual CPU is asked. The two ways differ in what they answer when nobody is meant: 0 and -1.
 */
import { BASE_ENABLE, DFR_CLUSTER, DFR_FLAT, Mode, Reg, Shorthand } from './apic-regs.ts';
import type { LocalApic } from './lapic.ts';

export interface BusOptions {
  /** MSIs have 32-bit destinations (KVM_X2APIC_API_USE_32BIT_IDS) */
  readonly wideIds?: boolean;
  /** 0xff from a device means all x2APICs too, as long as this is not set (KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK) */
  readonly noBroadcastQuirk?: boolean;
  /** Lowest priority: the vector modulo the number of destinations chooses (KVM's vector_hashing), else arbitration. */
  readonly vectorHashing?: boolean;
}

const BROADCAST = 0xff;
const X2APIC_BROADCAST = 0xffff_ffff;

const FLAT = 1;
const CLUSTER = 2;
const X2APIC = 4;
/** destinations of one logical address, at most */
const GROUP = 16;

export class ApicBus {
  readonly apics: LocalApic[] = [];
  /** by physical ID; those beyond 255 are x2APICs' */
  private readonly physical: (LocalApic | undefined)[] = [];
  private readonly flat: (LocalApic | undefined)[] = new Array(8).fill(undefined);
  private readonly clusters: (LocalApic | undefined)[] = new Array(16 * 4).fill(undefined);
  /** logical modes of the software-enabled APICs: FLAT, CLUSTER, X2APIC or'ed */
  private modes = 0;
  private largest = 255;
  private stale = true;
  /** where the destinations of the present message begin, and which of them are meant */
  private group: (LocalApic | undefined)[] = this.physical;
  private first = 0;
  private mask = 0;
  /** somebody must look at its table again: an ID, an address or a mode has changed */
  onChange: () => void = () => {};
  /** an EOI went out */
  onEoi: (apic: LocalApic, vector: number, level: boolean) => void = () => {};

  constructor(readonly options: BusOptions = {}) {}

  add(apic: LocalApic): void {
    this.apics.push(apic);
  }

  /** A register that decides on destinations was written. */
  changed(): void {
    this.stale = true;
    this.onChange();
  }

  /** The map is of another moment: a saved state was put back. */
  forget(): void {
    this.stale = true;
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
    if (shorthand === Shorthand.SELF && source) return source.accept(mode, vector, assert, level);
    const lowest = mode === Mode.LOWEST || hint;
    if (shorthand === Shorthand.NONE && this.find(source, destination, logical, lowest, vector)) {
      let taken = 0;
      for (let left = this.mask, i = this.first; left !== 0; left >>>= 1, i++) {
        if (left & 1) taken += this.group[i]?.accept(mode, vector, assert, level) ?? 0;
      }
      return taken;
    }
    return this.sendToEach(source, destination, logical, mode, vector, assert, level, shorthand, hint);
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
    if (this.find(null, destination, logical, lowest, vector)) {
      const { mask } = this;
      const only = mask !== 0 && (mask & (mask - 1)) === 0;
      const apic = only ? this.group[this.first + 31 - Math.clz32(mask)] : undefined;
      if (apic) return apic;
    }
    let found: LocalApic | undefined;
    for (const apic of this.apics) {
      if (!apic.hardwareEnabled || !this.matches(apic, null, Shorthand.NONE, destination, logical)) continue;
      if (found) return undefined;
      found = apic;
    }
    return found;
  }

  /** Is this processor among those that a device's message is for? (kvm_apic_match_dest) */
  isMeant(apic: LocalApic, destination: number, logical: boolean): boolean {
    return this.matches(apic, null, Shorthand.NONE, destination, logical);
  }

  /** All that a device's message is for, as bits of their numbers (kvm_bitmap_or_dest_vcpus). */
  meant(
    destination: number,
    logical: boolean,
    mode: number,
    vector: number,
    take: (apic: LocalApic) => void,
  ): void {
    if (this.find(null, destination, logical, mode === Mode.LOWEST, vector)) {
      for (let left = this.mask, i = this.first; left !== 0; left >>>= 1, i++) {
        const apic = left & 1 ? this.group[i] : undefined;
        if (apic) take(apic);
      }
      return;
    }
    for (const apic of this.apics) {
      if (apic.hardwareEnabled && this.isMeant(apic, destination, logical)) take(apic);
    }
  }

  /** The hypercall KVM_HC_SEND_IPI: bitmaps of IDs from `min` and from `min` + `size` on; a negative errno if it fails. */
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
    this.refresh();
    const { mode, vector, assert, level } = command;
    let taken = 0;
    bitmaps.forEach((words, n) => {
      const base = min + n * size;
      for (let i = 0; i < 64 && base + i <= this.largest; i++) {
        if ((words[i >> 5]! >>> (i & 31)) & 1) {
          taken += this.physical[base + i]?.accept(mode, vector, assert, level) ?? 0;
        }
      }
    });
    return taken;
  }

  // by the map

  /** Looks the destinations up; false: the map does not say. */
  private find(
    source: LocalApic | null,
    destination: number,
    logical: boolean,
    lowest: boolean,
    vector: number,
  ): boolean {
    if (this.stale) this.refresh();
    if (this.isBroadcast(source, destination)) return false;
    if (!logical) {
      this.group = this.physical;
      this.first = destination;
      this.mask = destination <= this.largest ? 1 : 0;
      return true;
    }
    if (!this.findLogical(destination)) return false;
    if (lowest && this.mask !== 0) this.mask = this.choose(vector);
    return true;
  }

  private findLogical(destination: number): boolean {
    switch (this.modes) {
      case X2APIC: {
        const first = (destination >>> 16) * GROUP;
        this.group = this.physical;
        this.first = first;
        const room = this.largest - first + 1;
        this.mask = room <= 0 ? 0 : destination & (0xffff >>> (GROUP - Math.min(room, GROUP)));
        return true;
      }
      case FLAT:
        this.group = this.flat;
        this.first = 0;
        this.mask = destination & 0xff;
        return true;
      case CLUSTER:
        this.group = this.clusters;
        this.first = ((destination >> 4) & 0xf) * 4;
        this.mask = destination & 0xf;
        return true;
      default:
        return false;
    }
  }

  /** The one of the group that lowest priority means, as a bit; 0 if there is nobody at that place. */
  private choose(vector: number): number {
    const { group, first, mask } = this;
    if (this.options.vectorHashing !== false) {
      let place = vector % popcount(mask);
      let left = mask;
      while (place-- > 0) left &= left - 1;
      const bit = left & -left;
      return group[first + 31 - Math.clz32(bit)] ? bit : 0;
    }
    let best = 0;
    let least = Infinity;
    for (let i = 0; i < GROUP; i++) {
      const apic = mask & (1 << i) ? group[first + i] : undefined;
      if (!apic || apic.arbitration >= least) continue;
      least = apic.arbitration;
      best = 1 << i;
    }
    return best;
  }

  private isBroadcast(source: LocalApic | null, destination: number): boolean {
    if (this.options.noBroadcastQuirk) {
      return destination === X2APIC_BROADCAST || (destination === BROADCAST && this.modes !== X2APIC);
    }
    return destination === (source?.x2apic ? X2APIC_BROADCAST : BROADCAST);
  }

  private refresh(): void {
    this.stale = false;
    this.physical.fill(undefined);
    this.flat.fill(undefined);
    this.clusters.fill(undefined);
    this.modes = 0;
    this.largest = 255;
    for (const apic of this.apics) {
      if (apic.base & BASE_ENABLE && apic.apicId > this.largest) this.largest = apic.apicId;
    }
    for (const apic of this.apics) if (apic.base & BASE_ENABLE) this.place(apic);
  }

  private place(apic: LocalApic): void {
    const { x2apic } = apic;
    if (x2apic || apic.apicId > BROADCAST) this.physical[apic.apicId] = apic;
    if (!x2apic) this.physical[apic.xapicId] ??= apic;
    if (!apic.softwareEnabled) return;
    const ldr = apic.reg(Reg.LDR);
    let address = ldr;
    if (x2apic) this.modes |= X2APIC;
    else if (ldr !== 0) {
      address = ldr >>> 24;
      this.modes |= apic.reg(Reg.DFR) === DFR_FLAT ? FLAT : CLUSTER;
    }
    if (!this.findLogical(address) || this.mask === 0) return;
    this.group[this.first + 31 - Math.clz32(this.mask & -this.mask)] = apic;
  }

  // by asking each

  private sendToEach(
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
    const fixed = !logical && destination === BROADCAST && (mode === Mode.LOWEST || hint);
    const kind = fixed ? Mode.FIXED : mode;
    const one = kind === Mode.LOWEST || hint;
    let taken = -1;
    const able: LocalApic[] = [];
    for (const apic of this.apics) {
      if (!apic.hardwareEnabled || !this.matches(apic, source, shorthand, destination, logical)) continue;
      if (!one) taken = Math.max(taken, 0) + apic.accept(kind, vector, assert, level);
      else if (apic.softwareEnabled) able.push(apic);
    }
    if (able.length === 0) return taken;
    return this.lowest(able, vector).accept(kind, vector, assert, level);
  }

  private lowest(able: readonly LocalApic[], vector: number): LocalApic {
    if (this.options.vectorHashing !== false) return able[vector % able.length]!;
    let best = able[0]!;
    for (const apic of able) if (apic.arbitration < best.arbitration) best = apic;
    return best;
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
    let address = destination;
    if (!this.options.noBroadcastQuirk && !source && destination === BROADCAST && x2apic)
      address = X2APIC_BROADCAST;
    if (address === (x2apic ? X2APIC_BROADCAST : BROADCAST)) return true;
    if (!logical) {
      if (x2apic || (apic.apicId > BROADCAST && address === apic.apicId)) return address === apic.apicId;
      return address === apic.xapicId;
    }
    return this.matchesLogical(apic, address);
  }

  private matchesLogical(apic: LocalApic, address: number): boolean {
    const ldr = apic.reg(Reg.LDR);
    if (apic.x2apic) return ldr >>> 16 === address >>> 16 && (ldr & address & 0xffff) !== 0;
    const own = ldr >>> 24;
    switch (apic.reg(Reg.DFR)) {
      case DFR_FLAT:
        return (own & address) !== 0;
      case DFR_CLUSTER:
        return own >>> 4 === address >>> 4 && (own & address & 0xf) !== 0;
      default:
        return false;
    }
  }
}

function popcount(word: number): number {
  let n = 0;
  for (let left = word; left !== 0; left &= left - 1) n++;
  return n;
}
