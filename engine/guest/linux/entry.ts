/**
 * One CPU of a Linux kernel: what it executes, from interrupt handlers through softirqs back to threads and the idle loop
 * (arch/x86/entry, kernel/softirq.c, kernel/sched), as a stack of frames (frames.ts). How interrupts come is the business of
 * xen-entry.ts and native-entry.ts. The processor calls `done` when the top frame's time is over.
 */
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Processor } from '../../hw/cpu.ts';
import { timing } from '../../timing.ts';
import {
  EXCEPTION,
  EXIT,
  type Frame,
  FrameStack,
  HANDLER,
  IDLE,
  POLLING,
  type SavedFrames,
  SOFTIRQ,
  SWITCH,
  THREAD,
  UPCALL,
} from './frames.ts';
import type { IrqDesc } from './irq-core.ts';
import type { LinuxKernel } from './kernel.ts';
import { NET_RX_SOFTIRQ } from './napi.ts';
import { Softirqs } from './softirq.ts';
import type { Thread } from './threads.ts';

/** THREAD: its step is over, and whether it goes on at once */
const OVER = 1;
const MORE = 2;

export abstract class LinuxCpu extends FrameStack implements Part {
  readonly id: string;
  protected readonly softirqs: Softirqs;
  protected readonly ksoftirqd: Thread;
  /** one of the actions of the interrupt in hand has had work to do */
  private handled = false;
  /** the running thread has had its share */
  protected shareOver = false;
  /** when the running thread was switched to */
  private switchedAt: Ns = 0;
  /** event channel that the running thread is about to wait for; 0: none */
  private pollPort = 0;
  /** threads that are ready */
  runq: Thread[] = [];
  /** context switches, to the idle loop as well */
  switches = 0;

