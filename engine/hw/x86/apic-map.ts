/**
 * KVM's map from destinations to virtual CPUs (kvm_recalculate_apic_map and kvm_apic_map_get_dest_lapic of
 * arch/x86/kvm/lapic.c). Physical destinations are always in it; logical ones while all software-enabled APICs use one
 * logical mode.
 */
import { BASE_ENABLE, DFR_FLAT, Reg } from './apic-regs.ts';
import type { LocalApic } from './lapic.ts';

const FLAT = 1;
const CLUSTER = 2;
const X2APIC = 4;
/** destinations of one logical address, at most */
const GROUP = 16;
/** a place for every ID of xAPIC mode, whoever is there */
const XAPIC_IDS = 256;

type Places = (LocalApic | undefined)[];

export class ApicMap {
  /** by physical ID; those beyond 255 are x2APICs' */
  readonly physical: Places = [];
  /** the largest ID there is a place for */
  largest = XAPIC_IDS - 1;
  /** what was found last: where the destinations begin, and as bits which of them are meant */
  group: Places = this.physical;
  first = 0;
  mask = 0;
  stale = true;
  private readonly flat: Places = new Array(8).fill(undefined);
  private readonly clusters: Places = new Array(16 * 4).fill(undefined);
  /** logical modes of the software-enabled APICs: FLAT, CLUSTER, X2APIC or'ed */
  private modes = 0;

  constructor(
    private readonly apics: readonly LocalApic[],
    private readonly hashing: boolean,
  ) {}

  /** Do all software-enabled APICs use x2APIC mode? */
  get allX2apic(): boolean {
    return this.modes === X2APIC;
  }

  findPhysical(destination: number): void {
    this.group = this.physical;
    this.first = destination;
    this.mask = destination <= this.largest ? 1 : 0;
  }

  /** False: the map does not say. */
  findLogical(destination: number): boolean {
    switch (this.modes) {
      case X2APIC: {
        const first = (destination >>> 16) * GROUP;
        const room = Math.min(this.largest - first + 1, GROUP);
        this.group = this.physical;
        this.first = first;
        this.mask = room <= 0 ? 0 : destination & (0xffff >>> (GROUP - room));
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

  /** Leaves of what was found the one that lowest priority means. By hash that may be an absent one: then nobody. */
  choose(vector: number): void {
    if (this.mask !== 0) this.mask = this.hashing ? this.byHash(vector) : this.byArbitration();
  }

  private byHash(vector: number): number {
    const { group, first, mask } = this;
    let left = mask;
    for (let skip = vector % popcount(mask); skip > 0; skip--) left &= left - 1;
    const chosen = left & -left;
    return group[first + 31 - Math.clz32(chosen)] ? chosen : 0;
  }

  private byArbitration(): number {
    const { group, first, mask } = this;
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

  /** What was found, if it is a single one. */
  only(): LocalApic | undefined {
    const { mask } = this;
    if (mask === 0 || (mask & (mask - 1)) !== 0) return undefined;
    return this.group[this.first + 31 - Math.clz32(mask)];
  }

  refresh(): void {
    this.stale = false;
    this.physical.fill(undefined);
    this.flat.fill(undefined);
    this.clusters.fill(undefined);
    this.modes = 0;
    this.largest = XAPIC_IDS - 1;
    for (const apic of this.apics) {
      if (apic.base & BASE_ENABLE && apic.apicId > this.largest) this.largest = apic.apicId;
    }
    for (const apic of this.apics) if (apic.base & BASE_ENABLE) this.place(apic);
  }

  /** In the order of the processors, so that the logical mode known so far decides on each one's place. */
  private place(apic: LocalApic): void {
    const { x2apic } = apic;
    if (x2apic || apic.apicId >= XAPIC_IDS) this.physical[apic.apicId] = apic;
    if (!x2apic) this.physical[apic.xapicId] ??= apic;
    if (!apic.softwareEnabled) return;
    let address = apic.reg(Reg.LDR);
    if (x2apic) this.modes |= X2APIC;
    else if (address !== 0) {
      address >>>= 24;
      this.modes |= apic.reg(Reg.DFR) === DFR_FLAT ? FLAT : CLUSTER;
    }
    if (!this.findLogical(address) || this.mask === 0) return;
    this.group[this.first + 31 - Math.clz32(this.mask & -this.mask)] = apic;
  }
}

function popcount(word: number): number {
  let n = 0;
  for (let left = word; left !== 0; left &= left - 1) n++;
  return n;
}
