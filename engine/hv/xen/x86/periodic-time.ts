/** A virtual platform timer: one-shot or periodic, of a virtual local APIC, 8254, clock or HPET (struct periodic_time). */
import type { Ns } from '../../../core/clock.ts';
import type { Plain } from '../../../core/state.ts';

/** Where its interrupt goes in: a vector of the local APIC, an ISA interrupt, a GSI (PTSRC_*). */
export type PtSource = 'lapic' | 'isa' | 'ioapic';

/** One of Xen's timers, on the processor where a virtual CPU runs. */
export interface VptTimer {
  /** A moment in the past means at once. */
  at(when: Ns, vcpu: number): void;
  cancel(): void;
  /** the virtual CPU runs elsewhere now (migrate_timer) */
  migrate?(vcpu: number): void;
}

/** A virtual CPU is told that a tick was injected (time_cb). */
export type TickTaken = (vcpu: number) => void;

/** No virtual CPU yet: it was never set. */
const NOBODY = -1;

export class PeriodicTime {
  /** who takes its interrupt */
  vcpu = NOBODY;
  /** vector, ISA interrupt or GSI */
  irq = 0;
  /** 0 for one-shot */
  period: Ns = 0;
  /** it is among those that its virtual CPU looks at */
  onList = false;
  /** ticks not injected yet (pending_intr_nr) */
  pending = 0;
  /** the interrupt was raised, and not taken yet (irq_issued) */
  issued = false;
  /** its timer goes on while the virtual CPU does not run (do_not_freeze) */
  doNotFreeze = false;
  /** its GSI is held, not pulsed */
  level = false;
  /** when the next tick is due */
  scheduled: Ns = 0;
  /** guest's time of the last tick that was injected (last_plt_gtime) */
  lastTick: Ns = 0;
  /** periods too short to be had */
  tooShort = 0;
  timer!: VptTimer;

  /**
   * @param name unique in the domain
   * @param keepsMasked it sees to itself when its interrupt is masked, as the clock does
   */
  constructor(
    readonly name: string,
    readonly source: PtSource,
    readonly taken: TickTaken,
    readonly keepsMasked: boolean,
  ) {}

  get oneShot(): boolean {
    return this.period === 0;
  }

  /** Was it ever set? */
  get known(): boolean {
    return this.vcpu !== NOBODY;
  }

  inspect() {
    const { name, source, vcpu, irq, period, pending, issued, onList } = this;
    return { name, source, vcpu, irq, period, pending, issued, onList };
  }

  save(): Plain {
    const flags = [this.onList, this.issued, this.doNotFreeze, this.level].map(Number);
    const { vcpu, irq, period, pending, scheduled, lastTick, tooShort } = this;
    return [vcpu, irq, period, pending, scheduled, lastTick, tooShort, ...flags];
  }

  restore(state: Plain): void {
    const [vcpu, irq, period, pending, scheduled, lastTick, tooShort, ...flags] = state as [
      ...[number, number, number, number, number, number, number],
      ...number[],
    ];
    Object.assign(this, { vcpu, irq, period, pending, scheduled, lastTick, tooShort });
    [this.onList, this.issued, this.doNotFreeze, this.level] = flags.map((n) => n === 1) as [
      boolean,
      boolean,
      boolean,
      boolean,
    ];
  }
}
