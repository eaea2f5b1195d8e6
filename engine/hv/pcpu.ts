/**
 * A physical CPU under a hypervisor, on which virtual CPUs (vcpu.ts) take turns.
 *
 * The CPU is always in one of three places: in a stretch of guest code (a task waits for its end), in the
 * hypervisor (a task waits for its next step), or idle. A step is what happens in one event: the end of a
 * guest's stretch with the hypercalls that follow, the handler of one interrupt, a round of softirqs. What
 * others can see of a step happens at the event's time. What the step costs is added to the CPU's own time,
 * which then runs ahead of the clock; the CPU's next step waits until it is reached, and messages to other
 * CPUs leave at that time. The way from an interrupt to its handler is paid before the handler's step.
 *
 * Interrupts are taken between two steps, one at a time.
 */

import type { Changing, Watcher } from '../core/bits.ts';
import type { Clock, Ns, Task } from '../core/clock.ts';
import { CpuTime } from '../core/cpu-time.ts';
import { Priority } from '../core/event-queue.ts';
import type { Part, Plain } from '../core/state.ts';
import type { Tracepoint } from '../core/trace.ts';
import type { Hypervisor, InterruptLine, PcpuWiring } from './hypervisor.ts';
import { RUNSTATES, type Vcpu, type VcpuState } from './vcpu.ts';

/** What no flag of a processor masks, the first to be taken last. */
const NMI = 1;
const MACHINE_CHECK = 2;
const VECTORS = { [NMI]: 2, [MACHINE_CHECK]: 18 } as const;

export class Pcpu implements Part, Changing {
  readonly id: string;
  line!: InterruptLine;
  readonly hypervisor: Hypervisor;
  /** who has the CPU; null: the idle loop */
  current: Vcpu | null = null;
  /** of `current` */
  watcher: Watcher | undefined = undefined;
  /** who ran here last: while the CPU idles it still holds their registers (curr_vcpu) */
  private lazy: Vcpu | null = null;
  /** context switches, to the idle loop as well */
  switches = 0;
  /** exits of guests that it ran */
  exits = 0;
  private readonly clock: Clock;
  private readonly own: CpuTime;
  private softirqs = 0;
  /** acknowledged, its handler is the next step; -1 for none */
  private vector = -1;
  /** what waits that nothing masks: bits of NMI and MACHINE_CHECK */
  private latched = 0;
  /** the one of them whose handler is the next step; 0: none */
  private taken = 0;
  /** it waits for other CPUs, within a step */
  private held = false;
  private readonly guestTask: Task;
  private readonly stepTask: Task;
  private readonly switched: Tracepoint;
  private readonly tpRunstate: Tracepoint;

  constructor(
    readonly cpu: number,
    private readonly wiring: PcpuWiring,
  ) {
    this.id = `cpu${cpu}`;
    this.clock = wiring.clock;
    this.own = new CpuTime(wiring.clock);
    this.hypervisor = wiring.hypervisor;
    this.guestTask = this.clock.task(`cpu${cpu}.stretch`, Priority.guest, () => this.stretchOver());
    const step = (released: number) => this.step(released === 1);
    this.stepTask = this.clock.task(`cpu${cpu}.xen`, Priority.hypervisor, step);
    this.switched = wiring.trace.point('sched_switch', 'prev', 'next', 'anew');
    this.tpRunstate = wiring.trace.point('runstate_change', 'vcpu', 'old', 'new');
  }

  peer(cpu: number): Pcpu {
    return this.wiring.cpus[cpu]!;
  }

  /** The CPU's own time. */
  get time(): Ns {
    return this.own.now;
  }

  /** The clock's time, which its own may be ahead of. */
  get clockNow(): Ns {
    return this.clock.now;
  }

  /** Hypervisor code runs for `ns`. */
  charge(ns: Ns): void {
    this.own.charge(ns);
  }

  /** The guest's code runs for `ns` within a decision of its kernel's. */
  spendInGuest(ns: Ns): void {
    this.own.spendInGuest(ns);
  }

  /** The handler of this interrupt goes on when what it has charged so far is over; nothing comes between. */
  goOn(vector: number): void {
    this.vector = vector;
  }

  raiseSoftirq(nr: number): void {
    this.softirqs |= 1 << nr;
  }

