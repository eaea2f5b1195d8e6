/**
 * A physical CPU under a hypervisor, and the virtual CPUs that take turns on it.
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

import { PieceAhead } from '../core/ahead.ts';
import { Bitmap } from '../core/bits.ts';
import type { Clock, Ns, Task } from '../core/clock.ts';
import { Priority } from '../core/event-queue.ts';
import { Runstate, type RunstateName } from '../core/runstate.ts';
import type { Part, Plain } from '../core/state.ts';
import type { Trace, Tracepoint } from '../core/trace.ts';
import { timing } from '../timing.ts';

/** What interrupts a CPU: its local APIC, or its interface of the GIC. */
export interface InterruptLine {
  /** what it would take now; -1 for nothing */
  deliverable(): number;
  /** It goes through its gate: the vector that the local APIC names, or the entry of the vector table. */
  ack(): number;
}

/** What the hypervisor does on a CPU; one object for all CPUs. */
export interface Hypervisor {
  /** The processor has acknowledged an interrupt; the answer is the time from Xen's gate to its effect. */
  acknowledged(cpu: Pcpu, vector: number): Ns;
  /** The interrupt's effect, with the guest stopped; again, if it has said that it goes on. */
  interrupt(cpu: Pcpu, vector: number): void;
  /** A non-maskable interrupt, with the guest stopped. */
  nmi(cpu: Pcpu): void;
  /** A machine check, with the guest stopped; where processors have such. */
  machineCheck?(cpu: Pcpu): void;
  /** The CPU, which waited for others within a step (`hold`), goes on. */
  released?(cpu: Pcpu): void;
  /** The journey that a virtual CPU which now gets a CPU was woken for; 0: none. Asked once. */
  wokenBy(next: Vcpu): number;
  /** Runs one softirq. */
  softirq(cpu: Pcpu, nr: number): void;
}

/** By their numbers (RUNSTATE_*). */
export const RUNSTATES: readonly RunstateName[] = ['running', 'runnable', 'blocked', 'offline'];

/** One that has blocked is `running` until its CPU has switched away from it. */
export type VcpuState = RunstateName;

/** A virtual CPU, whatever its guest knows of the hypervisor. */
export abstract class Vcpu implements Part {
  readonly id: string;
  readonly name: string;
  readonly runstate = new Runstate('offline');
  /** _VPF_blocked or _VPF_blocked_in_xen: it waits */
  blocked = false;
  /** _VPF_blocked_in_xen: for an answer, and not for an event */
  blockedInXen = false;
  /** how many hold it back, whatever it waits for (pause_count) */
  paused = 0;
  /** time of the guest's stretch that is left; -1 while the kernel is deciding */
  left: Ns = -1;
  upcalls = 0;
  /** the only CPU that it may run on for now; -1: as its affinity says */
  pinned = -1;
  /** it is to leave its CPU for one that it may run on (_VPF_migrating) */
  migrating = false;
  private readonly allowed = new Bitmap(256);

  /**
   * @param cpu the physical CPU it runs on, or ran on last
   * @param affinity physical CPUs it may run on
   */
  constructor(
    readonly index: number,
    readonly domain: number,
    readonly vcpu: number,
    public cpu: Pcpu,
    readonly affinity: readonly number[],
  ) {
    this.id = `dom${domain}.vcpu${vcpu}`;
    this.name = `dom${domain}.${vcpu}`;
    for (const n of affinity) this.allowed.set(n);
  }

  /** vcpu_runstate_change */
  become(state: VcpuState): void {
    if (state === this.state) return;
    this.cpu.traceRunstate(this.index, this.state, state);
    this.runstate.change(state, this.cpu.clockNow);
  }

  get state(): VcpuState {
    return this.runstate.state;
  }

  /** When its state began (state_entry_time). */
  get since(): Ns {
    return this.runstate.since;
  }

  mayRunOn(cpu: Pcpu): boolean {
    return this.pinned < 0 ? this.allowed.has(cpu.cpu) : this.pinned === cpu.cpu;
  }

  get now(): Ns {
    return this.cpu.time;
  }

  get processor(): number {
    return this.cpu.cpu;
  }

  run(ns: Ns): void {
    this.left = ns;
  }

  // its guest, from the hypervisor's side

