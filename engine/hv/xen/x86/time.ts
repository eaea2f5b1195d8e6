/**
 * Xen's own time (xen/arch/x86/time.c): once a second all CPUs meet, by call-function IPI, to compare their clocks with
 * the platform timer; each then corrects its own in the TIME_CALIBRATE softirq. Where the platform timer is the 8254
 * (clocksource=pit) its channel 0 interrupts CPU 0 a hundred times a second; others need no interrupt.
 *
 * Not modelled: that they wait for each other, and broadcasts of a timer to CPUs in deep sleep.
 */
import type { Books, SourceId } from '../../../core/books.ts';
import { type Clock, ms, type Ns, type Task } from '../../../core/clock.ts';
import { Priority } from '../../../core/event-queue.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { timing } from '../../../timing.ts';
import type { Pcpu } from '../../pcpu.ts';
import { softirqNumber, type XenProfile } from '../softirq.ts';
import type { XenTimer, XenTimers } from '../timer.ts';

const EPOCH: Ns = ms(1000);
/** LATCH of 1193182 Hz for HZ = 100 */
const PIT_PERIOD: Ns = Math.round((11_932 * 1e9) / 1_193_182);

export interface TimeHost {
  readonly books: Books;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly cpus: readonly Pcpu[];
  readonly timers: XenTimers;
  readonly profile: XenProfile;
  /** the platform timer's line pulses */
  timerLine(source: SourceId): void;
  /** on_selected_cpus: has `called` called on that CPU */
  callFunction(cpu: Pcpu): void;
}

export class XenTime implements Part {
  readonly id = 'xen.time';
  /** rendezvous so far */
  calibrations = 0;
  /** TIME_CALIBRATE_SOFTIRQ */
  readonly softirqNr: number;
  private readonly calibration: XenTimer;
  /** per CPU: it has been called and has not come yet */
  private readonly due: boolean[];
  private readonly tick: Task;
  private readonly fromPit: SourceId;
  private readonly tpInterrupt: Tracepoint;

  /** @param pit the 8254 is the platform timer */
  constructor(
    private readonly host: TimeHost,
    private readonly pit: boolean,
  ) {
    const { timers, clock, cpus, books, profile, trace } = host;
    this.softirqNr = softirqNumber(profile, 'TIME_CALIBRATE');
    this.due = cpus.map(() => false);
    this.fromPit = books.sourceOf('pit');
    this.tpInterrupt = trace.point('timer_interrupt');
    this.calibration = timers.timer((on) => this.calibrate(on));
    this.tick = clock.task('xen.pit', Priority.hardware, () => this.ticked());
  }

  start(): void {
    const { clock, cpus } = this.host;
    this.calibration.set(cpus[0]!, clock.now + EPOCH);
    if (this.pit) this.tick.at(clock.now + PIT_PERIOD);
  }

  // the platform timer

  private ticked(): void {
    this.host.timerLine(this.fromPit);
    this.tick.at(this.host.clock.now + PIT_PERIOD);
  }

  /** timer_interrupt: the counter is latched and its two halves read. */
  interrupt(cpu: Pcpu): void {
    const { trace, books } = this.host;
    trace.emit(this.tpInterrupt, cpu.time, books.journey, cpu.cpu);
    if (this.pit) cpu.charge(3 * timing.portAccess);
  }

  // calibration

  /** time_calibration, in the TIMER softirq. */
  private calibrate(on: Pcpu): void {
    this.calibrations++;
    for (const cpu of this.host.cpus) {
      this.due[cpu.cpu] = true;
      if (cpu === on) this.called(on);
      else this.host.callFunction(cpu);
    }
  }

  /** time_calibration_std_rendezvous, if this CPU was called for it. */
  called(cpu: Pcpu): void {
    if (!this.due[cpu.cpu]) return;
    this.due[cpu.cpu] = false;
    cpu.charge(timing.calibrationRendezvous);
    cpu.raiseSoftirq(this.softirqNr);
  }

  /** local_time_calibration */
  softirq(cpu: Pcpu): void {
    cpu.charge(timing.localCalibration);
    if (cpu.cpu === 0) this.calibration.set(cpu, this.host.clock.now + EPOCH);
  }

  save(): Plain {
    return { calibrations: this.calibrations, due: [...this.due] };
  }

  restore(state: Plain): void {
    const s = state as { calibrations: number; due: boolean[] };
    this.calibrations = s.calibrations;
    s.due.forEach((due, cpu) => {
      this.due[cpu] = due;
    });
  }
}
