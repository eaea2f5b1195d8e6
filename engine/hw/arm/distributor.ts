/**
 * The distributor's registers (IHI 0048, section 4.3; IHI 0069, section 12.9). On GICv2 a CPU finds its own SGIs and PPIs
 * here too; on GICv3, where affinity routing is always on, these are in the redistributors and are RAZ/WI here. One
 * security state; no extended SPIs, no LPIs, no messages. What is reserved is RAZ/WI.
 */
import type { Width } from '../../core/registers.ts';
import type { GicCore, GicVersion } from './gic-core.ts';
import {
  DistCtlr,
  DistTyper,
  GICD,
  GICD_SIZE,
  GICD_V2_ID,
  IIDR,
  IROUTER_ANY,
  MOST_INTIDS,
  PRIVATE,
  SGIS,
  Sgir,
  SgirFilter,
  V2_IDS,
  V3_DIST_IDS,
  V3_ID,
} from './gic-regs.ts';
import { isInterruptRegister, readInterrupts, writeInterrupts } from './interrupt-registers.ts';

const GROUPS = DistCtlr.enableGrp0.mask | DistCtlr.enableGrp1.mask;
const TWO32 = 2 ** 32;

export class Distributor {
  readonly version: GicVersion;
  readonly size: number;
  /** the first INTID whose registers are here */
  private readonly first: number;
  private readonly end: number;

  constructor(private readonly core: GicCore) {
    this.version = core.version;
    this.size = GICD_SIZE[core.version];
    this.first = core.version === 2 ? 0 : PRIVATE;
    this.end = Math.min(core.intids, MOST_INTIDS);
  }

  /** A load by a CPU. */
  read(cpu: number, offset: number, width: Width): number {
    if (isInterruptRegister(offset)) {
      return width === 8 ? 0 : readInterrupts(this.core, cpu, offset, width, this.first, this.end);
    }
    if (this.version === 3 && offset >= GICD.IROUTER && offset < GICD.IROUTER + MOST_INTIDS * 8) {
      return this.readRoute(offset, width);
    }
    if (this.version === 2 && offset >= GICD.CPENDSGIR && offset < GICD.SPENDSGIR + SGIS) {
      return this.readSgiSources(cpu, offset, width);
    }
    return width === 8 ? 0 : part(this.word(offset & ~3), offset, width);
  }

  private word(offset: number): number {
    const { core, version } = this;
    switch (offset) {
      case GICD.CTLR:
        return version === 2 ? core.groups : core.groups | DistCtlr.are.mask | DistCtlr.ds.mask;
      case GICD.TYPER: {
        const lines = DistTyper.itLinesNumber.set(0, core.intids / 32 - 1);
        if (version === 2) return DistTyper.cpuNumber.set(lines, core.cpus - 1);
        return DistTyper.idBits.set(lines, 9) | DistTyper.a3v.mask;
      }
      case GICD.IIDR:
        return IIDR;
      default: {
        const ids = offset - (version === 2 ? GICD_V2_ID : V3_ID);
        if (ids < 0) return 0;
        return (version === 2 ? V2_IDS : V3_DIST_IDS)[ids >> 2] ?? 0;
      }
    }
  }

  /** A store by a CPU: all that it changes changes at once. */
  write(cpu: number, offset: number, value: number, width: Width): void {
    this.core.hold.begin();
    this.set(cpu, offset, value, width);
    this.core.hold.end();
  }

  private set(cpu: number, offset: number, value: number, width: Width): void {
    const { core, version } = this;
    if (isInterruptRegister(offset)) {
      if (width !== 8) writeInterrupts(core, cpu, offset, width, value, this.first, this.end);
    } else if (offset === GICD.CTLR) {
      if (width !== 8) core.setGroups(value & GROUPS);
    } else if (version === 2) {
      if (offset === GICD.SGIR && width === 4) this.sgir(cpu, value);
      else if (offset >= GICD.CPENDSGIR && offset < GICD.SPENDSGIR + SGIS && width !== 8) {
        this.writeSgiSources(cpu, offset, value, width);
      }
    } else if (offset >= GICD.IROUTER && offset < GICD.IROUTER + MOST_INTIDS * 8) {
      this.writeRoute(offset, value, width);
    }
  }