  constructor(
    readonly kernel: LinuxKernel,
    readonly cpu: number,
    readonly vcpu: Processor,
  ) {
    super();
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

  /** What an interrupt costs beside when it comes to the idle loop: tick_irq_enter. */
  protected get idleTick(): Ns {
    return this.top.kind === IDLE ? timing.idleTick : 0;
  }

  // what differs between kernels

  /** Interrupts are let in from here on. */
  protected abstract interruptsOn(): void;
  protected abstract interruptsOff(): void;
  /** Nothing to do until an interrupt comes. */
  protected abstract sleep(): void;
  /** A handler has ended: the next interrupt, or the way out. */
  protected abstract nextEvent(): void;
  /** Tells the trace by which port or vector the interrupt in hand has come. */
  protected abstract traceFlow(desc: IrqDesc): void;
  /** A stretch of entry code is over. */
  protected abstract entered(): void;

  done(): void {
    const frame = this.top;
    switch (frame.kind) {
      case IDLE:
        this.schedule(undefined);
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
        this.entered();
        return;
      case EXIT:
        this.irqExit();
        return;
      case HANDLER:
        this.handlerDone(frame);
        return;
      case SOFTIRQ:
        this.softirqDone(frame);
        return;
      case EXCEPTION:
        this.exceptionDone(frame);
    }
  }

  // interrupts

  protected descOf(irq: number): IrqDesc {
    return this.kernel.irqs.descs[irq]!;
  }

  /** generic_handle_irq: true if a handler runs now. */
  protected handleIrq(desc: IrqDesc): boolean {
    const { kernel } = this;
    this.traceFlow(desc);
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

  protected handlerDone(frame: Frame): void {
    const desc = this.descOf(frame.arg);
    if (desc.actions[frame.nth]!.work.run(this) !== false) this.handled = true;
    const next = desc.actions[++frame.nth];
    if (next) {
      this.vcpu.run(next.work.cost(this));
      return;
    }
    desc.active--;
    this.kernel.noteInterrupt(desc, this.handled, this.now);
    this.handled = false;
    this.kernel.resumeJourney(this);
    desc.chip.end(desc, this);
    this.kernel.traceHandlerEnd(this, desc);
    this.pop();
    if (this.softirqs.perIrq && this.softirqsDue()) this.doSoftirq();
    else this.nextEvent();
  }

  /** irq_exit: softirqs, unless they were interrupted themselves; then back to what was interrupted. */
  protected irqExit(): void {
    this.pop();
    if (!this.softirqs.perIrq && this.softirqsDue()) this.doSoftirq();
    else this.resume();
  }

  /** The running thread sleeps in Xen until the port is pending (xen_poll_irq); said from within its step. */
  pollFor(port: number): void {
    this.pollPort = port;
  }

  /** SCHEDOP_poll */
  protected sleepFor(_port: number): void {
    throw new Error(`${this.id} knows no event channels`);
  }

  /** Did the thread's step end in something else than its end? */
  private leftThread(frame: Frame): boolean {
    if (this.pollPort === 0) return false;
    const port = this.pollPort;
    this.pollPort = 0;
    frame.kind = POLLING;
    frame.nth = 0;
    this.sleepFor(port);
    return true;
  }

  // machine checks

  /** Its handler begins, over whatever was interrupted. */
  protected beginMachineCheck(remaining: Ns, interrupts: boolean): void {
    this.top.left = remaining;
    this.kernel.countArch('MCE', this.cpu);
    this.kernel.traceMachineCheck(this);
    this.push(EXCEPTION, Number(interrupts));
    this.top.nth = Number(this.readBanks());
    this.vcpu.run(timing.machineCheck);
  }

  /** mce_gather_info: is there an error in a bank of its own? */
  protected readBanks(): boolean {
    return false;
  }

  /** MCIP is cleared, and the bank if there was an error in it. Only x86 has banks. */
  protected clearBanks(_found: boolean): void {}

  private exceptionDone({ arg, nth }: Frame): void {
    this.clearBanks(nth !== 0);
    this.pop();
    if (arg !== 0) this.resume();
    else this.vcpu.run(this.top.left);
  }

  // softirqs: interrupts are let in while they run

  /** May softirqs run now, outside of interrupts? */
  protected softirqsDue(): boolean {
    if (this.softirqs.pending === 0 || this.has(SOFTIRQ)) return false;
    return !(this.softirqs.leftToKsoftirqd && this.ksoftirqd.ready);
  }

  /** __do_softirq. */
  protected doSoftirq(): void {
    this.softirqs.begin(this.jiffies);
    this.push(SOFTIRQ, 0);
    this.startSoftirq(this.softirqs.next());
  }

  private startSoftirq(nr: number): void {
    this.top.arg = nr;
    this.kernel.countSoftirq(nr, this.cpu);
    this.interruptsOn();
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
    this.pop();
    if (softirqs.pending !== 0) kernel.wake(this.ksoftirqd, this);
    this.afterSoftirqs();
  }

  protected afterSoftirqs(): void {
    const frame = this.top;
    if (frame.kind === UPCALL) {
      this.interruptsOff();
      this.nextEvent();
    } else if (frame.kind === THREAD && frame.nth !== 0) this.stepOver(frame);
    else this.resume();
  }

  private get jiffies(): number {
    return this.kernel.time.jiffies(this.now);
  }

  // threads and the idle loop

  /** Does a thread wait that the present one gives way to? The idle loop gives way to any. */
  needResched(): boolean {
    if (this.runq.length === 0) return false;
    if (this.shareOver) return true;
    const current = this.frames[1]?.kind;
    const inThread = current === SWITCH || current === THREAD || current === POLLING;
    return !inThread || this.runq.some((t) => !t.waits);
  }

  /** iret: upcalls are let in; what was interrupted goes on, unless a thread was woken meanwhile. */
  protected resume(): void {
    this.interruptsOn();
    const frame = this.top;
    if (frame.kind === IDLE) this.schedule(undefined);
    else if (this.spinning) this.vcpu.run(this.kernel.threads[frame.arg]!.work.cost(this));
    else if (frame.kind === THREAD && frame.left > 0 && this.needResched()) {
      const thread = this.kernel.threads[frame.arg]!;
      thread.left = frame.left;
      this.giveWay(thread);
    } else this.vcpu.run(frame.left);
  }

  /** A loop of a thread's runs, and nothing over it (`ThreadWork.spins`). */
  get spinning(): boolean {
    const { kind, arg } = this.top;
    return kind === THREAD && this.kernel.threads[arg]!.work.spins?.() === true;
  }

  /** Code of another CPU has stored at `now` what a loop here may look for. */
  stored(_now: Ns): void {}

  /** Takes the next ready thread in place of `prev`, or sleeps until an event arrives; undefined is the idle loop. */
  protected schedule(prev: Thread | undefined): void {
    this.shareOver = false;
    if (this.runq.length === 0) this.kernel.pullThread(this);
    if (this.runq.length > 0) {
      const woken = this.runq.findIndex((t) => !t.waits);
      const [thread] = this.runq.splice(Math.max(0, woken), 1) as [Thread];
      if (thread.allowed) this.kernel.waiting--;
      for (const other of this.runq) other.waits = true;
      this.kernel.switches++;
      this.switches++;
      this.kernel.traceSwitch(this, prev, thread);
      this.switchedAt = this.now;
      thread.runstate.change('running', this.now);
      this.push(SWITCH, thread.index);
      this.top.nth = thread.left;
      thread.left = 0;
      // tick_nohz_idle_exit
      const stopped = this.kernel.time.busy(this);
      this.vcpu.run(stopped ? timing.idleTick + timing.threadSwitch : timing.threadSwitch);
      return;
    }
    this.kernel.switches++;
    this.switches++;
    this.kernel.traceSwitch(this, prev, undefined);
    this.kernel.time.idle(this);
    this.sleep();
  }

  /** The thread that has the CPU; undefined: the idle loop. */
  get current(): Thread | undefined {
    const frame = this.frames[1];
    const thread = frame && (frame.kind === SWITCH || frame.kind === THREAD || frame.kind === POLLING);
    return thread ? this.kernel.threads[frame.arg] : undefined;
  }

  /** scheduler_tick: a thread that others wait for gives way when it has had its share. */
  tick(share: Ns): void {
    if (this.runq.length > 0 && this.now - this.switchedAt >= share) this.shareOver = true;
  }

  /** The running thread waits for its next turn. */
  protected giveWay(thread: Thread): void {
    thread.waits = true;
    thread.runstate.change('runnable', this.now);
    thread.work.preempted?.();
    if (thread.allowed) this.kernel.waiting++;
    this.runq.push(thread);
    this.pop();
    this.schedule(thread);
  }

  protected startStep(frame: Frame): void {
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

  protected threadStep(frame: Frame): void {
    const thread = this.kernel.threads[frame.arg]!;
    // what it was woken for so far, this step has seen
    thread.again = false;
    const more = thread.work.run(this);
    // the processor is in a virtual machine; the thread goes on when that is left
    if (more === 'guest') return;
    frame.nth = more ? MORE : OVER;
    if (this.leftThread(frame)) return;
    // local_bh_enable
    if (this.softirqsDue()) this.doSoftirq();
    else this.stepOver(frame);
  }

  /** It goes on, gives way to whoever waits, or sleeps. */
  protected stepOver(frame: Frame): void {
    const thread = this.kernel.threads[frame.arg]!;
    const more = thread === this.ksoftirqd ? this.softirqs.pending !== 0 : frame.nth === MORE || thread.again;
    frame.nth = 0;
    thread.again = false;
    if (more) {
      if (this.runq.length > 0 && !this.spinning) this.giveWay(thread);
      else this.startStep(frame);
      return;
    }
    thread.ready = false;
    thread.waits = false;
    thread.runstate.change('blocked', this.now);
    this.pop();
    this.schedule(thread);
  }

  save(): Plain {
    return {
      frames: this.saveFrames(),
      turn: [Number(this.handled), Number(this.shareOver), this.switchedAt, this.switches],
      softirqs: this.softirqs.save(),
      runq: this.runq.map((t) => [t.index, Number(t.waits), t.left]),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      frames: SavedFrames;
      turn: [number, number, number, number];
      softirqs: Plain;
      runq: [index: number, waits: number, left: number][];
    };
    this.restoreFrames(s.frames);
    this.handled = s.turn[0] === 1;
    this.shareOver = s.turn[1] === 1;
    this.switchedAt = s.turn[2];
    this.switches = s.turn[3];
    this.softirqs.restore(s.softirqs);
    for (const thread of this.kernel.threads) {
      if (thread.cpu !== this.cpu) continue;
      thread.waits = false;
      thread.left = 0;
    }
    this.runq = s.runq.map(([index, waits, left]) => {
      const thread = this.kernel.threads[index]!;
      thread.cpu = this.cpu;
      thread.waits = waits === 1;
      thread.left = left;
      return thread;
    });
  }
}
