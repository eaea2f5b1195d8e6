/**
 * The interrupts of a GIC: state of each one, and for each CPU those that are ready for it, with the best at hand. The
 * life of an interrupt as IHI 0048, section 3.2.4 and IHI 0069, section 4.1.2 have it: inactive, pending, active,
 * active and pending. GICv2 and GICv3 differ only in who an interrupt is for: there SPIs name up to eight CPUs, one of
 * which takes it, here one CPU by affinity or any that takes part.; one byte
 * holds the state of each.
 */
import { lowestBit } from '../../core/bits.ts';
import { type Plain, restoreArray, saveArray } from '../../core/state.ts';
import { PRIVATE, SGIS } from './gic-regs.ts';
import { Hold, ReadySet } from './ready-set.ts';

/** State of an interrupt. */
export const ENABLED = 1;
export const GROUP1 = 2;
export const EDGE = 4;
/** the wire is high */
export const LINE = 8;
/** an edge was seen, or software said so; acknowledging clears it */
export const LATCH = 16;
export const ACTIVE = 32;
/** in the ready sets of those it is for */
const READY = 64;

/** for no CPU */
const NOBODY = -1;

export type GicVersion = 2 | 3;

export interface GicCoreInit {
  readonly version: GicVersion;
  readonly cpus: number;
  /** INTIDs there are, a multiple of 32 */
  readonly intids: number;
  /** bits of a priority that there are, from the highest: 4 to 8 */
  readonly priorityBits: number;
}

export class GicCore {
  readonly version: GicVersion;
  readonly cpus: number;
  readonly intids: number;
  readonly priorityMask: number;
  /** the private ones of each CPU in turn, then the shared */
  readonly flags: Uint8Array;
  readonly priority: Uint8Array;
  /** GICv2: CPUs an SPI is for, as bits; by INTID */
  readonly targets: Uint8Array;
  /** GICv3: affinity an SPI is routed to, as written */
  readonly routes: Uint32Array;
  /** GICv3: the CPU of that affinity */
  private readonly routed: Int16Array;
  /** GICv2: CPUs that an SGI is pending from, as bits; 16 for each CPU */
  readonly sgiSources: Uint8Array;
  /** groups that are forwarded, as bits */
  groups = 0;
  /** by CPU */
  readonly ready: readonly ReadySet[];
  /** held while software writes a register */
  readonly hold = new Hold();
  /** index of INTID 0, if shared interrupts began there */
  private readonly shared: number;
  /** CPUs that take interrupts that are for any; one each */
  private readonly participants: Uint8Array;

  constructor(init: GicCoreInit) {
    const { cpus, intids } = init;
    this.version = init.version;
    this.cpus = cpus;
    this.intids = intids;
    this.priorityMask = (0xff00 >> init.priorityBits) & 0xff;
    this.shared = cpus * PRIVATE - PRIVATE;
    this.flags = new Uint8Array(this.shared + intids);
    this.priority = new Uint8Array(this.flags.length);
    this.targets = new Uint8Array(intids).fill(cpus === 1 && init.version === 2 ? 1 : 0);
    this.routes = new Uint32Array(intids);
    this.routed = new Int16Array(intids);
    this.sgiSources = new Uint8Array(cpus * SGIS);
    this.ready = Array.from(
      { length: cpus },
      (_, cpu) => new ReadySet(this.priority, cpu * PRIVATE, this.shared, this.hold),
    );
    this.participants = new Uint8Array(cpus);
    for (let cpu = 0; cpu < cpus; cpu++) {
      // GICv2 has them enabled for good
      this.flags.fill(init.version === 2 ? EDGE | ENABLED : EDGE, cpu * PRIVATE, cpu * PRIVATE + SGIS);
    }
  }

  /** Where the interrupt is in `flags` and `priority`. */
  index(cpu: number, intid: number): number {
    return intid < PRIVATE ? cpu * PRIVATE + intid : this.shared + intid;
  }

  // what devices and software do to an interrupt

  /**
   * The wire of an interrupt; `cpu` only matters for private ones.
   * @returns whether it is pending by this and was not, or the reverse
   */
  setLine(cpu: number, intid: number, high: boolean): boolean {
    const n = this.index(cpu, intid);
    const f = this.flags[n]!;
    if (high === ((f & LINE) !== 0)) return false;
    const edge = (f & EDGE) !== 0;
    this.flags[n] = high && edge ? f | LINE | LATCH : f ^ LINE;
    if (edge && !high) return false;
    if ((f & LATCH) === 0) {
      this.update(n, cpu, intid);
      return true;
    }
    return false;
  }

