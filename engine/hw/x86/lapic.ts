/**
 * A local APIC (SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)"): requests, priorities, service and
 * end of interrupt; the local vector table and the timer; interrupt commands; registers at their page and, in
 * x2APIC mode, as MSRs. The same class serves physical processors and the virtual ones of KVM and Xen; where these
 * part from the manual lapic-options.ts says how.
 */
import { Bitmap } from '../../core/bits.ts';
import type { Clock } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';
import type { ApicBus } from './apic-bus.ts';
import {
  BASE_BSP,
  BASE_ENABLE,
  BASE_X2APIC,
  DEFAULT_BASE,
  Esr,
  Icr,
  LVT_MASKED,
  LVTS,
  Lvt,
  Mode,
  MSR_APIC_BASE,
  MSR_TSC_DEADLINE,
  MSR_X2APIC,
  MSR_X2APIC_LAST,
  Reg,
  Shorthand,
  SVR_ENABLE,
  TimerMode,
  X2APIC_ICR_RESERVED,
  x2apicLdr,
} from './apic-regs.ts';
import { ApicTimer } from './apic-timer.ts';
import type { Width } from './cpu.ts';
import type { LapicOptions } from './lapic-options.ts';

export interface LapicOutput {
  /** A request is new: the processor is to look. `vector` -1: not for a vector, but for the timer or an event. */
  request(vector: number): void;
  /** the timer has expired and is about to be delivered */
  expired?(): void;
  nmi?(): void;
  smi?(): void;
  init?(): void;
  startup?(vector: number): void;
  remoteRead?(): void;
  /**
   * Takes a vector over in place of IRR, as posted interrupts do; false: IRR takes it. Coalesced ones are told too.
   */
  deliver?(vector: number, level: boolean): boolean;
  /** each acceptance of a vector: false if that was requested already */
  accepted?(vector: number, fresh: boolean): void;
}

export interface LapicInit {
  readonly id: string;
  /** initial APIC ID */
  readonly apicId: number;
  /** the bootstrap processor's */
  readonly bsp: boolean;
  readonly options: LapicOptions;
  readonly bus: ApicBus;
  readonly output: LapicOutput;
  readonly clock: Clock;
  readonly tscKhz: number;
  /** a seventh LVT entry, for corrected machine checks */
  readonly cmci?: boolean;
  /** TSC-deadline mode (CPUID.01H:ECX bit 24) */
  readonly tscDeadline?: boolean;
}

/** What can be written of each LVT entry, in the order of LVTS; the timer's mode comes on top. */
const LVT_COMMON = Lvt.vector.mask | Lvt.sendPending.mask | Lvt.masked.mask;
const LVT_WITH_MODE = LVT_COMMON | Lvt.mode.mask;
const LVT_LINT = LVT_WITH_MODE | Lvt.polarity.mask | Lvt.remoteIrr.mask | Lvt.level.mask;
const LVT_MASKS = [LVT_COMMON, LVT_WITH_MODE, LVT_WITH_MODE, LVT_LINT, LVT_LINT, LVT_COMMON, LVT_WITH_MODE];

/** Registers that can be read, by offset / 16, beside the three bit maps. */
const READABLE = new Set<number>([
  Reg.ID,
  Reg.VERSION,
  Reg.TPR,
  Reg.PPR,
  Reg.LDR,
  Reg.SVR,
  Reg.ESR,
  Reg.ICR,
  Reg.LVT_TIMER,
  Reg.LVT_THERMAL,
  Reg.LVT_PERF,
  Reg.LVT_LINT0,
  Reg.LVT_LINT1,
  Reg.LVT_ERROR,
  Reg.TMICT,
  Reg.TMCCT,
  Reg.TDCR,
]);
/** those that x2APIC mode does not have */
const XAPIC_ONLY = new Set<number>([Reg.APR, Reg.DFR, Reg.ICR2]);

