/**
 * One CPU of a Linux guest: what it executes, as a stack of frames, from the upcall through interrupt
 * handlers and softirqs back to threads and the idle loop (arch/x86/entry, kernel/softirq.c, kernel/sched).
 *
 * A frame is plain data: what runs, its argument, and how much of its time is left while something else
 * runs on top of it. The virtual CPU calls `done` when the top frame's time is over and `upcall` when an
 * event interrupts it.
 */
import { lowestBit } from '../../core/bits.ts';
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { GuestEntry, VirtualCpu } from '../../hw/x86/cpu.ts';
import { timing } from '../../timing.ts';
import type { IrqDesc } from './irq-core.ts';
import type { LinuxKernel } from './kernel.ts';
import type { Thread } from './threads.ts';

const IDLE = 0;
const SWITCH = 1; // to a thread
const THREAD = 2;
const UPCALL = 3; // looking for events
const EXIT = 4; // irq_exit
const HANDLER = 5; // of an irq: its n-th action
const SOFTIRQ = 6;
const POLLING = 7; // a thread that spins on a lock's event

interface Frame {
  kind: number;
  /** thread, irq or softirq */
  arg: number;
  /** HANDLER: which action */
  nth: number;
  left: Ns;
}

/** Rounds of softirqs before they are left to ksoftirqd (MAX_SOFTIRQ_RESTART). */
const MAX_SOFTIRQ_RESTART = 10;

export class LinuxCpu implements GuestEntry, Part {
  readonly id: string;
  private frames: Frame[] = [{ kind: IDLE, arg: 0, nth: 0, left: 0 }];
  softirqPending = 0;
  private restarts = 0;
  private pollPort = 0;
  /** threads that are ready, first come first served */
  runq: Thread[] = [];

  constructor(
    readonly kernel: LinuxKernel,
    readonly cpu: number,
    readonly vcpu: VirtualCpu,
  ) {
    this.id = `${kernel.id}.cpu${cpu}`;
  }

  get now(): Ns {
    return this.vcpu.now;
  }

  /** Nothing but the idle loop on the stack? */
  get idle(): boolean {
    return this.frames.length === 1 && this.runq.length === 0;
  }

  raiseSoftirq(nr: number): void {
    this.softirqPending |= 1 << nr;
  }

  // GuestEntry

  /** xen_hypervisor_callback: what ran is kept, the events are looked at. */
  upcall(remaining: Ns): void {
    if (this.kernel.init.callbackVector) this.kernel.countArch('HYP', this.cpu);
    this.top.left = remaining;
    this.push(UPCALL, 0);
    this.kernel.events.beginUpcall(this);
    this.vcpu.run(timing.upcallEntry);
  }

  done(): void {
    const frame = this.top;
    switch (frame.kind) {
      case IDLE:
        this.schedule();
        return;
      case SWITCH:
        frame.kind = THREAD;
        this.vcpu.run(this.kernel.threads[frame.arg]!.work.cost(this));
        return;
      case THREAD:
        this.threadStep(frame);
        return;
      case UPCALL:
        this.nextEvent();
        return;
      case EXIT:
        this.irqExit();
        return;
      case POLLING:
        frame.kind = THREAD;
        this.vcpu.run(this.kernel.threads[frame.arg]!.work.cost(this));
        return;
      case HANDLER:
        this.handlerDone(frame);
        return;
      case SOFTIRQ:
        this.softirqDone(frame);
    }
  }

  // interrupts

  /** The upcall's loop: one event after the other until none is left. */
  private nextEvent(): void {
    for (;;) {
      const desc = this.kernel.events.next(this);
      if (!desc) {
        this.top.kind = EXIT;
        this.vcpu.run(timing.upcallExit);
        return;
      }
      if (this.handleIrq(desc)) return;
    }
  }

  /** generic_handle_irq: true if a handler runs now. */
  private handleIrq(desc: IrqDesc): boolean {
    const { kernel } = this;
    desc.chip.ack(desc, this);
    if (desc.actions.length === 0) return false;
    desc.counts[this.cpu]!++;
    kernel.interrupts++;
    desc.active++;
    desc.actions[0]!.work.count?.(this);
    kernel.traceHandler(this, desc);
    this.push(HANDLER, desc.irq);
    this.vcpu.run(timing.eventScan + desc.actions[0]!.work.cost(this));
    return true;
  }

