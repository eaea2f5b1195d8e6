/**
 * The 8254 programmable interval timer of a PC, ports 0x40 to 0x43: three counters, of which the first one's
 * output is interrupt 0. Port 0x61 (gate of counter 2, speaker) is not modelled.
 *
 * The chip's OUT follows its mode. KVM makes ticks instead (arch/x86/kvm/i8254.c): a pulse for each period, kept
 * back until the guest has acknowledged the one before when it reinjects. Xen has its own timers make the ticks
 * (xen/arch/x86/emul-i8254.c), which raise the interrupt themselves.
 */
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { LineDriver } from '../../core/line.ts';
import type { Registers, Width } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { TickService } from '../../core/ticks.ts';
import { Counter, PIT_HZ, timeOf } from './i8254-counter.ts';

export interface PitOptions {
  /** `chip`: OUT as the datasheet draws it; `kvm`: a pulse for each tick; `xen`: `ticks` raises its interrupt */
  readonly output: 'chip' | 'kvm' | 'xen';
  /** KVM: ticks that were not acknowledged in time are made up for; may be changed (KVM_REINJECT_CONTROL) */
  readonly reinject: boolean;
  /** Xen: who makes the ticks */
  readonly ticks?: TickService;
}

/** kvm.min_timer_period_us: no guest's periodic timer is faster */
const MIN_PERIOD: Ns = 200_000;
const CONTROL = 3;
const SECOND: Ns = 1_000_000_000;

export class I8254 implements Registers, Part {
  readonly id: string;
  /** ticks, or rising edges of OUT, of counter 0 */
  ticks = 0;
  readonly counters = [new Counter(), new Counter(), new Counter()] as const;
  private reinject: boolean;
  /** ticks that the guest has not acknowledged, the one under way included */
  private pending = 0;
  private acknowledged = true;
  private high = false;
  private readonly task: Task;
  private readonly service: TickService | undefined;

  constructor(
    name: string,
    private readonly clock: Clock,
    private readonly output: LineDriver,
    private readonly options: PitOptions,
  ) {
    this.id = `device.${name}`;
    this.reinject = options.reinject;
    this.service = options.output === 'xen' ? options.ticks : undefined;
    this.task = clock.task(`${this.id}.counter0`, Priority.hardware, () => this.due());
  }

  /** The time that its counters count by. */
  private get now(): Ns {
    return this.service ? this.service.now() : this.clock.now;
  }

  read(offset: number, _width: Width): number {
    return offset === CONTROL ? 0 : this.counters[offset]!.read(this.now);
  }

  write(offset: number, value: number, _width: Width): void {
    const byte = value & 0xff;
    if (offset === CONTROL) this.control(byte);
    else if (this.counters[offset]!.write(byte, this.now) && offset === 0) this.load();
  }

  private control(word: number): void {
    const { now } = this;
    if (word >> 6 === 3) {
      // read-back: both bits are active low
      this.counters.forEach((counter, n) => {
        if (!(word & (2 << n))) return;
        if (!(word & 0x20)) counter.latchCount(now);
        if (!(word & 0x10)) counter.latchStatus(now);
      });
      return;
    }
    const counter = this.counters[word >> 6]!;
    if (((word >> 4) & 3) === 0) counter.latchCount(now);
    else {
      counter.control(word);
      if (counter === this.counters[0] && this.options.output === 'chip') this.follow();
    }
  }

  /** Counter 0 has its count. */
  private load(): void {
    if (this.options.output === 'chip') {
      this.follow();
      return;
    }
    const [counter] = this.counters;
    if (this.service) {
      this.loadTicks(this.service);
      return;
    }
    this.forgive();
    if (counter.mode === 5) this.task.cancel();
    else this.task.after(timeOf(counter.count));
  }

  /** Xen: modes 2 and 3 are periodic, 1 and 4 tick once, the others not at all (pit_load_count). */
  private loadTicks(service: TickService): void {
    const [counter] = this.counters;
    const period = Math.round((counter.count * SECOND) / PIT_HZ);
    if (counter.periodic) service.start(period, period);
    else if (counter.mode === 1 || counter.mode === 4) service.start(period, 0);
    else service.stop();
  }

  /** Xen: a tick was injected, and counter 0 counts from now on (pit_time_fired). */
  taken(): void {
    this.ticks++;
    this.counters[0].loadedAt = this.now;
  }

  private due(): void {
    if (this.options.output === 'chip') this.follow();
    else this.tick();
  }

  /** OUT takes the level it has now, and is looked at again when it changes. */
  private follow(): void {
    const [counter] = this.counters;
    const { now } = this.clock;
    const high = counter.output(now);
    if (high && !this.high) this.ticks++;
    this.high = high;
    this.output.set(high);
    const edge = counter.nextEdge(now);
    if (edge === undefined) this.task.cancel();
    else this.task.at(edge);
  }

  /** pit_timer_fn. */
  private tick(): void {
    const [counter] = this.counters;
    this.ticks++;
    if (counter.periodic) this.task.after(Math.max(MIN_PERIOD, timeOf(counter.count)));
    if (this.reinject) this.pending++;
    this.inject();
  }

  /** pit_do_work. */
  private inject(): void {
    if (this.reinject) {
      if (!this.acknowledged) return;
      this.acknowledged = false;
    }
    this.output.set(true);
    this.output.set(false);
  }

  /** KVM: the guest has acknowledged interrupt 0 (kvm_pit_ack_irq). */
  ack(): void {
    if (!this.reinject) return;
    this.acknowledged = true;
    if (this.pending > 0 && --this.pending > 0) this.inject();
  }

  /** KVM: the guest has unmasked interrupt 0, what was missed is forgotten (kvm_pit_reset_reinject). */
  forgive(): void {
    this.pending = 0;
    this.acknowledged = true;
  }

  setReinject(on: boolean): void {
    if (on === this.reinject) return;
    this.reinject = on;
    if (on) this.forgive();
  }

  /** One more tick at once. */
  fire(): void {
    if (this.service) {
      this.service.tick();
      return;
    }
    if (this.options.output === 'kvm') {
      this.ticks++;
      if (this.reinject) this.pending++;
      this.inject();
      return;
    }
    this.output.set(false);
    this.output.set(true);
    this.output.set(this.high);
    this.ticks++;
  }

  inspect() {
    const { ticks, pending, reinject } = this;
    return {
      ticks,
      pending,
      reinject,
      next: this.task.when ?? null,
      counters: this.counters.map((c) => ({
        mode: c.mode,
        count: c.count,
        output: c.output(this.now),
      })),
    };
  }

  save(): Plain {
    const flags = [this.reinject, this.acknowledged, this.high].map(Number);
    return [this.ticks, this.pending, ...flags, ...this.counters.map((c) => c.save())];
  }

  restore(state: Plain): void {
    const [ticks, pending, reinject, acknowledged, high, ...counters] = state as [
      number,
      number,
      number,
      number,
      number,
      ...Plain[],
    ];
    this.ticks = ticks;
    this.pending = pending;
    this.reinject = reinject === 1;
    this.acknowledged = acknowledged === 1;
    this.high = high === 1;
    this.counters.forEach((c, i) => {
      c.restore(counters[i]!);
    });
  }
}
