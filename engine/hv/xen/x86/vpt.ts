/**
 * The virtual platform timers of an HVM guest (xen/arch/x86/hvm/vpt.c): a timer that expires only counts a tick; on the
 * way into the guest one tick is raised as an interrupt, and once that is injected the next is. What becomes of ticks
 * that were missed while the virtual CPU did not run, or was too busy, is the guest's timer mode.
 */
import type { Ns } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { TickService } from '../../../core/ticks.ts';
import { GuestTime } from './guest-time.ts';
import type { HvmChips } from './hvm-chips.ts';
import type { HvmIrq, IntAck } from './hvm-irq.ts';
import { PeriodicTime, type PtSource, type TickTaken, type VptTimer } from './periodic-time.ts';
import { PtInputs } from './pt-inputs.ts';

/** HVM_PARAM_TIMER_MODE, in the order of its values. */
export const TIMER_MODES = [
  'delay_for_missed_ticks',
  'no_delay_for_missed_ticks',
  'no_missed_ticks_pending',
  'one_missed_tick_pending',
] as const;

export type PtMode = (typeof TIMER_MODES)[number];

/** no periodic timer is faster */
const SHORTEST: Ns = 100_000;

export interface VptHost {
  /** system time (NOW) */
  now(): Ns;
  /** One of Xen's timers; `expired` is called in its softirq. */
  timer(name: string, expired: () => void): VptTimer;
}

export interface VptInit {
  /** of the domain */
  readonly name: string;
  readonly irq: HvmIrq;
  readonly chips: HvmChips;
  readonly host: VptHost;
  readonly mode?: PtMode;
  /** ticks of all periodic timers fall on multiples of their period (HVM_PARAM_VPT_ALIGN) */
  readonly align?: boolean;
}

export interface IsaTicks extends TickService {
  readonly pt: PeriodicTime;
}

export class Vpt implements Part {
  readonly id: string;
  readonly mode: PtMode;
  readonly time: GuestTime;
  private readonly all: PeriodicTime[] = [];
  /** per virtual CPU: those it looks at, the newest first (tm_list) */
  private readonly lists: PeriodicTime[][] = [];
  private readonly name: string;
  private readonly inputs: PtInputs;
  private readonly chips: HvmChips;
  private readonly host: VptHost;
  private readonly align: boolean;
  /** a tick is due once the one before was taken; else as soon as its time has come (3.4) */
  private readonly waits: boolean;

  constructor(init: VptInit) {
    this.id = `${init.name}.vpt`;
    this.name = init.name;
    this.inputs = new PtInputs(init.chips, init.irq);
    this.chips = init.chips;
    this.host = init.host;
    this.mode = init.mode ?? 'no_delay_for_missed_ticks';
    this.align = init.align === true;
    this.waits = init.chips.options.ticksWait;
    this.time = new GuestTime(() => init.host.now(), init.chips.options.strictTime);
    init.chips.unmasked = () => this.mayUnmask();
    init.chips.retargeted = (vcpu) => this.retarget(vcpu);
  }

  /** A timer of this guest. To be made in the same order in every build of the machine. */
  periodicTime(name: string, source: PtSource, taken: TickTaken, keepsMasked = false): PeriodicTime {
    const pt = new PeriodicTime(name, source, taken, keepsMasked);
    pt.timer = this.host.timer(`${this.name}.${name}`, () => this.expired(pt));
    this.all.push(pt);
    return pt;
  }

  /**
   * What a device is given in place of a timer of its own: ticks by an interrupt of ISA, for the virtual CPU that takes
   * the 8259s' interrupts (pt_global_vcpu_target).
   */
  isaTicks(name: string, irq: number, taken: () => void, keepsMasked = false): IsaTicks {
    const pt = this.periodicTime(name, 'isa', taken, keepsMasked);
    const { chips } = this;
    return {
      pt,
      start: (delta, period) => this.create(chips.target, pt, delta, period, irq),
      stop: () => this.destroy(pt),
      tick: () => this.tick(pt),
      now: () => this.time.look(chips.target),
    };
  }

  /** System time. */
  get now(): Ns {
    return this.host.now();
  }

  private list(vcpu: number): PeriodicTime[] {
    this.lists[vcpu] ??= [];
    return this.lists[vcpu];
  }

  // set, and stopped

