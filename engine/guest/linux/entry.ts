/**
 * One CPU of a Linux guest: what it executes, as a stack of frames, from the upcall through interrupt
 * handlers and softirqs back to threads and the idle loop (arch/x86/entry, kernel/softirq.c, kernel/sched).
 *
 * A frame is plain data: what runs, its argument, and how much of its time is left while something else
 * runs on top of it. The virtual CPU calls `done` when the top frame's time is over and `upcall` when an
 * event interrupts it.
 */
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { GuestEntry, VirtualCpu } from '../../hw/x86/cpu.ts';
import { timing } from '../../timing.ts';
import type { IrqDesc } from './irq-core.ts';
import type { LinuxKernel } from './kernel.ts';
import { NET_RX_SOFTIRQ } from './napi.ts';
import { Softirqs } from './softirq.ts';
import type { Thread } from './threads.ts';

const IDLE = 0;
const SWITCH = 1; // to a thread
const THREAD = 2;
const UPCALL = 3; // looking for events
const EXIT = 4; // irq_exit
const HANDLER = 5; // of an irq: its n-th action
const SOFTIRQ = 6;
const POLLING = 7; // a thread that spins on a lock's event

/** THREAD: its step is over, and whether it goes on at once */
const OVER = 1;
const MORE = 2;

interface Frame {
  kind: number;
  /** thread, irq or softirq */
  arg: number;
  /** HANDLER: which action; SWITCH: time left of the thread's step; THREAD: OVER or MORE */
  nth: number;
  left: Ns;
}

export class LinuxCpu implements GuestEntry, Part {
  readonly id: string;
  private frames: Frame[] = [{ kind: IDLE, arg: 0, nth: 0, left: 0 }];
  private readonly softirqs: Softirqs;
  private readonly ksoftirqd: Thread;
  /** an upcall came while another one was under way */
  private nested = false;
  private pollPort = 0;
  /** threads that are ready */
  runq: Thread[] = [];

  constructor(
    readonly kernel: LinuxKernel,
    readonly cpu: number,
    readonly vcpu: VirtualCpu,
  ) {
    this.id = `${kernel.id}.cpu${cpu}`;
    this.softirqs = new Softirqs(kernel.profile);
    // its steps are the softirqs themselves
    this.ksoftirqd = kernel.thread(`ksoftirqd/${cpu}`, cpu, { cost: () => 0, run: () => false });
  }

  get now(): Ns {
    return this.vcpu.now;
  }

  /** Nothing but the idle loop on the stack? */
  get idle(): boolean {
    return this.frames.length === 1 && this.runq.length === 0;
  }

  raiseSoftirq(nr: number): void {
    this.softirqs.raise(nr);
  }

  softirqRaised(nr: number): boolean {
    return this.softirqs.raised(nr);
  }

  // GuestEntry

  /** xen_hypervisor_callback: what ran is kept, the events are looked at. */
  upcall(remaining: Ns): void {
    if (this.kernel.init.callbackVector) this.kernel.countArch('HYP', this.cpu);
    this.top.left = remaining;
    if (this.frames.some((f) => f.kind === UPCALL)) this.nestedUpcall();
    else {
      this.push(UPCALL, 0);
      this.kernel.events.beginUpcall(this);
    }
    this.vcpu.run(timing.upcallEntry);
  }

  /** In softirqs that run within an upcall: it bails out at once, the outer one goes round again. */
  private nestedUpcall(): void {
    this.kernel.setUpcall(this.cpu, false, undefined);
    this.nested = true;
    this.push(EXIT, 0);
  }