  /** An edge, or a write to ISPENDR: pending, until it is acknowledged. False: it was pending by one already. */
  latch(cpu: number, intid: number): boolean {
    const n = this.index(cpu, intid);
    const f = this.flags[n]!;
    if (f & LATCH) return false;
    this.flags[n] = f | LATCH;
    this.update(n, cpu, intid);
    return true;
  }

  /** ICPENDR: the latch is empty; a level that is still there stays pending. */
  unlatch(cpu: number, intid: number): void {
    this.change(cpu, intid, LATCH, false);
    if (intid < SGIS) this.sgiSources[cpu * SGIS + intid] = 0;
  }

  /** GICv2: CPU `from` sends an SGI. False: the same was pending already. */
  sendSgi(from: number, cpu: number, intid: number): boolean {
    const at = cpu * SGIS + intid;
    const sources = this.sgiSources[at]!;
    if (sources & (1 << from)) return false;
    this.sgiSources[at] = sources | (1 << from);
    this.latch(cpu, intid);
    return true;
  }

  /** GICv2: CPENDSGIR. */
  cancelSgi(cpu: number, intid: number, sources: number): void {
    const at = cpu * SGIS + intid;
    this.sgiSources[at] = this.sgiSources[at]! & ~sources;
    if (this.sgiSources[at] === 0) this.change(cpu, intid, LATCH, false);
  }

  /** ISENABLER, IGROUPR, ICFGR, ISACTIVER and the clearing ones: a bit of its state. */
  change(cpu: number, intid: number, bit: number, on: boolean): void {
    const n = this.index(cpu, intid);
    const f = this.flags[n]!;
    if (on === ((f & bit) !== 0)) return;
    this.flags[n] = f ^ bit;
    this.update(n, cpu, intid);
    // the best stays the best, but its group decides how it is signalled
    if (bit !== GROUP1 || (f & READY) === 0) return;
    for (const set of this.ready) if (set.best === intid) set.tell();
  }

  isPending(f: number): boolean {
    return (f & LATCH) !== 0 || (f & (LINE | EDGE)) === LINE;
  }

  setPriority(cpu: number, intid: number, value: number): void {
    const n = this.index(cpu, intid);
    const f = this.flags[n]!;
    if (f & READY) this.withdraw(n, cpu, intid);
    this.priority[n] = value & this.priorityMask;
    if (f & READY) this.update(n, cpu, intid);
  }

  /** GICv2: ITARGETSR of an SPI; with one CPU there is nothing to say. */
  setTargets(intid: number, mask: number): void {
    if (this.cpus === 1) return;
    const n = this.shared + intid;
    const f = this.flags[n]!;
    if (f & READY) this.withdraw(n, 0, intid);
    this.targets[intid] = mask & ((1 << this.cpus) - 1);
    if (f & READY) this.update(n, 0, intid);
  }

  /** GICv3: IROUTER of an SPI. `any`: whoever takes part. */
  setRoute(intid: number, affinity: number, any: boolean): void {
    const n = this.shared + intid;
    const f = this.flags[n]!;
    if (f & READY) this.withdraw(n, 0, intid);
    this.routes[intid] = affinity;
    this.targets[intid] = any ? 1 : 0;
    this.routed[intid] = any ? this.participants.indexOf(1) : cpuOf(affinity, this.cpus);
    if (f & READY) this.update(n, 0, intid);
  }

  /** GICv3: does IROUTER say any? */
  isForAny(intid: number): boolean {
    return this.targets[intid] === 1;
  }

  /** GICv3: a CPU begins or ends to take interrupts that are for any. */
  participate(cpu: number, on: boolean): void {
    if (this.version === 2 || on === (this.participants[cpu] === 1)) return;
    const first = this.participants.indexOf(1);
    this.participants[cpu] = on ? 1 : 0;
    if (this.participants.indexOf(1) === first) return;
    this.hold.begin();
    for (let intid = PRIVATE; intid < this.intids; intid++) {
      if (this.isForAny(intid)) this.setRoute(intid, this.routes[intid]!, true);
    }
    this.hold.end();
  }

  /** GICD_CTLR: groups that are forwarded. */
  setGroups(groups: number): void {
    if (groups === this.groups) return;
    this.groups = groups;
    this.updateAll();
  }