  /**
   * create_periodic_time: the first tick after `delta`, and one after each `period`; 0: no other.
   * @param irq vector, ISA interrupt or GSI, as its source is
   * @param level its GSI is held until the guest ends it; one-shot timers of a GSI alone
   */
  create(vcpu: number, pt: PeriodicTime, delta: Ns, period: Ns, irq: number, level = false): void {
    this.destroy(pt);
    pt.pending = 0;
    pt.doNotFreeze = false;
    pt.issued = false;
    if (period > 0 && period < SHORTEST) pt.tooShort++;
    pt.period = period > 0 ? Math.max(period, SHORTEST) : 0;
    pt.vcpu = vcpu;
    pt.lastTick = this.time.of(vcpu);
    pt.irq = irq;
    pt.level = level;
    pt.scheduled = this.host.now() + delta;
    if (!pt.oneShot) this.place(pt, delta);
    pt.timer.at(pt.scheduled, vcpu);
    this.enlist(pt);
  }

  /** Ticks of a local APIC fall between those of others, lest a guest accounts for time by the wrong ones. */
  private place(pt: PeriodicTime, delta: Ns): void {
    const { period } = pt;
    if (this.align) pt.scheduled = Math.ceil(pt.scheduled / period) * period;
    else if (pt.source === 'lapic') pt.scheduled += Math.floor(delta / 2);
  }

  /** destroy_periodic_time */
  destroy(pt: PeriodicTime): void {
    if (!pt.known) return;
    this.delist(pt);
    if (this.waits) pt.pending = 0;
    pt.timer.cancel();
  }

  /** Does it make ticks, or has made some that wait? (pt_active) */
  isActive(pt: PeriodicTime): boolean {
    return pt.onList || (this.waits && pt.pending > 0);
  }

  private enlist(pt: PeriodicTime): void {
    pt.onList = true;
    this.list(pt.vcpu).unshift(pt);
  }

  private delist(pt: PeriodicTime): void {
    if (!pt.onList) return;
    pt.onList = false;
    const list = this.list(pt.vcpu);
    list.splice(list.indexOf(pt), 1);
  }

  // a tick

  /** pt_timer_fn: a tick is due. */
  private expired(pt: PeriodicTime): void {
    this.chips.hop('pt_timer_fn', pt.vcpu, pt.irq);
    pt.pending++;
    pt.doNotFreeze = false;
    if (this.waits) pt.scheduled += pt.period;
    else if (!pt.oneShot) {
      pt.scheduled += pt.period;
      this.processMissedTicks(pt);
      pt.timer.at(pt.scheduled, pt.vcpu);
    }
    if (this.waits || !this.inputs.isMasked(pt)) this.chips.output.kick(pt.vcpu);
  }

  /** One more at once, whatever its timer says. */
  private tick(pt: PeriodicTime): void {
    if (!pt.onList) return;
    pt.pending++;
    this.chips.output.kick(pt.vcpu);
  }

  /** pt_process_missed_ticks: those that were due by now. */
  private processMissedTicks(pt: PeriodicTime): void {
    const late = this.host.now() - pt.scheduled;
    if (pt.oneShot || late <= 0) return;
    const missed = Math.floor(late / pt.period) + 1;
    if (this.mode === 'no_missed_ticks_pending') pt.doNotFreeze = pt.pending === 0;
    else pt.pending += missed;
    pt.scheduled += missed * pt.period;
  }

  /** Does a tick of this virtual CPU wait to be injected? */
  hasTick(vcpu: number): boolean {
    return this.list(vcpu).some((pt) => pt.pending > 0);
  }

  /**
   * On the way into the guest: of all ticks that wait, that of the timer that lags most is raised (pt_update_irq).
   * @returns its vector, if it is requested at the local APIC; else -1
   */
  updateIrq(vcpu: number): number {
    const pt = this.mostBehind(vcpu);
    if (!pt) return -1;
    pt.issued = true;
    this.chips.hop('pt_update_irq', vcpu, pt.irq);
    const vector = this.inputs.raise(vcpu, pt);
    // a level was taken by the wire, if not by the local APIC
    if (vector < 0 && pt.level && pt.onList) {
      this.fired(vcpu, pt);
      pt.taken(vcpu);
    }
    return vector;
  }

  private mostBehind(vcpu: number): PeriodicTime | undefined {
    let first: PeriodicTime | undefined;
    for (const pt of this.list(vcpu).slice()) {
      if (pt.pending === 0) continue;
      // a level is held though it is masked
      if (this.inputs.isMasked(pt) && !pt.level && !(this.waits && pt.keepsMasked)) {
        if (this.waits) this.delist(pt);
      } else if (!first || pt.lastTick + pt.period < first.lastTick + first.period) first = pt;
    }
    return first;
  }

