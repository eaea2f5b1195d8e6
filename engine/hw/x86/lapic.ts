/**
 * A local APIC (SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)"): messages that arrive, its own
 * sources in the local vector table (apic-lvt.ts), commands to others, modes (apic-modes.ts). Requests and priorities are in
 * apic-priority.ts, the registers as software sees them in lapic-registers.ts. The same class serves physical processors and the virtual
 * ones of KVM and Xen; where these part from the manual lapic-options.ts says how.
 */
import type { Clock } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';
import type { ApicBus } from './apic-bus.ts';
import { divisorOf, LocalVectorTable } from './apic-lvt.ts';
import {
  BASE_BSP,
  BASE_ENABLE,
  BASE_X2APIC,
  DEFAULT_BASE,
  Esr,
  FIRST_VECTOR,
  Icr,
  LVT_MASKED,
  LVTS,
  Mode,
  Reg,
  x2apicLdr,
} from './apic-regs.ts';
import { type Alarm, ApicTimer, type LapicTimer } from './apic-timer.ts';
import type { Width } from './cpu.ts';
import type { LapicOptions } from './lapic-options.ts';
import { load, rdmsr, store, wrmsr } from './lapic-registers.ts';

export interface LapicOutput {
  /** A request is new: the processor is to look. `vector` -1: not for a vector, but for the timer or an event. */
  request(vector: number): void;
  /** the timer has expired and is about to be delivered */
  expired?(): void;
  nmi?(): void;
  smi?(): void;
  init?(): void;
  startup?(vector: number): void;
  /** A command of its ICR: true if it is carried out elsewhere, later, as Xen does with INIT and SIPI. */
  command?(low: number, destination: number): boolean;
  remoteRead?(): void;
  /**
   * Takes a vector over in place of IRR, as posted interrupts do; false: IRR takes it. Coalesced ones are told too.
   */
  deliver?(vector: number, level: boolean): boolean;
  /** a message has come, whatever will become of it */
  message?(mode: number, vector: number, level: boolean): void;
  /** each acceptance of a vector: false if that was requested already */
  accepted?(vector: number, fresh: boolean): void;
  /** SVR was written, and the APIC is software-enabled now */
  softwareEnabled?(): void;
  /** an entry of the local vector table was written */
  lvt?(offset: number): void;
  /** IA32_APIC_BASE has enabled or disabled it */
  switched?(): void;
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
  /** what wakes its timer; a task of the clock unless given */
  readonly alarm?: (ring: () => void) => Alarm;
  /** another timer than its own */
  readonly timer?: (apic: LocalApic) => LapicTimer;
  /** a seventh LVT entry, for corrected machine checks */
  readonly cmci?: boolean;
  /** TSC-deadline mode (CPUID.01H:ECX bit 24) */
  readonly tscDeadline?: boolean;
}

export class LocalApic extends LocalVectorTable implements Part {
  readonly id: string;
  readonly apicId: number;
  override readonly timer: LapicTimer;
  /** arbitration: lowest-priority messages accepted */
  arbitration = 0;
  private readonly bus: ApicBus;
  private readonly bsp: boolean;

  constructor(init: LapicInit) {
    super(init);
    this.id = init.id;
    this.apicId = init.apicId;
    this.bsp = init.bsp;
    this.bus = init.bus;
    this.timer = init.timer?.(this) ?? this.ownTimer(init);
    this.bus.add(this);
    this.reset(false);
  }

  private ownTimer({ id, clock, tscKhz, options, alarm }: LapicInit): ApicTimer {
    const task = (ring: () => void) => clock.task(`${id}.timer`, Priority.hardware, ring);
    return new ApicTimer(
      () => clock.now,
      tscKhz,
      options,
      alarm ?? task,
      (rang) => this.timerExpired(rang),
    );
  }

  // a message arrives

  /**
   * A message for this processor.
   * @param assert level: it is raised, not lowered
   * @returns 1 if it was taken, 0 if not
   */
  override accept(mode: number, vector: number, assert: boolean, level: boolean): number {
    this.output.message?.(mode, vector, level);
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
    return (level && !assert) || !this.enabled || !this.setIrq(vector, level) ? 0 : 1;
  }

  /** A vector is requested, whether the APIC is enabled or not. False: there is no such vector (vlapic_set_irq). */
  setIrq(vector: number, level = false): boolean {
    if (vector < FIRST_VECTOR && this.options.illegalVectors) {
      this.error(Esr.RECEIVE_ILLEGAL);
      return false;
    }
    this.request(vector, level);
    return true;
  }

  /** A vector is requested. False: the request bit was set already, the two are one. */
  override request(vector: number, level = false): boolean {
    if (level) this.tmr.set(vector);
    else if (!this.options.tmrUntilEoi) this.tmr.clear(vector);
    if (this.output.deliver?.(vector, level)) return true;
    const fresh = this.irr.set(vector);
    if (vector > this.irrv) this.irrv = vector;
    this.output.accepted?.(vector, fresh);
    if (fresh || this.options.kicksAgain) this.output.request(vector);
    return fresh;
  }

  /** The highest vector requested, if its class is above what is in service, TPR aside; -1 for none (vlapic_has_pending_irq). */
  requestAboveService(): number {
    const { irrv, isrv } = this;
    return this.enabled && irrv >= 0 && irrv >> 4 > isrv >> 4 ? irrv : -1;
  }

  /** End of interrupt: the highest in service is over. The answer is its vector, -1 for none. */
  eoi(): number {
    const vector = this.endService();
    if (vector < 0) return -1;
    const level = this.tmr.has(vector);
    if (this.options.tmrUntilEoi) this.tmr.clear(vector);
    this.bus.eoi(this, vector, level);
    if (this.irrv >= 0) this.output.request(-1);
    return vector;
  }

