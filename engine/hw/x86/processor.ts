/**
 * A physical processor that runs a native kernel and, in VMX non-root mode, its guests.
 *
 * It is always in one of three places: in a stretch of code (of its kernel in root mode, or of a guest in
 * non-root mode; a task waits for its end), between two stretches while something is decided, or halted. A
 * decision is made in one event: what it does is seen by others at the event's time, what it costs is added to
 * the processor's own time, which then runs ahead of the clock; the next stretch begins there.
 *
 * Interrupts are taken between decisions: in root mode through the kernel's gates while RFLAGS.IF is set, in
 * non-root mode by leaving it.
 */
import type { Changing, Watcher } from '../../core/bits.ts';
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { CpuTime } from '../../core/cpu-time.ts';
import { Priority } from '../../core/event-queue.ts';
import type { Part, Plain } from '../../core/state.ts';
import { timing } from '../../timing.ts';
import type { NativeCpu, NativeEntry, Width } from './cpu.ts';
import type { IoBus } from './io-bus.ts';

/** What runs on a processor in non-root mode. It leaves by `Processor.leaveGuest`. */
export interface NonRoot extends Changing {
  readonly index: number;
  /** time of its stretch that is left */
  left: Ns;
  /** The stretch is over. */
  done(): void;
  /** The local APIC has an interrupt for the processor: a VM exit, or posted interrupts are taken over. */
  interrupted(): void;
  /** A non-maskable interrupt. */
  nonMaskable(): void;
}

/** What a processor needs of its own local APIC. */
export interface InterruptSource {
  /** the vector it would take now; -1 for none */
  deliverable(): number;
  /** takes it: IRR to ISR */
  ack(): number;
  eoi(): number;
}

/** The registers of the local APIC at its page and in MSRs. */
export interface ApicRegisters extends InterruptSource {
  read(offset: number, width: Width): number | null;
  write(offset: number, value: number, width?: Width): void;
  rdmsr(msr: number): readonly [low: number, high: number] | undefined;
  wrmsr(msr: number, low: number, high: number): boolean;
}

/** What all processors of a machine share. */
export interface ProcessorWiring {
  readonly clock: Clock;
  readonly bus: IoBus;
  /** filled while building */
  readonly cpus: Processor[];
  readonly guests: NonRoot[];
  /** whose decision is being made; null between events */
  here: Processor | null;
}

const APIC_PAGE = 0xfee0_0000;

export class Processor implements NativeCpu, Part, Changing {
  readonly id: string;
  lapic!: ApicRegisters;
  entry!: NativeEntry;
  interruptFlag = false;
  /** runs in non-root mode; null in root mode */
  guest: NonRoot | null = null;
  /** of `idle` */
  watcher: Watcher | undefined = undefined;
  /** VM exits */
  exits = 0;
  private left: Ns = 0;
  private halted = true;
  private nmiLatched = false;
  private readonly clock: Clock;
  private readonly own: CpuTime;
  private readonly stretch: Task;
  /** a store to the line that it monitors, or reads in a loop, is on its way */
  private readonly monitor: Task;

  constructor(
    readonly processor: number,
    private readonly wiring: ProcessorWiring,
  ) {
    this.id = `processor${processor}`;
    this.clock = wiring.clock;
    this.own = new CpuTime(wiring.clock);
    this.monitor = this.clock.task(`cpu${processor}.mwait`, Priority.hardware, () => this.monitored());
    this.stretch = this.clock.task(`cpu${processor}.stretch`, Priority.guest, () => this.stretchOver());
  }

  get vcpu(): number {
    return this.processor;
  }

  get now(): Ns {
    return this.own.now;
  }

  /** Root-mode code within a decision takes `ns`. */
  charge(ns: Ns): void {
    this.own.charge(ns);
  }

  // what its kernel may do

  spend(ns: Ns): void {
    this.charge(ns);
  }

  /** The same by a guest's. */
  spendInGuest(ns: Ns): void {
    this.own.spendInGuest(ns);
  }

  run(ns: Ns): void {
    this.left = ns;
    this.halted = false;
  }

  halt(): void {
    this.interruptFlag = true;
    this.halted = true;
  }

  out(port: number, value: number, width: Width = 1): void {
    this.charge(timing.portAccess);
    this.wiring.bus.out(port, value, width);
  }

  in(port: number, width: Width = 1): number {
    this.charge(timing.portAccess);
    return this.wiring.bus.in(port, width);
  }

  store(address: number, value: number, width: Width = 4): void {
    this.charge(timing.mmioAccess);
    if (address >= APIC_PAGE && address < APIC_PAGE + 4096) {
      this.lapic.write(address - APIC_PAGE, value, width);
    } else this.wiring.bus.store(address, value, width);
  }

  load(address: number, width: Width = 4): number {
    this.charge(timing.mmioAccess);
    if (address >= APIC_PAGE && address < APIC_PAGE + 4096) {
      return this.lapic.read(address - APIC_PAGE, width) ?? 0;
    }
    return this.wiring.bus.load(address, width);
  }

  wrmsr(msr: number, low: number, high = 0): boolean {
    this.charge(timing.msrAccess);
    return this.lapic.wrmsr(msr, low, high);
  }

  nmiReturn(): void {
    // a second NMI waits in the latch until the first one's handler has its stretch
  }