  private handlerDone(frame: Frame): void {
    const desc = this.kernel.irqs.descs[frame.arg]!;
    desc.actions[frame.nth]!.work.run(this);
    const next = desc.actions[++frame.nth];
    if (next) {
      this.vcpu.run(next.work.cost(this));
      return;
    }
    desc.active--;
    desc.chip.end(desc, this);
    this.kernel.traceHandlerEnd(this, desc);
    this.frames.pop();
    this.nextEvent();
  }

  /** irq_exit: softirqs, unless they were interrupted themselves; then back to what was interrupted. */
  private irqExit(): void {
    this.frames.pop();
    if (this.softirqPending !== 0 && !this.inSoftirq()) {
      this.restarts = 0;
      this.push(SOFTIRQ, 0);
      this.startSoftirq();
      return;
    }
    this.resume();
  }

  // softirqs: upcalls are let in while they run

  private startSoftirq(): void {
    const nr = lowestBit(this.softirqPending);
    this.softirqPending &= ~(1 << nr);
    this.top.arg = nr;
    this.kernel.countSoftirq(nr, this.cpu);
    this.kernel.events.unmaskUpcalls(this);
    this.vcpu.run(timing.softirqEntry + this.kernel.softirqs[nr]!.cost(this));
  }

  private softirqDone(frame: Frame): void {
    this.kernel.softirqs[frame.arg]!.run(this);
    if (this.softirqPending !== 0 && this.restarts++ < MAX_SOFTIRQ_RESTART * 10) {
      this.startSoftirq();
      return;
    }
    this.frames.pop();
    if (this.softirqPending !== 0) this.kernel.wakeKsoftirqd(this);
    this.resume();
  }

  private inSoftirq(): boolean {
    return this.frames.some((f) => f.kind === SOFTIRQ);
  }

  // threads and the idle loop

  /** iret: upcalls are let in and what was interrupted goes on. */
  private resume(): void {
    this.kernel.events.unmaskUpcalls(this);
    const frame = this.top;
    if (frame.kind === IDLE) this.schedule();
    else this.vcpu.run(frame.left);
  }

  /** Takes the next ready thread, or sleeps until an event arrives. */
  private schedule(): void {
    const thread = this.runq.shift();
    if (thread) {
      this.push(SWITCH, thread.index);
      this.kernel.time.busy(this);
      this.vcpu.run(timing.threadSwitch);
      return;
    }
    this.kernel.time.idle(this);
    this.vcpu.block();
  }

  private threadStep(frame: Frame): void {
    const thread = this.kernel.threads[frame.arg]!;
    const more = thread.work.run(this);
    if (this.pollPort !== 0) {
      const port = this.pollPort;
      this.pollPort = 0;
      frame.kind = POLLING;
      this.vcpu.poll(port);
      return;
    }
    if (more) {
      // a fair share each: whoever waits comes first
      if (this.runq.length > 0) {
        this.runq.push(thread);
        this.frames.pop();
        this.schedule();
      } else this.vcpu.run(thread.work.cost(this));
      return;
    }
    if (thread.again) {
      thread.again = false;
      this.vcpu.run(thread.work.cost(this));
      return;
    }
    thread.ready = false;
    this.frames.pop();
    this.schedule();
  }

  /** The running thread sleeps in Xen until the port is pending (xen_poll_irq); said from within its step. */
  pollFor(port: number): void {
    this.pollPort = port;
  }

  private push(kind: number, arg: number): void {
    this.frames.push({ kind, arg, nth: 0, left: 0 });
  }

  private get top(): Frame {
    return this.frames[this.frames.length - 1]!;
  }

  save(): Plain {
    return {
      frames: this.frames.map((f) => [f.kind, f.arg, f.nth, f.left]),
      softirqs: [this.softirqPending, this.restarts],
      runq: this.runq.map((t) => t.index),
    };
  }

  restore(state: Plain): void {
    const s = state as {
      frames: [number, number, number, number][];
      softirqs: [number, number];
      runq: number[];
    };
    this.frames = s.frames.map(([kind, arg, nth, left]) => ({ kind, arg, nth, left }));
    [this.softirqPending, this.restarts] = s.softirqs;
    this.runq = s.runq.map((i) => this.kernel.threads[i]!);
  }
}