export class LocalApic implements Part {
  readonly id: string;
  readonly apicId: number;
  readonly irr = new Bitmap(256);
  readonly isr = new Bitmap(256);
  /** of the vectors requested or in service: 1 for level */
  readonly tmr = new Bitmap(256);
  /** the register page, a word for each 16 bytes; the three maps are above */
  readonly regs = new Uint32Array(64);
  /** ICR bits 63-32 in x2APIC mode */
  icrHigh = 0;
  /** IA32_APIC_BASE */
  base = 0;
  baseHigh = 0;
  readonly timer: ApicTimer;
  /** arbitration: lowest-priority messages accepted */
  arbitration = 0;
  /** errors since ESR was last written (manual, Xen) */
  errors = 0;
  private readonly options: LapicOptions;
  private readonly bus: ApicBus;
  private readonly output: LapicOutput;
  private readonly bsp: boolean;
  private readonly timerModes: number;
  /** highest requested, highest in service; -1 for none */
  private irrv = -1;
  private isrv = -1;

  constructor(init: LapicInit) {
    this.id = init.id;
    this.apicId = init.apicId;
    this.bsp = init.bsp;
    this.options = init.options;
    this.bus = init.bus;
    this.output = init.output;
    this.lvts = init.cmci ? 7 : 6;
    this.timerModes = init.tscDeadline === false ? 1 : 3;
    const { clock, options } = init;
    this.timer = new ApicTimer(
      () => clock.now,
      init.tscKhz,
      options.busCycle,
      options.leastPeriod,
      (alarm) => this.timerExpired(alarm),
    );
    this.timer.alarm = clock.task(`${init.id}.timer`, Priority.hardware, () => this.timer.ring());
    this.bus.add(this);
    this.reset(false);
  }

  private readonly lvts: number;

  // a message arrives

  /**
   * A message for this processor.
   * @param assert level: it is raised, not lowered
   * @returns 1 if it was taken, 0 if not
   */
  accept(mode: number, vector: number, assert: boolean, level: boolean): number {
    switch (mode) {
      case Mode.LOWEST:
        this.arbitration++;
        return this.acceptVector(vector, assert, level);
      case Mode.FIXED:
        return this.acceptVector(vector, assert, level);
      case Mode.REMOTE_READ:
        this.output.remoteRead?.();
        return 1;
      case Mode.SMI:
        this.output.smi?.();
        return 1;
      case Mode.NMI:
        this.output.nmi?.();
        return 1;
      case Mode.INIT:
        if (level && !assert) return 0;
        this.output.init?.();
        return 1;
      case Mode.SIPI:
        this.output.startup?.(vector);
        return 1;
      default:
        // ExtINT goes past the local APIC, to the 8259s
        return 0;
    }
  }

  private acceptVector(vector: number, assert: boolean, level: boolean): number {
    if ((level && !assert) || !this.enabled) return 0;
    if (vector < 16 && this.options.illegalVectors) {
      this.error(Esr.RECEIVE_ILLEGAL);
      return 0;
    }
    this.request(vector, level);
    return 1;
  }

  /** A vector is requested. False: the request bit was set already, the two are one. */
  request(vector: number, level = false): boolean {
    if (level) this.tmr.set(vector);
    else this.tmr.clear(vector);
    if (this.output.deliver?.(vector, level)) return true;
    const fresh = this.irr.set(vector);
    if (vector > this.irrv) this.irrv = vector;
    this.output.accepted?.(vector, fresh);
    if (fresh || this.options.timerWaits) this.output.request(vector);
    return fresh;
  }

  /** Merges posted requests into IRR: the highest then requested, and whether that one is new. */
  updateIrr(posted: Bitmap): { updated: boolean; highest: number } {
    let newest = -1;
    for (let w = 0; w < 8; w++) {
      const fresh = posted.words[w]! & ~this.irr.words[w]!;
      if (fresh !== 0) newest = w * 32 + 31 - Math.clz32(fresh);
      this.irr.words[w]! |= posted.words[w]!;
      posted.words[w] = 0;
    }
    this.irrv = this.irr.highest();
    return { updated: newest >= 0 && newest === this.irrv, highest: this.irrv };
  }

  // the processor takes it

  /** The vector that the processor would take now; -1 for none. */
  deliverable(): number {
    const { irrv } = this;
    if (irrv < 0 || (this.base & BASE_ENABLE) === 0) return -1;
    return (irrv & 0xf0) > this.updatePpr() ? irrv : -1;
  }

  /** PPR: the higher class of TPR and the vector in service. */
  updatePpr(): number {
    const tpr = this.regs[Reg.TPR >> 4]!;
    const isr = this.isrv < 0 ? 0 : this.isrv;
    const ppr = (tpr & 0xf0) >= (isr & 0xf0) ? tpr & 0xff : isr & 0xf0;
    this.regs[Reg.PPR >> 4] = ppr;
    return ppr;
  }