  rdmsr(msr: number): number | undefined {
    this.charge(timing.msrAccess);
    return this.lapic.rdmsr(msr)?.[0];
  }

  // VMX

  /** VM entry: from now on `guest` runs here. The kernel's code that does it says nothing else. */
  enterGuest(guest: NonRoot): void {
    this.guest = guest;
    this.halted = false;
    guest.watcher?.changed();
  }

  /** Root mode again: its kernel goes on for `left` and is then `done`, unless an interrupt comes between. */
  leaveGuest(left: Ns): void {
    this.guest?.watcher?.changed();
    this.guest = null;
    this.interruptFlag = true;
    this.left = left;
  }

  // from outside

  /** The kernel begins: its first decision is made now. */
  start(): void {
    this.run(0);
    this.stretch.at(this.own.begin());
  }

  /** The local APIC has something to take: now, or between two decisions. */
  interruptRequest(): void {
    if (this.wiring.here === this || (!this.guest && !this.interruptFlag)) return;
    this.interrupt();
  }

  monitorStore(now: Ns): void {
    if (!this.monitor.queued) this.monitor.at(now + timing.mwaitStore);
  }

  /** MWAIT, or a loop, ends without an interrupt. */
  private monitored(): void {
    if (this.guest || !(this.idle || this.entry.spinOver())) return;
    this.decides(this);
    this.stop();
    this.halted = false;
    this.left = 0;
    this.entry.done();
    this.leave();
    this.decides(null);
  }

  nmi(): void {
    this.nmiLatched = true;
    if (this.wiring.here !== this) this.interrupt();
  }

  /** Stops the guest's stretch, for a reason that hypervisor or processor finds at this moment. */
  stopGuest(decide: () => void): void {
    const before = this.wiring.here;
    this.decides(this);
    this.stop();
    decide();
    this.leave();
    this.decides(before);
  }

  /** Whose decision is made from now on. */
  private decides(whose: Processor | null): void {
    const { wiring } = this;
    wiring.here?.decided();
    wiring.here = whose;
    whose?.decided();
  }

  /** Of a processor that is not halted this changes nothing that is seen. */
  private decided(): void {
    if (this.halted) this.watcher?.changed();
  }

  private interrupt(): void {
    const before = this.wiring.here;
    this.decides(this);
    this.stop();
    this.leave();
    this.decides(before);
  }

  /** The stretch ends where it is; one that has not begun yet is left whole. */
  private stop(): void {
    if (!this.stretch.queued) {
      this.wakeUp();
      return;
    }
    const left = this.stretch.when! - this.own.end(this.guest !== null);
    if (this.guest) this.guest.left = left;
    else this.left = left;
    this.stretch.cancel();
  }

  private wakeUp(): void {
    this.own.idled();
    this.left = 0;
    this.charge(timing.idleWake);
  }

  private stretchOver(): void {
    this.decides(this);
    const { guest } = this;
    this.own.end(guest !== null);
    if (guest) guest.done();
    else this.entry.done();
    this.leave();
    this.decides(null);
  }

  /** A decision has been made: interrupts that wait are taken, then what was decided begins. */
  private leave(): void {
    for (;;) {
      const { guest } = this;
      if (this.nmiLatched) {
        this.nmiLatched = false;
        if (guest) guest.nonMaskable();
        else this.gate(-1);
      } else if (this.lapic.deliverable() < 0) break;
      else if (guest) guest.interrupted();
      else if (this.interruptFlag) this.gate(this.lapic.ack());
      else break;
    }
    if (this.halted && !this.guest) return;
    this.stretch.at(this.own.begin() + (this.guest ? this.guest.left : this.left));
  }

  /** The interrupt descriptor table in root mode; -1: the NMI's gate. */
  private gate(vector: number): void {
    if (this.halted) {
      this.halted = false;
      this.left = 0;
    }
    this.throughGate(vector, this.left);
  }

  /** The gate of a vector, entered by the processor or by a hypervisor that builds the frame by hand. */
  throughGate(vector: number, remaining: Ns): void {
    this.interruptFlag = false;
    this.charge(timing.irqEntry);
    if (vector < 0) this.entry.nmi(remaining);
    else this.entry.interrupt(vector, remaining);
  }

  // where its time went; the three add up to the clock's now

  guestTime(): Ns {
    return this.own.inGuest(this.stretch.queued && this.guest !== null);
  }

  rootTime(): Ns {
    return this.own.inHost(this.stretch.queued && this.guest === null, false);
  }

  idleTime(): Ns {
    return this.own.inIdle(this.idle);
  }

  get idle(): boolean {
    return this.halted && this.guest === null && this.wiring.here !== this;
  }

  save(): Plain {
    const { left, exits } = this;
    const flags = [this.interruptFlag, this.halted, this.nmiLatched].map(Number);
    return [this.guest ? this.guest.index : -1, left, exits, ...flags, ...this.own.save()];
  }

  restore(state: Plain): void {
    const [guest, left, exits, flag, halted, nmi, ...own] = state as number[];
    this.guest = guest! < 0 ? null : this.wiring.guests[guest!]!;
    this.left = left!;
    this.exits = exits!;
    this.interruptFlag = flag === 1;
    this.halted = halted === 1;
    this.nmiLatched = nmi === 1;
    this.own.restore(own);
  }
}
