/**
 * A redistributor of GICv3 (IHI 0069, sections 12.10 and 12.11): one CPU's SGIs and PPIs, and whether it is awake. No
 * LPIs. What is reserved is RAZ/WI.
 */
import type { Width } from '../../core/registers.ts';
import type { CpuInterface } from './cpu-interface.ts';
import { part } from './distributor.ts';
import { affinityOf, type GicCore } from './gic-core.ts';
import {
  GICD,
  GICR,
  GICR_FRAME,
  IIDR,
  PRIVATE,
  RedistTyper,
  V3_ID,
  V3_REDIST_IDS,
  Waker,
} from './gic-regs.ts';
import { readInterrupts, writeInterrupts } from './interrupt-registers.ts';

const TWO32 = 2 ** 32;

export class Redistributor {
  readonly cpu: number;

  /** @param icc the CPU interface that it holds interrupts back from while the CPU is asleep */
  constructor(
    private readonly core: GicCore,
    private readonly icc: CpuInterface,
  ) {
    this.cpu = icc.cpu;
  }

  /** A load from the two frames of this redistributor. */
  read(offset: number, width: Width): number {
    if (offset >= GICR_FRAME) {
      const at = offset - GICR_FRAME;
      return width === 8 || !hasPrivate(at) ? 0 : readInterrupts(this.core, this.cpu, at, width, 0, PRIVATE);
    }
    if (offset === GICR.TYPER && width === 8) return this.affinity * TWO32 + this.typer;
    return width === 8 ? 0 : part(this.word(offset & ~3), offset, width);
  }

  private word(offset: number): number {
    switch (offset) {
      case GICR.IIDR:
        return IIDR;
      case GICR.TYPER:
        return this.typer;
      case GICR.TYPER + 4:
        return this.affinity;
      case GICR.WAKER:
        return this.icc.asleep ? Waker.processorSleep.mask | Waker.childrenAsleep.mask : 0;
      default:
        return offset < V3_ID ? 0 : (V3_REDIST_IDS[(offset - V3_ID) >> 2] ?? 0);
    }
  }

  private get typer(): number {
    const { cpu, core } = this;
    return RedistTyper.processorNumber.set(cpu === core.cpus - 1 ? RedistTyper.last.mask : 0, cpu);
  }

  get affinity(): number {
    return affinityOf(this.cpu);
  }

  write(offset: number, value: number, width: Width): void {
    if (offset >= GICR_FRAME) {
      const at = offset - GICR_FRAME;
      if (width === 8 || !hasPrivate(at)) return;
      this.core.hold.begin();
      writeInterrupts(this.core, this.cpu, at, width, value, 0, PRIVATE);
      this.core.hold.end();
    } else if (offset === GICR.WAKER && width !== 8) {
      this.icc.setAsleep(Waker.processorSleep.has(value));
    }
  }
}

/** Registers of the first 32 interrupts; the rest of each row is reserved. */
function hasPrivate(offset: number): boolean {
  if (offset < GICD.IPRIORITYR) return (offset & 0x7f) < 4;
  if (offset < GICD.ITARGETSR) return offset < GICD.IPRIORITYR + PRIVATE;
  return offset >= GICD.ICFGR && offset < GICD.ICFGR + PRIVATE / 4;
}