  /** The stretch is over; the guest's kernel says how it goes on. */
  abstract stretchOver(): void;
  /** The processor takes an interrupt while this virtual CPU has it: the way to the gate, and the vector. */
  acknowledge(line: InterruptLine): number {
    this.cpu.charge(timing.irqEntry);
    return line.ack();
  }
  /** A non-maskable interrupt (2) or a machine check (18) comes while this virtual CPU has the processor. */
  nonMaskable(_vector: number): void {
    this.cpu.charge(timing.irqEntry);
  }
  /** It is switched away from. */
  leaves(): void {}
  /** It is switched to. */
  resumes(): void {}
  /** Its state is loaded; the time that takes beside what every switch does. */
  load(): Ns {
    return 0;
  }
  /** On the way into the guest, before softirqs are looked at for the last time. */
  assist(): void {}
  /**
   * Into the guest.
   * @param interrupted it was stopped, or left by itself
   * @returns true: its kernel was told of an event or has left again, the way begins anew
   */
  abstract enter(interrupted: boolean): boolean;

  save(): Plain {
    const { runstate, blocked, blockedInXen, left, upcalls, paused, pinned, migrating } = this;
    const rest = [this.cpu.cpu, paused, pinned, Number(migrating)];
    return [runstate.save(), blocked, blockedInXen, left, upcalls, ...rest];
  }

  restore(saved: Plain): void {
    const [runstate, blocked, inXen, ...numbers] = saved as [Plain, boolean, boolean, ...number[]];
    const [left, upcalls, cpu, paused, pinned, migrating] = numbers;
    this.runstate.restore(runstate);
    this.blocked = blocked;
    this.blockedInXen = inXen;
    this.left = left!;
    this.upcalls = upcalls!;
    this.cpu = this.cpu.peer(cpu!);
    this.paused = paused!;
    this.pinned = pinned!;
    this.migrating = migrating === 1;
  }
}

/** What no flag of a processor masks, the first to be taken last. */
const NMI = 1;
const MACHINE_CHECK = 2;
const VECTORS = { [NMI]: 2, [MACHINE_CHECK]: 18 } as const;

/** What a CPU's ways cost. */
export interface PcpuCosts {
  /** from a guest or the idle loop to the hypervisor's gate, registers saved */
  readonly irqEntry: Ns;
  /** out of the idle loop */
  readonly idleWake: Ns;
  /** between two virtual CPUs, and to or from the idle loop */
  readonly contextSwitch: Ns;
  readonly idleSwitch: Ns;
}

/** What all CPUs of a host share. */
export interface PcpuWiring {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly hypervisor: Hypervisor;
  /** all CPUs and virtual CPUs by index, filled while building */
  readonly cpus: Pcpu[];
  readonly vcpus: Vcpu[];
  readonly costs: PcpuCosts;
  /** an idle CPU keeps the registers of who ran last (lazy switch) */
  readonly lazy: boolean;
  /** the CPU whose step runs; null outside */
  here: Pcpu | null;
}

