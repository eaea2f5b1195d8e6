/**
 * The CPU interface: which interrupt is good enough to be signalled, taking it, priority drop and deactivation (IHI 0048,
 * sections 3.3 and 4.4; IHI 0069, sections 4.8 and 12.2). Its registers as software reaches them are in gicc.ts and
 * icc.ts.
 *
 * With EOImode 1, as hypervisors have it, EOIR drops the running priority only, so that the next interrupt can come, and
 * DIR, or a guest's EOI of a list register that has the HW bit, deactivates.
 */
import { lowestBit } from '../../core/bits.ts';
import { type Plain, restoreArray, saveArray } from '../../core/state.ts';
import { type GicCore, GROUP1 } from './gic-core.ts';
import { GROUP1_ONLY, SGIS, SPURIOUS } from './gic-regs.ts';
import { IDLE, type ReadySet } from './ready-set.ts';

/** What the CPU is told. */
export const Signal = { NONE: 0, IRQ: 1, FIQ: 2 } as const;
export type Signal = (typeof Signal)[keyof typeof Signal];

export type Group = 0 | 1;

export interface GicOutput {
  /** A CPU's IRQ or FIQ is another: `signal` tells. */
  changed(cpu: number): void;
}

export class CpuInterface {
  /** the wires to the CPU */
  signal: Signal = Signal.NONE;
  /** running priority; IDLE: nothing is taken */
  running = IDLE;
  /** groups that are signalled, as bits */
  groups = 0;
  pmr = 0;
  /** EOIR does not deactivate */
  split = false;
  /** GICC_BPR serves group 1 too */
  commonBpr = false;
  /** GICv2: IAR takes interrupts of group 1 */
  ackCtl = false;
  /** group 0 is signalled as FIQ; on GICv3 always */
  fiq: boolean;
  /** GICv3: the redistributor holds everything back */
  asleep: boolean;
  /** the least that a binary point can be */
  readonly leastBpr: number;
  /** words of active priorities */
  readonly aprs: number;
  /** what is ready for this CPU */
  readonly ready: ReadySet;
  private bpr0: number;
  private bpr1: number;
  /** bits of a priority that preempt, in group 0 and in group 1 */
  private mask0 = 0;
  private mask1 = 0;
  /** a bit for each group priority that is taken, of group 0 and of group 1 */
  private readonly active: readonly [Uint32Array, Uint32Array];

  constructor(
    private readonly core: GicCore,
    readonly cpu: number,
    priorityBits: number,
    private readonly output: GicOutput,
  ) {
    const preemption = Math.min(priorityBits, 7);
    this.leastBpr = 7 - preemption;
    this.aprs = preemption <= 5 ? 1 : 1 << (preemption - 5);
    this.active = [new Uint32Array(this.aprs), new Uint32Array(this.aprs)];
    this.fiq = core.version === 3;
    this.asleep = core.version === 3;
    this.bpr0 = this.leastBpr;
    this.bpr1 = this.leastBpr + 1;
    this.ready = core.ready[cpu]!;
    this.ready.receiver = this;
    this.setMasks();
  }

  // signalling

  /** The best interrupt, the mask or what is running may have changed. */
  update(): void {
    const signal = this.decide();
    if (signal === this.signal) return;
    this.signal = signal;
    this.output.changed(this.cpu);
  }

  private decide(): Signal {
    const { best, bestPriority } = this.ready;
    // with nothing there the priority is lower than any
    if (bestPriority >= this.pmr || this.asleep) return Signal.NONE;
    const group = this.groupOf(best);
    const preempts = (bestPriority & (group === 0 ? this.mask0 : this.mask1)) < this.running;
    if (!preempts || (this.groups & (1 << group)) === 0) return Signal.NONE;
    return group === 0 && this.fiq ? Signal.FIQ : Signal.IRQ;
  }

  private groupOf(intid: number): Group {
    const { core } = this;
    return core.flags[core.index(this.cpu, intid)]! & GROUP1 ? 1 : 0;
  }

  /** The interrupt that is signalled; SPURIOUS: none. */
  get pending(): number {
    return this.signal === Signal.NONE ? SPURIOUS : this.ready.best;
  }

  // an interrupt is taken and ended

  /**
   * A read of IAR, or of ICC_IAR0 or ICC_IAR1.
   * @param group the only one that this register takes; undefined: both
   * @returns the INTID; of SGIs on GICv2 with the sender's number
   */
  acknowledge(group?: Group): number {
    const { core, cpu } = this;
    if (this.signal === Signal.NONE) return SPURIOUS;
    const intid = this.ready.best;
    const its = this.groupOf(intid);
    if (group === undefined) {
      if (its === 1 && !this.ackCtl) return GROUP1_ONLY;
    } else if (its !== group) return SPURIOUS;
    const priority = this.ready.bestPriority & (its === 0 ? this.mask0 : this.mask1);
    const level = priority >> (this.leastBpr + 1);
    const words = this.active[its];
    words[level >> 5] = words[level >> 5]! | (1 << (level & 31));
    this.running = priority;
    if (intid >= SGIS || core.version === 3) {
      core.activate(cpu, intid);
      return intid;
    }
    return intid | (core.activateSgi(cpu, intid) << 10);
  }

  /**
   * GICC_EOIR: the priority drops; unless EOImode splits it, the interrupt is deactivated. The field with an SGI's sender is
   * not looked at, as SGIs of one number have one active state; Xen leaves it empty.
   */
  endOfInterrupt(value: number): void {
    const intid = value & 0x3ff;
    if (intid >= this.core.intids || this.running === IDLE) return;
    this.end(intid, this.groupOf(intid));
  }

