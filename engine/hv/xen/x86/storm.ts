/**
 * Brakes against an interrupt that comes too often (xen/arch/x86/irq.c).
 *
 * 4.17 counts what guests are sent: after `irq_ratelimit` of them since the count began (10,000) the next one is looked
 * at. When it comes within 10 ms of that beginning the line is disabled and this one lost; one timer, on CPU 0, enables
 * all such lines 10 ms after the first of them was disabled. Else the count begins anew. Disabling does not stop an
 * edge line: each further one of it is lost, until the 10 ms are over.
 *
 * 3.4 looks at lines that get their EOI at once. One that every guest has pending already is disabled until a guest
 * says that it has taken it, for which it is told to say EOI, or until 1 ms is over (IRQ_GUEST_EOI_PENDING).
 */
import { type Clock, ms, type Ns } from '../../../core/clock.ts';
import type { Plain } from '../../../core/state.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { XenTimer, XenTimers } from '../timer.ts';
import type { IrqControllers } from './irq-controllers.ts';
import type { IrqDesc } from './irq-desc.ts';
import { IRQ_GUEST_EOI_PENDING, IRQ_INPROGRESS } from './irq-status.ts';

/** MILLISECS(10) of do_IRQ */
const QUANTUM: Ns = ms(10);
const GUEST_EOI_TIMEOUT: Ns = ms(1);

export interface StormHost {
  readonly clock: Clock;
  readonly timers: XenTimers;
  readonly cpus: readonly Pcpu[];
  readonly descs: readonly (IrqDesc | undefined)[];
  readonly controllers: IrqControllers;
}

/** irq_ratelimit */
export class RateLimit {
  /** irq_ratelimit_list, the one disabled last first */
  private list: number[] = [];
  /** interrupts lost for it */
  lost = 0;
  private readonly timer: XenTimer;

  /** @param threshold irq_ratelimit_threshold; 0: there is no limit */
  constructor(
    private readonly host: StormHost,
    private readonly threshold: number,
  ) {
    this.timer = host.timers.timer(() => this.expired());
  }

  /** One more for guests. True: it is lost, and the line disabled. */
  exceeded(desc: IrqDesc): boolean {
    if (this.threshold === 0 || desc.rlCount++ < this.threshold) return false;
    const { clock, cpus, controllers } = this.host;
    const { now } = clock;
    if (now >= desc.rlStart + QUANTUM) {
      desc.rlCount = 0;
      desc.rlStart = now;
      return false;
    }
    this.lost++;
    controllers.disable(desc);
    if (!this.list.includes(desc.irq)) {
      if (this.list.length === 0) this.timer.set(cpus[0]!, now + QUANTUM);
      this.list.unshift(desc.irq);
    }
    return true;
  }

  /** irq_ratelimit_timer_fn */
  private expired(): void {
    const { list } = this;
    this.list = [];
    for (const irq of list) {
      const desc = this.host.descs[irq];
      if (desc) this.host.controllers.enable(desc);
    }
  }

  /** The number is given up. */
  forget(irq: number): void {
    this.list = this.list.filter((n) => n !== irq);
  }

  /** Lines that are disabled for it, the last one first. */
  braked(): readonly number[] {
    return this.list;
  }

  save(): Plain {
    return { list: [...this.list], lost: this.lost };
  }

  restore(state: Plain): void {
    const { list, lost } = state as { list: number[]; lost: number };
    this.list = [...list];
    this.lost = lost;
  }
}

/** irq_guest_eoi_timer of 3.4, one for each vector; `_irq_guest_eoi` */
export class GuestEoiBrake {
  /** times that it was put on, or left on for longer */
  times = 0;
  private readonly timers: readonly XenTimer[];

  constructor(
    private readonly host: StormHost,
    irqs: number,
  ) {
    this.timers = Array.from({ length: irqs }, (_, irq) =>
      host.timers.timer(() => {
        const desc = host.descs[irq];
        if (desc) this.release(desc);
      }),
    );
  }

  /** Every guest has it pending. */
  brake(cpu: Pcpu, desc: IrqDesc): void {
    const { clock, controllers } = this.host;
    this.times++;
    controllers.disable(desc);
    desc.status |= IRQ_GUEST_EOI_PENDING;
    for (const guest of desc.action!.guests) guest.needsEoi = true;
    this.timers[desc.irq]!.set(cpu, clock.now + GUEST_EOI_TIMEOUT);
  }

  /** A guest said EOI, or gives the line up: it need not wait for the timer. */
  end(desc: IrqDesc): void {
    this.timers[desc.irq]!.stop();
    this.release(desc);
  }

  /** Interrupts that it holds back now. */
  braked(): number[] {
    return this.host.descs.flatMap((d) => (d && (d.status & IRQ_GUEST_EOI_PENDING) !== 0 ? [d.irq] : []));
  }

  private release(desc: IrqDesc): void {
    if ((desc.status & IRQ_GUEST_EOI_PENDING) === 0) return;
    for (const guest of desc.action!.guests) guest.needsEoi = false;
    desc.status &= ~(IRQ_INPROGRESS | IRQ_GUEST_EOI_PENDING);
    this.host.controllers.enable(desc);
  }
}