  /** The processor acknowledges the highest request: IRR to ISR. -1: there is none. */
  ack(): number {
    const vector = this.deliverable();
    if (vector < 0) return -1;
    this.irr.clear(vector);
    this.irrv = this.irr.highest();
    this.isr.set(vector);
    this.isrv = vector;
    this.updatePpr();
    return vector;
  }

  /** End of interrupt: the highest in service is over. The answer is its vector, -1 for none. */
  eoi(): number {
    const vector = this.isrv;
    if (vector < 0) return -1;
    this.isr.clear(vector);
    this.isrv = this.isr.highest();
    this.updatePpr();
    this.bus.eoi(this, vector, this.tmr.has(vector));
    if (this.irrv >= 0) this.output.request(-1);
    return vector;
  }

  /** IRR or ISR were changed by the processor itself (virtual-interrupt delivery). */
  changed(): void {
    this.irrv = this.irr.highest();
    this.isrv = this.isr.highest();
  }

  /** The highest vector requested, and in service; -1 for none. */
  get highestRequest(): number {
    return this.irrv;
  }

  get highestInService(): number {
    return this.isrv;
  }

  // its own sources

  /** An input of the local vector table is raised. 1 if it was taken. */
  deliverLocal(offset: number): number {
    const entry = this.regs[offset >> 4]!;
    if (!this.hardwareEnabled || entry & LVT_MASKED) return 0;
    const taken = this.accept(Lvt.mode.get(entry), entry & 0xff, true, Lvt.level.has(entry));
    if (taken && offset === Reg.LVT_PERF && this.options.perfMasksItself) {
      this.regs[offset >> 4] = entry | LVT_MASKED;
    }
    return taken;
  }

  private timerExpired(alarm: boolean): void {
    if (!this.options.timerWaits) {
      this.output.expired?.();
      this.deliverLocal(Reg.LVT_TIMER);
      this.timer.delivered();
      return;
    }
    if (this.timer.pending > 0) return;
    this.timer.pending = 1;
    if (alarm) this.output.request(-1);
  }

  /** Has the timer expired, and could LVTT be delivered? (apic_has_pending_timer) */
  get timerPending(): boolean {
    return this.timer.pending > 0 && this.enabled && !(this.regs[Reg.LVT_TIMER >> 4]! & LVT_MASKED);
  }

  /** On the way into the guest: a timer that has expired is delivered (kvm_inject_apic_timer_irqs). */
  injectPendingTimer(): void {
    if (!this.timerPending) return;
    this.deliverLocal(Reg.LVT_TIMER);
    this.timer.delivered();
  }

  /** Does LINT0 let the 8259s through? */
  get acceptsPic(): boolean {
    const lint0 = this.regs[Reg.LVT_LINT0 >> 4]!;
    return !this.hardwareEnabled || (!(lint0 & LVT_MASKED) && Lvt.mode.get(lint0) === Mode.EXTINT);
  }

  private error(bit: number): void {
    this.errors |= bit;
    this.deliverLocal(Reg.LVT_ERROR);
  }

  // commands

  /** The ICR was written. */
  private command(low: number, destination: number): void {
    this.bus.send(
      this,
      destination,
      Icr.logical.has(low),
      Icr.mode.get(low),
      low & 0xff,
      Icr.assert.has(low),
      Icr.level.has(low),
      Icr.shorthand.get(low),
      false,
    );
  }