  done(): void {
    const frame = this.top;
    switch (frame.kind) {
      case IDLE:
        this.schedule();
        return;
      case SWITCH:
      case POLLING:
        frame.kind = THREAD;
        this.startStep(frame);
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
      if (!desc && this.nested) {
        this.nested = false;
        this.kernel.events.beginUpcall(this);
        continue;
      }
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
    if (this.softirqs.perIrq && this.softirqsDue()) this.doSoftirq();
    else this.nextEvent();
  }

  /** irq_exit: softirqs, unless they were interrupted themselves; then back to what was interrupted. */
  private irqExit(): void {
    this.frames.pop();
    if (!this.softirqs.perIrq && this.softirqsDue()) this.doSoftirq();
    else this.resume();
  }

  // softirqs: upcalls are let in while they run

  /** May softirqs run now, outside of interrupts? */
  private softirqsDue(): boolean {
    if (this.softirqs.pending === 0 || this.frames.some((f) => f.kind === SOFTIRQ)) return false;
    return !(this.softirqs.leftToKsoftirqd && this.ksoftirqd.ready);
  }

  /** __do_softirq. */
  private doSoftirq(): void {
    this.softirqs.begin(this.jiffies);
    this.push(SOFTIRQ, 0);
    this.startSoftirq(this.softirqs.next());
  }

  private startSoftirq(nr: number): void {
    this.top.arg = nr;
    this.kernel.countSoftirq(nr, this.cpu);
    this.kernel.events.unmaskUpcalls(this);
    this.vcpu.run(timing.softirqEntry + this.kernel.softirqs[nr]!.cost(this));
  }

  private softirqDone(frame: Frame): void {
    const { softirqs, kernel } = this;
    const work = kernel.softirqs[frame.arg]!;
    work.run(this);
    if (frame.arg === NET_RX_SOFTIRQ && kernel.napi.goesOn(this)) {
      this.vcpu.run(work.cost(this));
      return;
    }
    let nr = softirqs.next();
    if (nr < 0 && softirqs.restart(this.jiffies, this.needResched())) nr = softirqs.next();
    if (nr >= 0) {
      this.startSoftirq(nr);
      return;
    }
    this.frames.pop();
    if (softirqs.pending !== 0) kernel.wake(this.ksoftirqd, this);
    this.afterSoftirqs();
  }

  private afterSoftirqs(): void {
    const frame = this.top;
    if (frame.kind === UPCALL) {
      this.kernel.setUpcall(this.cpu, undefined, true);
      this.nextEvent();
    } else if (frame.kind === THREAD && frame.nth !== 0) this.stepOver(frame);
    else this.resume();
  }

  private get jiffies(): number {
    return this.kernel.time.jiffies(this.now);
  }

  // threads and the idle loop

  /** Does a thread wait that the present one gives way to? The idle loop gives way to any. */
  private needResched(): boolean {
    const current = this.frames[1]?.kind;
    const inThread = current === SWITCH || current === THREAD || current === POLLING;
    return inThread ? this.runq.some((t) => !t.waits) : this.runq.length > 0;
  }

  /** iret: upcalls are let in; what was interrupted goes on, unless a thread was woken meanwhile. */
  private resume(): void {
    this.kernel.events.unmaskUpcalls(this);
    const frame = this.top;
    if (frame.kind === IDLE) this.schedule();
    else if (frame.kind === THREAD && frame.left > 0 && this.needResched()) {
      const thread = this.kernel.threads[frame.arg]!;
      thread.left = frame.left;
      this.giveWay(thread);
    } else this.vcpu.run(frame.left);
  }

  /** Takes the next ready thread, or sleeps until an event arrives. */
  private schedule(): void {
    if (this.runq.length > 0) {
      const woken = this.runq.findIndex((t) => !t.waits);
      const [thread] = this.runq.splice(Math.max(0, woken), 1) as [Thread];
      for (const other of this.runq) other.waits = true;
      this.kernel.switches++;
      this.push(SWITCH, thread.index);
      this.top.nth = thread.left;
      thread.left = 0;
      this.kernel.time.busy(this);
      this.vcpu.run(timing.threadSwitch);
      return;
    }
    this.kernel.switches++;
    this.kernel.time.idle(this);
    this.vcpu.block();
  }

  /** The running thread waits for its next turn. */
  private giveWay(thread: Thread): void {
    thread.waits = true;
    this.runq.push(thread);
    this.frames.pop();
    this.schedule();
  }

  private startStep(frame: Frame): void {
    const thread = this.kernel.threads[frame.arg]!;
    if (thread === this.ksoftirqd) {
      frame.nth = OVER;
      if (this.softirqs.pending !== 0) this.doSoftirq();
      else this.stepOver(frame);
      return;
    }
    const rest = frame.nth;
    frame.nth = 0;
    this.vcpu.run(rest > 0 ? rest : thread.work.cost(this));
  }

  private threadStep(frame: Frame): void {
    const thread = this.kernel.threads[frame.arg]!;
    // what it was woken for so far, this step has seen
    thread.again = false;
    frame.nth = thread.work.run(this) ? MORE : OVER;
    if (this.pollPort !== 0) {
      const port = this.pollPort;
      this.pollPort = 0;
      frame.kind = POLLING;
      frame.nth = 0;
      this.vcpu.poll(port);
      return;
    }
    // local_bh_enable
    if (this.softirqsDue()) this.doSoftirq();
    else this.stepOver(frame);
  }

  /** It goes on, gives way to whoever waits, or sleeps. */
  private stepOver(frame: Frame): void {
    const thread = this.kernel.threads[frame.arg]!;
    const more = thread === this.ksoftirqd ? this.softirqs.pending !== 0 : frame.nth === MORE || thread.again;
    frame.nth = 0;
    thread.again = false;
    if (more) {
      if (this.runq.length > 0) this.giveWay(thread);
      else this.startStep(frame);
      return;
    }
    thread.ready = false;
    thread.waits = false;
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
      softirqs: this.softirqs.save(),
      nested: this.nested,
      runq: this.runq.map((t) => [t.index, Number(t.waits), t.left]),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      frames: [number, number, number, number][];
      softirqs: Plain;
      nested: boolean;
      runq: [index: number, waits: number, left: number][];
    };
    this.frames = s.frames.map(([kind, arg, nth, left]) => ({ kind, arg, nth, left }));
    this.softirqs.restore(s.softirqs);
    this.nested = s.nested;
    for (const thread of this.kernel.threads) {
      if (thread.cpu !== this.cpu) continue;
      thread.waits = false;
      thread.left = 0;
    }
    this.runq = s.runq.map(([index, waits, left]) => {
      const thread = this.kernel.threads[index]!;
      thread.waits = waits === 1;
      thread.left = left;
      return thread;
    });
  }
}