  // SGIs of GICv2

  /** GICD_SGIR: a CPU sends an SGI. */
  private sgir(cpu: number, value: number): void {
    const { core } = this;
    const intid = Sgir.intid.get(value);
    switch (Sgir.filter.get(value)) {
      case SgirFilter.LIST:
        this.sendSgi(cpu, Sgir.targetList.get(value), intid);
        break;
      case SgirFilter.OTHERS:
        this.sendSgi(cpu, ((1 << core.cpus) - 1) & ~(1 << cpu), intid);
        break;
      case SgirFilter.SELF:
        core.sendSgi(cpu, cpu, intid);
        break;
      default:
      // reserved
    }
  }

  private sendSgi(from: number, targets: number, intid: number): void {
    for (let cpu = 0; cpu < this.core.cpus; cpu++) {
      if (targets & (1 << cpu)) this.core.sendSgi(from, cpu, intid);
    }
  }

  /** CPENDSGIR and SPENDSGIR: the CPUs that each SGI is pending from, a byte each. */
  private readSgiSources(cpu: number, offset: number, width: Width): number {
    let value = 0;
    const first = (offset - GICD.CPENDSGIR) % SGIS;
    for (let i = 0; i < width && i < 4; i++) {
      value |= this.core.sgiSources[cpu * SGIS + first + i]! << (i * 8);
    }
    return value >>> 0;
  }

  private writeSgiSources(cpu: number, offset: number, value: number, width: Width): void {
    const { core } = this;
    const sets = offset >= GICD.SPENDSGIR;
    const first = (offset - GICD.CPENDSGIR) % SGIS;
    for (let i = 0; i < width; i++) {
      const sources = (value >>> (i * 8)) & 0xff;
      if (!sets) core.cancelSgi(cpu, first + i, sources);
      else for (let from = 0; from < 8; from++) if (sources & (1 << from)) core.sendSgi(from, cpu, first + i);
    }
  }

  // SPIs of GICv3

  /** GICD_IROUTER: Aff2 to Aff0 and the mode in the lower half, Aff3 in the upper. */
  private readRoute(offset: number, width: Width): number {
    const { core } = this;
    const intid = (offset - GICD.IROUTER) >> 3;
    if (width < 4 || intid < PRIVATE || intid >= this.end) return 0;
    const affinity = core.routes[intid]!;
    const low = (affinity & 0xff_ffff) + (core.isForAny(intid) ? IROUTER_ANY.mask : 0);
    const high = affinity >>> 24;
    if (width === 8) return high * TWO32 + low;
    return offset & 4 ? high : low;
  }

  private writeRoute(offset: number, value: number, width: Width): void {
    const { core } = this;
    const intid = (offset - GICD.IROUTER) >> 3;
    if (width < 4 || intid < PRIVATE || intid >= this.end) return;
    const old = core.routes[intid]!;
    if (width === 4 && offset & 4) {
      core.setRoute(intid, ((old & 0xff_ffff) | (value << 24)) >>> 0, core.isForAny(intid));
      return;
    }
    const low = value % TWO32;
    const aff3 = width === 8 ? Math.floor(value / TWO32) & 0xff : old >>> 24;
    core.setRoute(intid, ((low & 0xff_ffff) | (aff3 << 24)) >>> 0, IROUTER_ANY.has(low));
  }
}

/** A part of a register of 32 bits. */
export function part(word: number, offset: number, width: number): number {
  if (width === 4) return word >>> 0;
  return (word >>> ((offset & 3) * 8)) & (width === 1 ? 0xff : 0xffff);
}