  // modes and identity

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
    return (this.base & (BASE_X2APIC | BASE_ENABLE)) === (BASE_X2APIC | BASE_ENABLE);
  }

  /** The ID register's ID in xAPIC mode. */
  get xapicId(): number {
    return this.regs[Reg.ID >> 4]! >>> 24;
  }

  reg(offset: number): number {
    return this.regs[offset >> 4]!;
  }

  get tpr(): number {
    return this.regs[Reg.TPR >> 4]!;
  }

  /** As it was last worked out. */
  get ppr(): number {
    return this.regs[Reg.PPR >> 4]!;
  }

  set tpr(value: number) {
    this.regs[Reg.TPR >> 4] = value & 0xff;
    if (this.hardwareEnabled) this.updatePpr();
    if (this.irrv >= 0) this.output.request(-1);
  }

  /** Power-up reset; `init`: an INIT, which leaves IA32_APIC_BASE and the ID as they are. */
  reset(init: boolean): void {
    const { regs } = this;
    if (!init) {
      this.setBase(DEFAULT_BASE | BASE_ENABLE | (this.bsp ? BASE_BSP : 0), 0);
      regs[Reg.ID >> 4] = this.apicId << 24;
    }
    this.timer.alarm.cancel();
    regs[Reg.VERSION >> 4] = this.options.version | ((this.lvts - 1) << 16);
    for (let i = 0; i < this.lvts; i++) regs[LVTS[i]! >> 4] = LVT_MASKED;
    this.timerModeChanged();
    if (this.bsp && this.options.lint0Reenabled) regs[Reg.LVT_LINT0 >> 4] = Mode.EXTINT << 8;
    regs[Reg.DFR >> 4] = 0xffff_ffff;
    regs[Reg.SVR >> 4] = 0xff;
    regs[Reg.TPR >> 4] = 0;
    if (!this.x2apic) {
      regs[Reg.LDR >> 4] = 0;
      regs[Reg.ICR2 >> 4] = 0;
    } else this.icrHigh = 0;
    regs[Reg.ICR >> 4] = 0;
    regs[Reg.ESR >> 4] = 0;
    regs[Reg.TDCR >> 4] = 0;
    regs[Reg.TMICT >> 4] = 0;
    for (const map of [this.irr, this.isr, this.tmr]) map.words.fill(0);
    this.changed();
    this.timer.divisor = divisorOf(0);
    this.timer.pending = 0;
    this.updatePpr();
    this.arbitration = 0;
    this.errors = 0;
    this.bus.changed();
  }

  private setBase(low: number, high: number): void {
    const flips = this.base ^ low;
    this.base = low;
    this.baseHigh = high;
    if (flips & BASE_ENABLE && low & BASE_ENABLE) this.regs[Reg.ID >> 4] = this.apicId << 24;
    if (flips & BASE_X2APIC) {
      if (low & BASE_X2APIC) {
        this.regs[Reg.ID >> 4] = this.apicId;
        this.regs[Reg.LDR >> 4] = x2apicLdr(this.apicId);
      } else if (low & BASE_ENABLE) this.regs[Reg.ID >> 4] = this.apicId << 24;
    }
  }

  /** WRMSR of IA32_APIC_BASE; false: reserved bits, or a change of mode that there is none of. */
  private writeBase(low: number, high: number): boolean {
    if (low & 0x2ff || high & ~0xff || (low & (BASE_X2APIC | BASE_ENABLE)) === BASE_X2APIC) return false;
    const x2apic = (low & BASE_X2APIC) !== 0;
    if (this.x2apic && !x2apic && low & BASE_ENABLE) return false;
    if (!this.hardwareEnabled && x2apic) return false;
    this.setBase(low, high);
    this.bus.changed();
    return true;
  }

  // registers at their page

  /** A load of `width` bytes; null: nothing is put on the bus, as for reserved registers. */
  read(offset: number, width: Width): number | null {
    if (!this.hardwareEnabled || this.x2apic) return width >= 4 ? 0xffff_ffff : (1 << (width * 8)) - 1;
    const within = offset & 0xf;
    if (within + width > 4) return null;
    const value = this.readRegister(offset & ~0xf);
    if (value === null) return null;
    return width === 4 ? value : (value >>> (within * 8)) & ((1 << (width * 8)) - 1);
  }

  /** A store; only aligned ones of 32 bits are taken. */
  write(offset: number, value: number, width: Width = 4): void {
    if (!this.hardwareEnabled || this.x2apic || width !== 4 || offset & 0xf) return;
    this.writeRegister(offset, value >>> 0);
  }

  /** Null: not readable. */
  private readRegister(offset: number): number | null {
    if (offset >= Reg.ISR && offset < Reg.ESR) {
      const map = offset < Reg.TMR ? this.isr : offset < Reg.IRR ? this.tmr : this.irr;
      return map.words[(offset >> 4) & 7]! >>> 0;
    }
    if (!this.readable(offset)) return null;
    if (offset === Reg.TMCCT) return this.timer.count(this.regs[Reg.TMICT >> 4]!);
    if (offset === Reg.PPR && this.hardwareEnabled) return this.updatePpr();
    return this.regs[offset >> 4]!;
  }

  private readable(offset: number): boolean {
    if (READABLE.has(offset)) return true;
    if (offset === Reg.LVT_CMCI) return this.lvts === 7;
    return XAPIC_ONLY.has(offset) && !this.x2apic;
  }

  /** False: there is no such register, or it cannot be written (#GP as an MSR). */
  private writeRegister(offset: number, value: number): boolean {
    const { regs, x2apic } = this;
    switch (offset) {
      case Reg.ID:
        if (x2apic) return false;
        regs[Reg.ID >> 4] = value & 0xff00_0000;
        this.bus.changed();
        return true;
      case Reg.TPR:
        this.tpr = value;
        return true;
      case Reg.EOI:
        this.eoi();
        return true;
      case Reg.LDR:
        if (x2apic) return false;
        regs[Reg.LDR >> 4] = value & 0xff00_0000;
        this.bus.changed();
        return true;
      case Reg.DFR:
        if (x2apic) return false;
        regs[Reg.DFR >> 4] = value | 0x0fff_ffff;
        this.bus.changed();
        return true;
      case Reg.SVR:
        this.writeSvr(value);
        return true;
      case Reg.ESR:
        if (x2apic && value !== 0) return false;
        regs[Reg.ESR >> 4] = this.errors;
        this.errors = 0;
        return true;
      case Reg.ICR: {
        const low = value & ~Icr.busy.mask;
        this.command(low, regs[Reg.ICR2 >> 4]! >>> 24);
        regs[Reg.ICR >> 4] = low;
        return true;
      }
      case Reg.ICR2:
        if (x2apic) return false;
        regs[Reg.ICR2 >> 4] = value & 0xff00_0000;
        return true;
      case Reg.TMICT:
        if (this.timer.mode === TimerMode.TSC_DEADLINE) return true;
        this.timer.cancel();
        regs[Reg.TMICT >> 4] = value;
        this.timer.start(value);
        return true;
      case Reg.TDCR:
        regs[Reg.TDCR >> 4] = value & 0xb;
        this.timer.setDivisor(divisorOf(value), regs[Reg.TMICT >> 4]!);
        return true;
      case Reg.SELF_IPI:
        if (!x2apic || value > 0xff) return false;
        this.command((Shorthand.SELF << 18) | (value & 0xff), 0);
        return true;
      default:
        return this.writeLvt(offset, value);
    }
  }

  private writeSvr(value: number): void {
    const was = this.softwareEnabled;
    this.regs[Reg.SVR >> 4] = value & this.options.svrMask;
    if (this.softwareEnabled !== was) this.bus.changed();
    if (this.softwareEnabled) return;
    for (let i = 0; i < this.lvts; i++) this.regs[LVTS[i]! >> 4]! |= LVT_MASKED;
    this.timerModeChanged();
    this.timer.pending = 0;
  }

  private writeLvt(offset: number, value: number): boolean {
    const index = LVTS.indexOf(offset as (typeof LVTS)[number]);
    if (index < 0 || index >= this.lvts) return false;
    let entry = value & LVT_MASKS[index]!;
    if (offset === Reg.LVT_TIMER) entry |= value & (this.timerModes << 17);
    if (!this.softwareEnabled) entry |= LVT_MASKED;
    this.regs[offset >> 4] = entry;
    if (offset === Reg.LVT_TIMER) this.timerModeChanged();
    return true;
  }

  private timerModeChanged(): void {
    const mode = (this.regs[Reg.LVT_TIMER >> 4]! >>> 17) & this.timerModes;
    if (this.timer.setMode(mode)) this.regs[Reg.TMICT >> 4] = 0;
  }

  // registers as MSRs

  /** False: #GP. */
  wrmsr(msr: number, low: number, high: number): boolean {
    if (msr === MSR_APIC_BASE) return this.writeBase(low, high);
    if (msr === MSR_TSC_DEADLINE) {
      if (this.hardwareEnabled) this.timer.setDeadline(low, high);
      return true;
    }
    if (msr < MSR_X2APIC || msr > MSR_X2APIC_LAST || !this.x2apic) return false;
    const offset = (msr - MSR_X2APIC) << 4;
    if (offset === Reg.ICR) {
      if (low & X2APIC_ICR_RESERVED) return false;
      const command = low & ~Icr.busy.mask;
      this.command(command, high);
      this.regs[Reg.ICR >> 4] = command;
      this.icrHigh = high;
      return true;
    }
    return high === 0 && this.writeRegister(offset, low);
  }

  /** Undefined: #GP. */
  rdmsr(msr: number): readonly [low: number, high: number] | undefined {
    if (msr === MSR_APIC_BASE) return [this.base >>> 0, this.baseHigh];
    if (msr === MSR_TSC_DEADLINE) {
      const { low, high } = this.hardwareEnabled ? this.timer.deadline : { low: 0, high: 0 };
      return [low, high];
    }
    if (msr < MSR_X2APIC || msr > MSR_X2APIC_LAST || !this.x2apic) return undefined;
    const offset = (msr - MSR_X2APIC) << 4;
    if (offset === Reg.ICR) return [this.regs[Reg.ICR >> 4]!, this.icrHigh];
    const value = this.readRegister(offset);
    return value === null ? undefined : [value, 0];
  }

  /**
   * Takes its own image back, as a migration does (KVM_GET_LAPIC, KVM_SET_LAPIC): the timer goes on from its count,
   * arbitration starts anew; in x2APIC mode the halves of the ICR pass through the page of xAPIC mode.
   */
  reload(): void {
    const { regs } = this;
    const count = this.timer.count(regs[Reg.TMICT >> 4]!);
    if (this.x2apic) {
      regs[Reg.ICR2 >> 4] = this.icrHigh;
      regs[Reg.LDR >> 4] = x2apicLdr(regs[Reg.ID >> 4]!);
    }
    this.bus.changed();
    if (this.hardwareEnabled) this.updatePpr();
    this.timer.cancel();
    this.timerModeChanged();
    this.timer.divisor = divisorOf(regs[Reg.TDCR >> 4]!);
    this.timer.start(regs[Reg.TMICT >> 4]!, count);
    this.arbitration = 0;
  }

  /** Registers other than the maps and priorities, under the names that Linux has for them. */
  inspect(): (readonly [name: string, value: number])[] {
    const at = (offset: number) => this.regs[offset >> 4]!;
    return [
      ['ID', at(Reg.ID)],
      ['LDR', at(Reg.LDR)],
      ['DFR', at(Reg.DFR)],
      ['SVR', at(Reg.SVR)],
      ['ESR', at(Reg.ESR)],
      ['ICR', at(Reg.ICR)],
      ['ICR2', this.x2apic ? this.icrHigh : at(Reg.ICR2)],
      ['LVTT', at(Reg.LVT_TIMER)],
      ['LVTTHMR', at(Reg.LVT_THERMAL)],
      ['LVTPC', at(Reg.LVT_PERF)],
      ['LVT0', at(Reg.LVT_LINT0)],
      ['LVT1', at(Reg.LVT_LINT1)],
      ['LVTERR', at(Reg.LVT_ERROR)],
      ['TMICT', at(Reg.TMICT)],
      ['TMCCT', this.timer.count(at(Reg.TMICT))],
      ['TDCR', at(Reg.TDCR)],
    ];
  }

  save(): Plain {
    return {
      maps: [saveArray(this.irr.words), saveArray(this.isr.words), saveArray(this.tmr.words)],
      regs: saveArray(this.regs),
      rest: [this.icrHigh, this.base, this.baseHigh, this.arbitration, this.errors],
      timer: this.timer.save(),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      maps: [number[], number[], number[]];
      regs: number[];
      rest: [number, number, number, number, number];
      timer: Plain;
    };
    restoreArray(this.irr.words, s.maps[0]);
    restoreArray(this.isr.words, s.maps[1]);
    restoreArray(this.tmr.words, s.maps[2]);
    restoreArray(this.regs, s.regs);
    [this.icrHigh, this.base, this.baseHigh, this.arbitration, this.errors] = s.rest;
    this.timer.restore(s.timer);
    this.changed();
    this.bus.forget();
  }
}

/** TDCR bits 3, 1 and 0 as a divisor (SDM, "Divide Configuration Register"). */
function divisorOf(tdcr: number): number {
  return 1 << ((((tdcr & 3) | ((tdcr & 8) >> 1)) + 1) & 7);
}