  /** An interrupt was injected, maybe a tick's: that is over (pt_intr_post). */
  intrPost(vcpu: number, intack: IntAck): void {
    if (intack.source === 'vector') return;
    const pt = this.list(vcpu).find(
      (p) => p.pending > 0 && p.issued && this.inputs.vectorOf(p, intack) === intack.vector,
    );
    if (!pt) return;
    this.chips.hop('pt_intr_post', vcpu, intack.vector);
    this.fired(vcpu, pt);
    pt.taken(vcpu);
  }

  /** pt_irq_fired */
  private fired(vcpu: number, pt: PeriodicTime): void {
    const { mode, time } = this;
    pt.issued = false;
    if (pt.oneShot) {
      this.delist(pt);
      if (this.waits) pt.pending = 0;
    } else if (mode === 'one_missed_tick_pending' || mode === 'no_missed_ticks_pending') {
      pt.lastTick = time.of(vcpu);
      if (this.waits) this.processMissedTicks(pt);
      // all that were missed are one
      pt.pending = 0;
      if (this.waits) pt.timer.at(pt.scheduled, vcpu);
    } else {
      pt.lastTick += pt.period;
      pt.pending--;
      if (this.waits && pt.pending === 0) {
        this.processMissedTicks(pt);
        if (pt.pending === 0) pt.timer.at(pt.scheduled, vcpu);
      }
    }
    if (mode === 'delay_for_missed_ticks' && time.of(vcpu) < pt.lastTick) time.set(vcpu, pt.lastTick);
  }

  // masked

  /** Of the guest's interrupts some may not be masked any more: timers that were put aside are looked at again. */
  private mayUnmask(): void {
    for (const pt of this.all) if (pt.source !== 'lapic') this.resume(pt);
  }

  /** pt_resume */
  resume(pt: PeriodicTime): void {
    if (!pt.known || pt.pending === 0 || pt.onList) return;
    if (!this.waits) return;
    this.enlist(pt);
    this.chips.output.kick(pt.vcpu);
  }

  // the virtual CPU

  /** It does not run any more; while it is blocked its timers go on (pt_save_timer). */
  saveTimer(vcpu: number, blocked: boolean): void {
    if (blocked) return;
    for (const pt of this.list(vcpu)) if (!pt.doNotFreeze) pt.timer.cancel();
    if (this.mode === 'delay_for_missed_ticks') this.time.freeze(vcpu);
  }

  /** It is about to run (pt_restore_timer). */
  restoreTimer(vcpu: number): void {
    for (const pt of this.list(vcpu)) {
      if (this.waits && pt.pending > 0) continue;
      this.processMissedTicks(pt);
      pt.timer.at(pt.scheduled, vcpu);
    }
    if (this.mode === 'delay_for_missed_ticks') this.time.thaw(vcpu);
  }

  /** It runs on another processor now (pt_migrate). */
  migrate(vcpu: number): void {
    for (const pt of this.list(vcpu)) pt.timer.migrate?.(vcpu);
  }

  /** Another virtual CPU takes the 8259s' interrupts, and so those of the devices (pt_adjust_global_vcpu_target). */
  private retarget(vcpu: number): void {
    for (const pt of this.all) {
      if (pt.source === 'lapic' || !pt.known || pt.vcpu === vcpu) continue;
      const { onList } = pt;
      this.delist(pt);
      pt.vcpu = vcpu;
      if (!onList) continue;
      this.enlist(pt);
      pt.timer.migrate?.(vcpu);
    }
  }

  inspect() {
    return this.all.map((pt) => pt.inspect());
  }

  save(): Plain {
    return {
      time: this.time.save(),
      all: this.all.map((pt) => pt.save()),
      lists: Array.from(this.lists, (list) => (list ?? []).map((pt) => this.all.indexOf(pt))),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { time: Plain; all: Plain[]; lists: number[][] };
    this.time.restore(s.time);
    this.all.forEach((pt, i) => {
      pt.restore(s.all[i]!);
    });
    this.lists.length = 0;
    s.lists.forEach((list, vcpu) => {
      this.lists[vcpu] = list.map((i) => this.all[i]!);
    });
  }
}
