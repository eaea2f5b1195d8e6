/** A virtual CPU of a hypervisor that has CPUs of its own (pcpu.ts), whatever its guest knows of that. */
import { Bitmap } from '../core/bits.ts';
import type { Ns } from '../core/clock.ts';
import { Runstate, type RunstateName } from '../core/runstate.ts';
import type { Part, Plain } from '../core/state.ts';
import { timing } from '../timing.ts';
import type { InterruptLine } from './hypervisor.ts';
import type { Pcpu } from './pcpu.ts';

/** By their numbers (RUNSTATE_*). */
export const RUNSTATES: readonly RunstateName[] = ['running', 'runnable', 'blocked', 'offline'];

/** One that has blocked is `running` until its CPU has switched away from it. */
export type VcpuState = RunstateName;

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