export class Pcpu implements Part {
  readonly id: string;
  line!: InterruptLine;
  readonly hypervisor: Hypervisor;
  /** who has the CPU; null: the idle loop */
  current: Vcpu | null = null;
  /** who ran here last: while the CPU idles it still holds their registers (curr_vcpu) */
  private lazy: Vcpu | null = null;
  /** context switches, to the idle loop as well */
  switches = 0;
  /** exits of guests that it ran */
  exits = 0;
  private guestNs: Ns = 0;
  private xenNs: Ns = 0;
  private idleNs: Ns = 0;
  private readonly clock: Clock;
  /** this CPU's time where it runs ahead of the clock */
  private busyUntil: Ns = 0;
  private stretchStart: Ns = 0;
  private softirqs = 0;
  /** acknowledged, its handler is the next step; -1 for none */
  private vector = -1;
  /** what waits that nothing masks: bits of NMI and MACHINE_CHECK */
  private latched = 0;
  /** the one of them whose handler is the next step; 0: none */
  private taken = 0;
  /** it waits for other CPUs, within a step */
  private held = false;
  private readonly piece = new PieceAhead();
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
    const { now } = this.clock;
    return this.busyUntil > now ? this.busyUntil : now;
  }

  /** The clock's time, which its own may be ahead of. */
  get clockNow(): Ns {
    return this.clock.now;
  }

  /** Hypervisor code runs for `ns`. */
  charge(ns: Ns): void {
    this.busyUntil = this.time + ns;
    this.xenNs += ns;
  }

  /** The guest's code runs for `ns` within a decision of its kernel's. */
  spendInGuest(ns: Ns): void {
    this.piece.add(this.time, ns);
    this.busyUntil = this.time + ns;
    this.guestNs += ns;
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
    return this.idle && this.busyUntil <= this.clock.now;
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
    this.busyUntil = this.time;
  }

  get holding(): boolean {
    return this.held;
  }

  /** It has seen at `when` that it may go on. */
  release(when: Ns): void {
    const until = Math.max(when, this.time);
    this.held = false;
    this.xenNs += until - this.busyUntil;
    this.busyUntil = until;
    this.stepTask.at(until, 1);
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
    const { now } = this.clock;
    const stop = now > this.stretchStart ? now : this.stretchStart;
    this.current!.left = this.guestTask.when! - stop;
    this.guestNs += stop - this.stretchStart;
    this.guestTask.cancel();
  }

  private leaveIdle(): void {
    const { now } = this.clock;
    if (now > this.busyUntil) this.idleNs += now - this.busyUntil;
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
    this.guestNs += this.clock.now - this.stretchStart;
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
      const ahead = this.busyUntil > this.clock.now;
      if (this.softirqs !== 0 && (interrupted || ahead)) {
        if (ahead) {
          this.stepTask.at(this.busyUntil);
          break;
        }
        this.doSoftirq();
        continue;
      }
      const v = this.current;
      if (!v) break;
      if (v.enter(interrupted)) continue;
      this.stretchStart = this.time;
      this.guestTask.at(this.stretchStart + v.left);
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
    const { now } = this.clock;
    const running = this.guestTask.queued && now > this.stretchStart ? now - this.stretchStart : 0;
    return this.guestNs - this.piece.left(now) + running;
  }

  /** Time spent in the hypervisor up to the clock's now. */
  xenTime(): Ns {
    const { now } = this.clock;
    const ahead = this.busyUntil - now - this.piece.left(now);
    return this.xenNs - (this.held ? ahead : Math.max(0, ahead));
  }

  /** Time spent in the idle loop up to the clock's now. */
  idleTime(): Ns {
    return this.idleNs + (this.idle ? Math.max(0, this.clock.now - this.busyUntil) : 0);
  }

  /** In the hypervisor at the clock's now? */
  get inXen(): boolean {
    return this.held || this.busyUntil > this.clock.now;
  }

  /** The idle loop runs, or is about to. */
  get idle(): boolean {
    return this.current === null && this.interruptible;
  }

  save(): Plain {
    const { guestNs, xenNs, idleNs, busyUntil, stretchStart, softirqs, vector } = this;
    const current = this.current ? this.current.index : -1;
    const { latched, taken, switches, exits } = this;
    const lazy = this.lazy ? this.lazy.index : -1;
    const unmasked = [latched, taken, Number(this.held), switches, exits, ...this.piece.save()];
    return [current, guestNs, xenNs, idleNs, busyUntil, stretchStart, softirqs, vector, lazy, ...unmasked];
  }

  restore(state: Plain): void {
    const [current, ...times] = state as number[];
    this.current = current! < 0 ? null : this.wiring.vcpus[current!]!;
    const [guestNs, xenNs, idleNs, busyUntil, stretchStart, softirqs, vector, lazy, ...unmasked] = times;
    this.guestNs = guestNs!;
    this.xenNs = xenNs!;
    this.idleNs = idleNs!;
    this.busyUntil = busyUntil!;
    this.stretchStart = stretchStart!;
    this.softirqs = softirqs!;
    this.vector = vector!;
    this.latched = unmasked[0]!;
    this.taken = unmasked[1]!;
    this.held = unmasked[2] === 1;
    this.switches = unmasked[3]!;
    this.exits = unmasked[4]!;
    this.piece.restore([unmasked[5]!, unmasked[6]!]);
    this.lazy = lazy! < 0 ? null : this.wiring.vcpus[lazy!]!;
  }
}