  /** GICC_AEOIR, ICC_EOIR0, ICC_EOIR1: nothing but for an interrupt of that group. GICv3 insists on the running one's. */
  endOfGroup(intid: number, group: Group): void {
    if (intid >= this.core.intids || this.running === IDLE || this.groupOf(intid) !== group) return;
    if (this.core.version === 3 && this.runningGroup !== group) return;
    this.end(intid, group);
  }

  private end(intid: number, group: Group): void {
    this.drop(group);
    if (!this.split) this.core.deactivate(this.cpu, intid);
    this.update();
  }

  private drop(group: Group): void {
    const words = this.active[group];
    for (let i = 0; i < this.aprs; i++) {
      const word = words[i]!;
      if (word === 0) continue;
      words[i] = word & (word - 1);
      break;
    }
    this.running = this.highest();
  }

  /** The highest priority that is taken. */
  private highest(): number {
    const [zero, one] = this.active;
    for (let i = 0; i < this.aprs; i++) {
      const word = (zero[i]! | one[i]!) >>> 0;
      if (word !== 0) return (i * 32 + lowestBit(word)) << (this.leastBpr + 1);
    }
    return IDLE;
  }

  private get runningGroup(): Group {
    const level = this.running >> (this.leastBpr + 1);
    return this.active[0][level >> 5]! & (1 << (level & 31)) ? 0 : 1;
  }

  /** GICC_DIR, ICC_DIR: no longer active. Nothing while EOIR does that. */
  deactivate(value: number): void {
    const intid = this.core.version === 2 ? value & 0x3ff : value;
    if (!this.split || intid >= this.core.intids) return;
    this.core.deactivate(this.cpu, intid);
  }

  // what registers tell

  /** RPR */
  get runningPriority(): number {
    return this.running === IDLE ? 0xff : this.running;
  }

  /** HPPIR: the best that is pending, whatever is running; on GICv2 only if CTLR and the mask let it through. */
  highestPending(group?: Group): number {
    const { core, cpu } = this;
    const intid = this.ready.best;
    if (intid === SPURIOUS || this.asleep) return SPURIOUS;
    if (core.version === 2 && (this.groups === 0 || this.ready.bestPriority >= this.pmr)) return SPURIOUS;
    const its = this.groupOf(intid);
    if (group !== undefined) return its === group ? intid : SPURIOUS;
    if (its === 1 && !this.ackCtl) return GROUP1_ONLY;
    return intid < SGIS ? intid | (core.senderOf(cpu, intid) << 10) : intid;
  }

  setPmr(value: number): void {
    this.pmr = value & this.core.priorityMask;
    this.update();
  }

  /** Groups that are signalled, as bits. */
  setGroups(groups: number): void {
    this.groups = groups;
    this.update();
    this.takePart();
  }

  /** What one CPU of many is to take may go to this one. */
  private takePart(): void {
    this.core.participate(this.cpu, !this.asleep && this.groups !== 0);
  }

  setAsleep(asleep: boolean): void {
    this.asleep = asleep;
    this.update();
    this.takePart();
  }

  bpr(group: Group): number {
    if (group === 0) return this.bpr0;
    return this.commonBpr && this.core.version === 3 ? Math.min(this.bpr0 + 1, 7) : this.bpr1;
  }

  setBpr(group: Group, value: number): void {
    if (group === 0) this.bpr0 = Math.max(value & 7, this.leastBpr);
    else if (!this.commonBpr || this.core.version === 2) this.bpr1 = Math.max(value & 7, this.leastBpr + 1);
    this.regroup();
  }

  /** How interrupts are ended, and by which binary point they preempt. */
  setMode(split: boolean, commonBpr: boolean): void {
    this.split = split;
    this.commonBpr = commonBpr;
    this.regroup();
  }

  /** GICv2: the rest of CTLR, before `setGroups`. */
  setControl(split: boolean, commonBpr: boolean, ackCtl: boolean, fiq: boolean): void {
    this.split = split;
    this.commonBpr = commonBpr;
    this.ackCtl = ackCtl;
    this.fiq = fiq;
    this.setMasks();
  }

  /** Which bits of a priority preempt. */
  private regroup(): void {
    this.setMasks();
    this.update();
  }

  private setMasks(): void {
    this.mask0 = (0xff << (this.bpr0 + 1)) & 0xff;
    this.mask1 = this.commonBpr ? this.mask0 : (0xff << this.bpr1) & 0xff;
  }

  apr(group: Group, n: number): number {
    return this.active[group][n] ?? 0;
  }

  setApr(group: Group, n: number, value: number): void {
    if (n >= this.aprs) return;
    this.active[group][n] = value;
    this.running = this.highest();
    this.update();
  }

  // to keep

  save(): Plain {
    const { groups, pmr, bpr0, bpr1, split, commonBpr, ackCtl, fiq, asleep } = this;
    return {
      numbers: [groups, pmr, bpr0, bpr1],
      flags: [split, commonBpr, ackCtl, fiq, asleep],
      active: [saveArray(this.active[0]), saveArray(this.active[1])],
    };
  }

  /** The core's state is back already. Nobody is told: who listens is restored too. */
  restore(state: Plain): void {
    const s = state as unknown as {
      numbers: [number, number, number, number];
      flags: [boolean, boolean, boolean, boolean, boolean];
      active: [number[], number[]];
    };
    [this.groups, this.pmr, this.bpr0, this.bpr1] = s.numbers;
    [this.split, this.commonBpr, this.ackCtl, this.fiq, this.asleep] = s.flags;
    restoreArray(this.active[0], s.active[0]);
    restoreArray(this.active[1], s.active[1]);
    this.setMasks();
    this.running = this.highest();
    this.signal = this.decide();
  }
}