  softirqPending(nr: number): boolean {
    return (this.softirqs & (1 << nr)) !== 0;
  }

  // from outside

  /** There is something to take: now, or between two steps. */
  interruptRequest(): void {
    if (this.interruptible) this.takeInterrupt();
  }

  /** A non-maskable interrupt: now, or between two steps. */
  nmi(): void {
    this.latch(NMI);
  }

  /** A machine check: the same, and first. */
  machineCheck(): void {
    this.latch(MACHINE_CHECK);
  }

  private latch(what: typeof NMI | typeof MACHINE_CHECK): void {
    this.latched |= what;
    if (this.interruptible) this.takeLatched();
  }

  /** In no step, and with none to come. */
  private get interruptible(): boolean {
    return this.wiring.here !== this && !this.stepTask.queued && !this.held;
  }

  /** In the idle loop, its softirq word monitored? */
  get inMwait(): boolean {
    return this.idle && !this.own.ahead;
  }

  /** Its softirq word was written to. A CPU that was woken meanwhile has seen it. */
  mwaitWakeup(): void {
    if (!this.idle) return;
    this.leaveIdle();
    this.stepTask.at(this.time);
  }

  /** Puts `next` on the CPU in place of the current one; the scheduler's decision, within its softirq. */
  switchTo(next: Vcpu | null): void {
    const prev = this.current;
    this.switches++;
    if (prev) {
      prev.become(prev.blocked || prev.paused > 0 ? 'blocked' : 'runnable');
      prev.leaves();
    } else if (next) this.traceRunstate(-1, 'running', 'runnable');
    this.current = next;
    this.watcher?.changed();
    const { costs, lazy } = this.wiring;
    const anew = next !== null && !this.holds(next);
    if (!lazy) this.lazy = null;
    if (next) {
      next.cpu = this;
      next.become('running');
      this.lazy = next;
    } else if (prev) this.traceRunstate(-1, 'runnable', 'running');
    const [from, to] = [prev ? prev.index : -1, next ? next.index : -1];
    const journey = next ? this.hypervisor.wokenBy(next) : 0;
    this.wiring.trace.emit(this.switched, this.time, journey, this.cpu, from, to, Number(anew));
    this.charge(prev && next ? costs.contextSwitch : costs.idleSwitch);
    if (!next) return;
    if (anew) this.charge(next.load());
    next.resumes();
  }

  /** @param vcpu its index; -1: this CPU's idle loop */
  traceRunstate(vcpu: number, old: VcpuState, state: VcpuState): void {
    const { trace, here } = this.wiring;
    if (!trace.detailed) return;
    const on = vcpu < 0 ? this.cpu : (here ?? this).cpu;
    trace.emit(
      this.tpRunstate,
      this.clock.now,
      0,
      on,
      vcpu,
      RUNSTATES.indexOf(old),
      RUNSTATES.indexOf(state),
    );
  }

  /** Does the CPU hold the registers of this one? Not any more when it has run elsewhere (vcpu_cpu_dirty). */
  holds(v: Vcpu): boolean {
    return this.lazy === v && v.cpu === this;
  }

  // meeting other CPUs

  /** Its step does not end before `release`: it waits in a loop for what others do. */
  hold(): void {
    this.held = true;
    this.own.wait();
  }

  get holding(): boolean {
    return this.held;
  }

  /** It has seen at `when` that it may go on. */
  release(when: Ns): void {
    this.held = false;
    this.stepTask.at(this.own.waited(when), 1);
  }

  // its steps

  /** An interrupt stops the guest or the idle loop; the handler's step follows when the way there is paid. */
  private takeInterrupt(): void {
    this.stop();
    if (this.current) this.vector = this.current.acknowledge(this.line);
    else {
      this.charge(this.wiring.costs.irqEntry);
      this.vector = this.line.ack();
    }
    this.charge(this.hypervisor.acknowledged(this, this.vector));
    this.stepTask.at(this.time);
  }

  private takeLatched(): void {
    this.stop();
    const what = this.latched & MACHINE_CHECK ? MACHINE_CHECK : NMI;
    this.latched &= ~what;
    this.taken = what;
    if (this.current) this.current.nonMaskable(VECTORS[what]);
    else this.charge(this.wiring.costs.irqEntry);
    this.stepTask.at(this.time);
  }

