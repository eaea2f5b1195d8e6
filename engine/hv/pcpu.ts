/**
 * A physical CPU under a hypervisor, and the virtual CPUs that take turns on it.
 *
 * The CPU is always in one of three places: in a stretch of guest code (a task waits for its end), in the
 * hypervisor, or idle. Hypervisor code runs within one event; what it costs is added to the CPU's own time,
 * which then runs ahead of the clock until the next event of this CPU. An interrupt that comes meanwhile is
 * taken when the CPU's time is reached.
 */
import type { Clock, Ns, Task } from '../core/clock.ts';
import { Priority } from '../core/event-queue.ts';
import type { Part, Plain } from '../core/state.ts';
import type { Trace, Tracepoint } from '../core/trace.ts';
import type { GuestEntry, VirtualCpu } from '../hw/x86/cpu.ts';
import type { LocalApic } from '../hw/x86/lapic.ts';
import { timing } from '../timing.ts';

/** What the hypervisor does on a CPU; one object for all CPUs. */
export interface Hypervisor {
  /** Handles one interrupt, taken from the local APIC with the guest stopped. */
  interrupt(cpu: Pcpu, vector: number): void;
  /** Runs one softirq. */
  softirq(cpu: Pcpu, nr: number): void;
  /** On the way into the guest: true if an event is to be delivered now, in place of going on. */
  injects(v: Vcpu): boolean;
  /** SCHEDOP_block. False if an event is there already. */
  block(v: Vcpu): boolean;
  /** SCHEDOP_poll. False if there is no reason to sleep. */
  poll(v: Vcpu, port: number): boolean;
}

export type VcpuState = 'running' | 'runnable' | 'blocked' | 'offline';

export class Vcpu implements VirtualCpu, Part {
  readonly id: string;
  state: VcpuState = 'offline';
  /** time of the guest's stretch that is left; -1 while the kernel is deciding */
  left: Ns = -1;
  /** virtual time spent running */
  runNs: Ns = 0;
  /** when it was last put on a CPU */
  since: Ns = 0;
  upcalls = 0;
  entry!: GuestEntry;

  /** @param cpu the physical CPU it runs on, or ran on last */
  constructor(
    readonly index: number,
    readonly domain: number,
    readonly vcpu: number,
    public cpu: Pcpu,
    /** physical CPUs it may run on */
    readonly affinity: readonly number[],
  ) {
    this.id = `dom${domain}.vcpu${vcpu}`;
  }

  get name(): string {
    return `dom${this.domain}.${this.vcpu}`;
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

  block(): void {
    this.left = 0;
    this.cpu.charge(timing.hypercall);
    if (this.cpu.hypervisor.block(this)) this.cpu.sleep(this);
  }

  poll(port: number): void {
    this.left = 0;
    this.cpu.charge(timing.hypercall);
    if (this.cpu.hypervisor.poll(this, port)) this.cpu.sleep(this);
  }

  save(): Plain {
    return [this.state, this.left, this.runNs, this.since, this.upcalls, this.cpu.cpu];
  }

  restore(state: Plain): void {
    const [s, left, runNs, since, upcalls, cpu] = state as [
      VcpuState,
      number,
      number,
      number,
      number,
      number,
    ];
    this.state = s;
    this.left = left;
    this.runNs = runNs;
    this.since = since;
    this.upcalls = upcalls;
    this.cpu = this.cpu.peer(cpu);
  }
}

/** What all CPUs of a host share. */
export interface PcpuWiring {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly hypervisor: Hypervisor;
  readonly scheduleSoftirq: number;
  /** all CPUs and virtual CPUs by index, filled while building */
  readonly cpus: Pcpu[];
  readonly vcpus: Vcpu[];
  /** the CPU whose code the current event runs; null outside */
  here: Pcpu | null;
}

export class Pcpu implements Part {
  readonly id: string;
  lapic!: LocalApic;
  readonly hypervisor: Hypervisor;
  current: Vcpu | null = null;
  guestNs: Ns = 0;
  xenNs: Ns = 0;
  private readonly clock: Clock;
  /** this CPU's time where it runs ahead of the clock */
  private busyUntil: Ns = 0;
  private stretchStart: Ns = 0;
  private softirqs = 0;
  private readonly runTask: Task;
  private readonly irqTask: Task;
  private readonly switched: Tracepoint;

  constructor(
    readonly cpu: number,
    private readonly wiring: PcpuWiring,
  ) {
    this.id = `cpu${cpu}`;
    this.clock = wiring.clock;
    this.hypervisor = wiring.hypervisor;
    this.runTask = this.clock.task(`cpu${cpu}.stretch`, Priority.guest, () => this.stretchOver());
    this.irqTask = this.clock.task(`cpu${cpu}.interrupt`, Priority.hardware, () => this.takeInterrupts());
    this.switched = wiring.trace.point('sched_switch', 'prev', 'next');
  }