  get tpr(): number {
    return this.reg(Reg.TPR);
  }

  set tpr(value: number) {
    this.regs[Reg.TPR >> 4] = value & 0xff;
    if (this.hardwareEnabled) this.updatePpr();
    if (this.irrv >= 0) this.output.request(-1);
  }

  // commands

  /** The ICR was written. */
  command(low: number, destination: number): void {
    if (this.output.command?.(low, destination)) return;
    const mode = Icr.mode.get(low);
    let level = Icr.level.has(low);
    let assert = Icr.assert.has(low);
    if (mode <= Mode.LOWEST) {
      if ((low & 0xff) < FIRST_VECTOR && this.options.illegalVectors) {
        this.illegalCommand(low, destination);
        return;
      }
      if (!this.options.levelCommands) level = false;
      else if (this.options.levelCommands === 'both') assert = true;
    }
    const logical = Icr.logical.has(low);
    const shorthand = Icr.shorthand.get(low);
    this.bus.send(this, destination, logical, mode, low & 0xff, assert, level, shorthand, false);
  }

  private illegalCommand(low: number, destination: number): void {
    // whom lowest priority would have chosen has had its turn all the same
    if (Icr.mode.get(low) === Mode.LOWEST) {
      this.bus.lowest(this, destination, Icr.logical.has(low), Icr.shorthand.get(low), low & 0xff);
    }
    this.error(Esr.SEND_ILLEGAL);
  }

  // modes and identity

  /** A register that decides on destinations has changed. */
  readdressed(): void {
    this.bus.changed();
  }

  /** Power-up reset; `init`: an INIT, which leaves IA32_APIC_BASE and the ID as they are. */
  reset(init: boolean): void {
    if (!init) {
      this.base = DEFAULT_BASE | BASE_ENABLE | (this.bsp ? BASE_BSP : 0);
      this.baseHigh = 0;
      this.regs[Reg.ID >> 4] = this.apicId << 24;
    }
    this.resetRegisters();
    this.readdressed();
  }

  private resetRegisters(): void {
    const { regs } = this;
    this.timer.stop();
    regs[Reg.TMICT >> 4] = 0;
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
    regs[Reg.TDCR >> 4] = 0;
    for (const map of [this.irr, this.isr, this.tmr]) map.words.fill(0);
    this.changed();
    this.timer.reset();
    this.updatePpr();
    this.arbitration = 0;
    if (this.options.esrSurvives) return;
    regs[Reg.ESR >> 4] = 0;
    this.errors = 0;
  }

  /** IA32_APIC_BASE changes, in a way that there is. */
  setBase(low: number, high: number): void {
    const flips = (this.base ^ low) & (BASE_ENABLE | BASE_X2APIC);
    const { regs, apicId } = this;
    if (flips & low & BASE_ENABLE && this.options.enablingResets) this.resetRegisters();
    this.base = low;
    this.baseHigh = high;
    if (flips & BASE_ENABLE) this.output.switched?.();
    if (flips === 0) return;
    if (flips & low & BASE_X2APIC && this.options.hasX2apic) {
      regs[Reg.ID >> 4] = apicId;
      regs[Reg.LDR >> 4] = x2apicLdr(this.options.ldrOfHalfId ? apicId >> 1 : apicId);
    } else if (low & BASE_ENABLE) regs[Reg.ID >> 4] = apicId << 24;
    this.readdressed();
  }

  // registers with more behind them than their value

  writeSvr(value: number): void {
    const was = this.softwareEnabled;
    this.regs[Reg.SVR >> 4] = value;
    if (this.softwareEnabled !== was) this.readdressed();
    if (this.softwareEnabled) {
      this.output.softwareEnabled?.();
      return;
    }
    for (let i = 0; i < this.lvts; i++) this.regs[LVTS[i]! >> 4]! |= LVT_MASKED;
    this.timer.disabled();
  }

  // registers as software reaches them

  /** A load from the page; null: nothing is put on the bus. */
  read(offset: number, width: Width): number | null {
    return load(this, offset, width);
  }

  /** A store to the page. */
  write(offset: number, value: number, width: Width = 4): void {
    store(this, offset, value, width);
  }

  /** False: #GP. */
  wrmsr(msr: number, low: number, high: number): boolean {
    return wrmsr(this, msr, low, high);
  }

  /** Undefined: #GP. */
  rdmsr(msr: number): readonly [low: number, high: number] | undefined {
    return rdmsr(this, msr);
  }

  // to look at, and to keep

  /** Registers other than the maps and priorities, under the names that Linux has for them. */
  inspect(): (readonly [name: string, value: number])[] {
    const at = (offset: number) => this.reg(offset);
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

  /**
   * Takes its own image back, as a migration does (KVM_GET_LAPIC, KVM_SET_LAPIC): the timer goes on from its count,
   * arbitration starts anew; in x2APIC mode the halves of the ICR pass through the page of xAPIC mode.
   */
  reload(): void {
    const { regs } = this;
    const count = this.timer.count(this.reg(Reg.TMICT));
    if (this.x2apic) {
      regs[Reg.ICR2 >> 4] = this.icrHigh;
      regs[Reg.LDR >> 4] = x2apicLdr(this.reg(Reg.ID));
    }
    this.readdressed();
    if (this.hardwareEnabled) this.updatePpr();
    this.timer.cancel();
    this.timerModeChanged();
    this.timer.resume(this.reg(Reg.TMICT), count, divisorOf(this.reg(Reg.TDCR)));
    this.arbitration = 0;
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