  private stop(): void {
    if (this.guestTask.queued) this.stopGuest();
    else if (this.idle) this.leaveIdle();
  }

  /** The guest's stretch ends where it is; one that is still being entered has not begun. */
  private stopGuest(): void {
    this.current!.left = this.guestTask.when! - this.own.end(true);
    this.guestTask.cancel();
  }

  private leaveIdle(): void {
    this.own.idled();
    this.charge(this.wiring.costs.idleWake);
  }

  private step(released: boolean): void {
    this.wiring.here = this;
    const { vector } = this;
    if (released) this.hypervisor.released?.(this);
    else if (vector >= 0) {
      this.vector = -1;
      this.hypervisor.interrupt(this, vector);
      if (this.vector >= 0) {
        this.stepTask.at(this.time);
        this.wiring.here = null;
        return;
      }
    } else if (this.taken !== 0) {
      const { taken } = this;
      this.taken = 0;
      if (taken === NMI) this.hypervisor.nmi(this);
      else this.hypervisor.machineCheck?.(this);
    }
    this.leave(true);
  }

  private stretchOver(): void {
    this.wiring.here = this;
    this.own.end(true);
    const v = this.current!;
    v.left = -1;
    v.stretchOver();
    this.leave(false);
  }

  /**
   * The way out of the hypervisor: interrupts that wait, softirqs, then whoever is current, with an event if
   * one is due. A softirq waits for its CPU's time; a round of them is one step. A guest that has gone on to its
   * next stretch by itself was not in the hypervisor: softirqs have to wait for the message about them.
   */
  private leave(interrupted: boolean): void {
    for (;;) {
      if (this.held) break;
      if (this.latched !== 0) {
        this.takeLatched();
        break;
      }
      if (this.line.deliverable() >= 0) {
        this.takeInterrupt();
        break;
      }
      this.current?.assist();
      const { ahead } = this.own;
      if (this.softirqs !== 0 && (interrupted || ahead)) {
        if (ahead) {
          this.stepTask.at(this.time);
          break;
        }
        this.doSoftirq();
        continue;
      }
      const v = this.current;
      if (!v) break;
      if (v.enter(interrupted)) continue;
      this.guestTask.at(this.own.begin() + v.left);
      break;
    }
    this.wiring.here = null;
  }

  /** The lowest first, until none is left. */
  private doSoftirq(): void {
    while (this.softirqs !== 0 && !this.held) {
      const nr = 31 - Math.clz32(this.softirqs & -this.softirqs);
      this.softirqs &= ~(1 << nr);
      this.hypervisor.softirq(this, nr);
    }
  }

  // where its time went; the three add up to the clock's now

  /** Time spent in guest code so far, the running stretch included. */
  guestTime(): Ns {
    return this.own.inGuest(this.guestTask.queued);
  }

  /** Time spent in the hypervisor up to the clock's now. */
  xenTime(): Ns {
    return this.own.inHost(false, this.held);
  }

  /** Time spent in the idle loop up to the clock's now. */
  idleTime(): Ns {
    return this.own.inIdle(this.idle);
  }

  /** In the hypervisor at the clock's now? */
  get inXen(): boolean {
    return this.held || this.own.ahead;
  }

  /** The idle loop runs, or is about to. */
  get idle(): boolean {
    return this.current === null && this.interruptible;
  }

  save(): Plain {
    const current = this.current ? this.current.index : -1;
    const lazy = this.lazy ? this.lazy.index : -1;
    const { softirqs, vector, latched, taken, held, switches, exits } = this;
    const numbers = [current, lazy, softirqs, vector, latched, taken, Number(held), switches, exits];
    return [...numbers, ...this.own.save()];
  }

  restore(state: Plain): void {
    const [current, lazy, softirqs, vector, latched, taken, held, switches, exits, ...own] =
      state as number[];
    this.current = current! < 0 ? null : this.wiring.vcpus[current!]!;
    this.watcher?.changed();
    this.lazy = lazy! < 0 ? null : this.wiring.vcpus[lazy!]!;
    this.softirqs = softirqs!;
    this.vector = vector!;
    this.latched = latched!;
    this.taken = taken!;
    this.held = held === 1;
    this.switches = switches!;
    this.exits = exits!;
    this.own.restore(own);
  }
}