  peer(cpu: number): Pcpu {
    return this.wiring.cpus[cpu]!;
  }

  /** The CPU's own time. */
  get time(): Ns {
    const { now } = this.clock;
    return this.busyUntil > now ? this.busyUntil : now;
  }

  /** Hypervisor code runs for `ns`. */
  charge(ns: Ns): void {
    this.busyUntil = this.time + ns;
    this.xenNs += ns;
  }

  /** The local APIC has something to take: at once, or when the CPU's time is reached. */
  interruptRequest(): void {
    if (this.wiring.here === this || this.irqTask.queued) return;
    this.irqTask.at(this.time);
  }

  raiseSoftirq(nr: number): void {
    this.softirqs |= 1 << nr;
  }

  softirqPending(nr: number): boolean {
    return (this.softirqs & (1 << nr)) !== 0;
  }

  /** The running virtual CPU has nothing to do. */
  sleep(v: Vcpu): void {
    v.state = 'blocked';
    this.raiseSoftirq(this.wiring.scheduleSoftirq);
  }

  /** Puts `next` on the CPU in place of the current one; the scheduler's decision, within its softirq. */
  switchTo(next: Vcpu | null): void {
    const prev = this.current;
    if (prev === next) return;
    const now = this.time;
    if (prev) {
      prev.runNs += now - prev.since;
      if (prev.state === 'running') prev.state = 'runnable';
    }
    this.charge(prev && next ? timing.contextSwitch : timing.contextSwitch >> 1);
    this.current = next;
    if (next) {
      next.state = 'running';
      next.cpu = this;
      next.since = this.time;
    }
    this.wiring.trace.emit(
      this.switched,
      this.time,
      0,
      this.cpu,
      prev ? prev.index : -1,
      next ? next.index : -1,
    );
  }

  /** Time spent in guest code so far, the running stretch included. */
  guestTime(): Ns {
    const { now } = this.clock;
    return this.guestNs + (this.runTask.queued && now > this.stretchStart ? now - this.stretchStart : 0);
  }

  /** Time spent in the hypervisor up to the clock's now. */
  xenTime(): Ns {
    return this.xenNs - Math.max(0, this.busyUntil - this.clock.now);
  }

  /** In the hypervisor at the clock's now? */
  get inXen(): boolean {
    return this.busyUntil > this.clock.now;
  }

  private takeInterrupts(): void {
    if (this.time > this.clock.now) {
      this.irqTask.at(this.time);
      return;
    }
    this.enter();
    this.charge(timing.irqEntry);
    for (let vector = this.lapic.ack(); vector >= 0; vector = this.lapic.ack()) {
      this.hypervisor.interrupt(this, vector);
    }
    this.leave();
  }

  /** Code other than a guest's begins on this CPU: the guest's stretch stops where it is. */
  private enter(): void {
    this.wiring.here = this;
    const v = this.current;
    if (!v) {
      this.charge(timing.idleWake);
      return;
    }
    const end = this.runTask.when;
    if (end === undefined) return;
    v.left = end - this.clock.now;
    this.runTask.cancel();
    this.guestNs += this.clock.now - this.stretchStart;
  }

  private stretchOver(): void {
    this.wiring.here = this;
    this.guestNs += this.clock.now - this.stretchStart;
    const v = this.current!;
    v.left = -1;
    v.entry.done();
    this.leave();
  }

  /** The way out of the hypervisor: softirqs, then whoever is current, with an event if one is due. */
  private leave(): void {
    for (;;) {
      while (this.softirqs !== 0) {
        const nr = 31 - Math.clz32(this.softirqs & -this.softirqs);
        this.softirqs &= ~(1 << nr);
        this.hypervisor.softirq(this, nr);
      }
      const v = this.current;
      if (!v) break;
      if (this.hypervisor.injects(v)) {
        this.charge(timing.bounceFrame);
        v.upcalls++;
        const { left } = v;
        v.left = -1;
        v.entry.upcall(left);
      }
      if (this.softirqs !== 0) continue;
      this.stretchStart = this.time;
      this.runTask.at(this.stretchStart + v.left);
      break;
    }
    this.wiring.here = null;
    if (this.lapic.deliverable() >= 0) this.interruptRequest();
  }

  save(): Plain {
    return [
      this.current ? this.current.index : -1,
      this.guestNs,
      this.xenNs,
      this.busyUntil,
      this.stretchStart,
      this.softirqs,
    ];
  }

  restore(state: Plain): void {
    const [current, guestNs, xenNs, busyUntil, stretchStart, softirqs] = state as number[];
    this.current = current! < 0 ? null : this.wiring.vcpus[current!]!;
    this.guestNs = guestNs!;
    this.xenNs = xenNs!;
    this.busyUntil = busyUntil!;
    this.stretchStart = stretchStart!;
    this.softirqs = softirqs!;
  }
}