  private updateAll(): void {
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      for (let intid = 0; intid < PRIVATE; intid++) this.update(this.index(cpu, intid), cpu, intid);
    }
    for (let intid = PRIVATE; intid < this.intids; intid++) this.update(this.shared + intid, 0, intid);
  }

  // what a CPU interface does

  /** The interrupt is taken: active, and no longer pending unless its level is still there. */
  activate(cpu: number, intid: number): void {
    const n = this.index(cpu, intid);
    this.flags[n] = (this.flags[n]! & ~LATCH) | ACTIVE;
    this.update(n, cpu, intid);
  }

  /** GICv2: the same for an SGI, from the lowest of those who sent it; the answer is that CPU. */
  activateSgi(cpu: number, intid: number): number {
    const at = cpu * SGIS + intid;
    const sources = this.sgiSources[at]!;
    const rest = sources & (sources - 1);
    this.sgiSources[at] = rest;
    const n = cpu * PRIVATE + intid;
    this.flags[n] = (rest === 0 ? this.flags[n]! & ~LATCH : this.flags[n]!) | ACTIVE;
    this.update(n, cpu, intid);
    return lowestBit(sources);
  }

  deactivate(cpu: number, intid: number): void {
    const n = this.index(cpu, intid);
    const f = this.flags[n]!;
    if ((f & ACTIVE) === 0) return;
    this.flags[n] = f ^ ACTIVE;
    this.update(n, cpu, intid);
  }

  // the ready sets

  /** The state of an interrupt has changed. */
  private update(n: number, cpu: number, intid: number): void {
    const f = this.flags[n]!;
    const ready =
      (f & (ENABLED | ACTIVE)) === ENABLED &&
      ((f & LATCH) !== 0 || (f & (LINE | EDGE)) === LINE) &&
      (this.groups & (f & GROUP1 ? 2 : 1)) !== 0;
    if (ready === ((f & READY) !== 0)) return;
    this.flags[n] = f ^ READY;
    this.place(n, cpu, intid, ready);
  }

  /** Out of the ready sets, to come back by `update`. */
  private withdraw(n: number, cpu: number, intid: number): void {
    this.flags[n] = this.flags[n]! & ~READY;
    this.place(n, cpu, intid, false);
  }

  private place(n: number, cpu: number, intid: number, ready: boolean): void {
    if (intid < PRIVATE) this.placeAt(n, cpu, intid, ready);
    else if (this.version === 3) {
      const to = this.routed[intid]!;
      if (to !== NOBODY) this.placeAt(n, to, intid, ready);
    } else {
      for (let mask = this.targets[intid]!; mask !== 0; mask &= mask - 1) {
        this.placeAt(n, lowestBit(mask), intid, ready);
      }
    }
  }

  private placeAt(n: number, cpu: number, intid: number, ready: boolean): void {
    const set = this.ready[cpu]!;
    if (ready) set.add(intid, this.priority[n]!);
    else set.remove(intid);
  }

  // to look at, and to keep

  /** CPUs that an SPI is for now. */
  targetsOf(intid: number): number[] {
    if (this.version === 3) return this.routed[intid] === NOBODY ? [] : [this.routed[intid]!];
    const out: number[] = [];
    for (let mask = this.targets[intid]!; mask !== 0; mask &= mask - 1) out.push(lowestBit(mask));
    return out;
  }

  /** Who sent an SGI that is pending; 0 on GICv3, which does not tell. */
  senderOf(cpu: number, intid: number): number {
    const sources = this.sgiSources[cpu * SGIS + intid]!;
    return sources === 0 ? 0 : lowestBit(sources);
  }

  save(): Plain {
    return {
      flags: saveArray(this.flags),
      priority: saveArray(this.priority),
      targets: saveArray(this.targets),
      routes: saveArray(this.routes),
      sgiSources: saveArray(this.sgiSources),
      participants: saveArray(this.participants),
      groups: this.groups,
    };
  }

  /** Nobody is told. */
  restore(state: Plain): void {
    const s = state as unknown as Record<string, Plain> & { groups: number };
    for (const key of ['flags', 'priority', 'targets', 'routes', 'sgiSources', 'participants'] as const) {
      restoreArray(this[key], s[key]!);
    }
    this.groups = s.groups;
    for (const set of this.ready) set.clear();
    for (let n = 0; n < this.flags.length; n++) this.flags[n] = this.flags[n]! & ~READY;
    for (let intid = PRIVATE; intid < this.intids && this.version === 3; intid++) {
      this.setRoute(intid, this.routes[intid]!, this.isForAny(intid));
    }
    this.hold.begin();
    this.updateAll();
    this.hold.drop();
  }
}

/** CPUs of a cluster, as Aff0 counts them. */
const CLUSTER = 16;

/** MPIDR_EL1's affinity of a CPU: Aff0 within a cluster of 16, Aff1 the cluster. */
export function affinityOf(cpu: number): number {
  return ((cpu >> 4) << 8) | (cpu % CLUSTER);
}

/** The CPU of an affinity, Aff3 at bits 31 to 24; -1: there is none. */
export function cpuOf(affinity: number, cpus: number): number {
  if (affinity >>> 16 !== 0 || (affinity & 0xff) >= CLUSTER) return NOBODY;
  const cpu = (affinity >> 8) * CLUSTER + (affinity & 0xff);
  return cpu < cpus ? cpu : NOBODY;
}
