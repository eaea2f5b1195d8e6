/**
 * KVM_RUN: a virtual CPU from one VM exit to the next (vcpu_run and vcpu_enter_guest of arch/x86/kvm/x86.c, the
 * exits of vmx.c). Read from top to bottom it follows an interrupt: into the guest (what of it the guest is told of, and how,
 * is vcpu-events.ts), out of it, and what the host's own interrupts do meanwhile.
 */
import type { Ns } from '../../core/clock.ts';
import type { Processor } from '../../hw/x86/processor.ts';
import { FAILED } from '../../hw/x86/vm-entry-exit.ts';
import { Exit, INFO_VALID, Info, Type } from '../../hw/x86/vmcs-fields.ts';
import { timing } from '../../timing.ts';
import type { Kvm } from './kvm.ts';
import { Stat } from './stats.ts';
import { HALTED, IN_GUEST_MODE, type KvmVcpu, OUTSIDE_GUEST_MODE, RUNNABLE } from './vcpu.ts';
import { VcpuEvents } from './vcpu-events.ts';

/** qualification of a write to a page that is not there, while an event is delivered */
const WRITE_TO_ABSENT = 0x182;
/** of a read */
const READ_OF_ABSENT = 0x181;

export class VcpuRun {
  private readonly events: VcpuEvents;

  constructor(private readonly kvm: Kvm) {
    this.events = new VcpuEvents(kvm);
  }

  /**
   * A step of the virtual CPU's thread, at its end. `guest`: the processor is in non-root mode, or on its way to
   * the thread's next step; true: another thread wants the processor; false: it sleeps.
   */
  step(v: KvmVcpu, on: Processor): 'guest' | boolean {
    if (v.pages.waiting) {
      v.pages.read(on);
      if (v.loaded) this.unload(v);
      return false;
    }
    if (!v.loaded || v.on !== on) this.load(v, on);
    if (v.mpState === HALTED && !this.unblock(v)) {
      if (v.halt.poll()) return true;
      this.block(v);
      return false;
    }
    if (this.kvm.host.needResched(on.processor)) {
      return true;
    }
    on.enterGuest(v);
    v.exited = true;
    this.goOn(v);
    return 'guest';
  }

  /** vcpu_load: onto this processor, after another thread or from another processor. */
  private load(v: KvmVcpu, on: Processor): void {
    v.on = on;
    v.loaded = true;
    v.emit(this.kvm.points.load, on.processor);
    on.charge(timing.vcpuLoad);
    this.kvm.posted.load(v);
    v.timer.loaded();
    this.kvm.stats.count(v.index, Stat.host_state_reload);
  }

  /** kvm_sched_out: another thread runs on the processor. */
  preempted(v: KvmVcpu): void {
    if (!v.loaded) return;
    this.unload(v);
    this.kvm.posted.preempted(v);
  }

  /** vcpu_put */
  private unload(v: KvmVcpu): void {
    v.loaded = false;
    v.timer.unloaded();
  }

  /** kvm_vcpu_block: the thread sleeps until the virtual CPU is runnable. */
  private block(v: KvmVcpu): void {
    v.blocking = true;
    this.kvm.stats.set(v.index, Stat.blocking, 1);
    this.unload(v);
    this.kvm.posted.block(v);
  }

  /** kvm_arch_vcpu_runnable: is there an event that ends the HLT? */
  private unblock(v: KvmVcpu): boolean {
    if (!this.runnable(v)) return false;
    v.mpState = RUNNABLE;
    v.halt.over();
    return true;
  }

  private runnable(v: KvmVcpu): boolean {
    if (v.nmiPending > 0) return true;
    this.events.pendingTimer(v);
    this.kvm.posted.sync(v);
    return v.vmx.interruptFlag && this.events.hasInterrupt(v);
  }

  // into the guest

  /** From the handler of an exit back into the guest, as often as an exit follows at once. */
  goOn(v: KvmVcpu): void {
    const { on } = v;
    // HLT ended, and the processor sees no interrupt: it halts again and again, but time passes
    let spins = false;
    while (on.guest === v) {
      if (v.exited) {
        if (v.pages.waiting || (v.mpState === HALTED && !this.unblock(v))) this.leave(v);
        else if (spins || on.lapic.deliverable() >= 0 || this.kvm.host.needResched(on.processor))
          this.leave(v);
        else {
          if (v.apicvUpdate) this.updateApicv(v);
          this.events.checkAndInject(v);
          spins = this.entry(v);
        }
        continue;
      }
      const reason = v.vmx.pendingExit();
      if (reason < 0) {
        if (!this.deliverVirtual(v)) return;
        continue;
      }
      this.exit(v, reason);
      this.events.window(v, reason);
    }
  }

  /**
   * kvm_vcpu_update_apicv: it is inhibited in its machine now, or no more. SVI is to be that of the interrupt in service:
   * without "KVM: VMX: Update SVI during runtime APICv activation" it stays what it was the last time.
   */
  private updateApicv(v: KvmVcpu): void {
    v.apicvUpdate = false;
    const active = !v.vm.apicvInhibited;
    if (active === (v.apicv !== undefined)) return;
    if (!active) this.kvm.posted.sync(v);
    v.setApicv(active);
    v.pvEoi.ended();
    if (active && this.kvm.options.sviUpdate) v.vmcs.svi = Math.max(0, v.apic.highestInService);
    v.emit(this.kvm.points.refreshApicv, Number(active), v.vmcs.svi);
  }

  /** Back to the thread's own code in the host, with interrupts on: they are taken there, or it sleeps. */
  private leave(v: KvmVcpu): void {
    v.on.leaveGuest(timing.hostGate);
  }

  /** VM entry; true where it has ended a HLT for nothing. */
  private entry(v: KvmVcpu): boolean {
    const { on, kvm, vmx } = v;
    on.charge(timing.vmEntry);
    kvm.exits.end(v.index, on.now);
    v.exited = false;
    v.mode = IN_GUEST_MODE;
    v.timer.entered();
    v.emit(kvm.points.entry);
    const vector = vmx.enter();
    const held = v.pages.release();
    if (held) this.handler(v, held.vector, held.left);
    if (vector === FAILED) this.began(v, Exit.INVALID_STATE);
    else if (vector >= 0) {
      if ((v.coldStack || v.pages.stackAbsent) && kvm.options.ept) this.faultInDelivery(v);
      else this.deliver(v, vector);
    } else if (v.halting && !(v.apicv && v.apicv.pending() >= 0)) {
      // what ended the HLT is gone again; the instruction is over all the same
      v.halting = false;
      v.entry.done();
      return true;
    }
    return false;
  }

  /** The event goes through the guest's gate. */
  private deliver(v: KvmVcpu, vector: number): void {
    const nmi = v.vmx.deliveredType === Type.NMI;
    v.vmx.delivered();
    v.reinject = 0;
    this.gate(v, nmi ? -1 : vector);
  }

  /** -1: the NMI's gate. */
  private gate(v: KvmVcpu, vector: number): void {
    const left = v.halting ? 0 : v.left;
    v.halting = false;
    if (v.pages.dataAbsent) {
      // the event is delivered, and nothing tells of it any more; the handler has not come to its EOI
      v.pages.hold({ vector, left });
      this.exit(v, Exit.EPT_VIOLATION, READ_OF_ABSENT);
      this.eptViolation(v);
      v.pages.touched();
    } else this.handler(v, vector, left);
  }

  private handler(v: KvmVcpu, vector: number, left: Ns): void {
    if (vector < 0) v.entry.nmi(left);
    else v.entry.interrupt(vector, left);
  }

  /** While the processor pushes the frame it finds the page gone; the event is in the IDT-vectoring information. */
  private faultInDelivery(v: KvmVcpu): void {
    v.coldStack = false;
    this.exit(v, Exit.EPT_VIOLATION, WRITE_TO_ABSENT);
    this.eptViolation(v);
    v.pages.touched();
  }

  /** handle_ept_violation: the page is found and mapped. */
  eptViolation(v: KvmVcpu): void {
    const { stats } = this.kvm;
    stats.count(v.index, Stat.pf_taken);
    stats.count(v.index, Stat.pf_fixed);
    v.on.charge(timing.eptViolation);
  }

  /** Virtual-interrupt delivery, without an exit; false: there is nothing to deliver. */
  private deliverVirtual(v: KvmVcpu): boolean {
    const { apicv } = v;
    if (!apicv || !v.vmx.interruptAllowed || apicv.pending() < 0) return false;
    const vector = apicv.deliver();
    v.journey = this.kvm.books.journeyIn(v.slot(vector));
    v.emit(this.kvm.points.virtualDelivery, vector);
    if (v.pages.stackAbsent) {
      v.vmx.beginDelivery(vector);
      this.faultInDelivery(v);
    } else {
      v.vmx.interruptFlag = false;
      this.gate(v, vector);
    }
    return true;
  }

  // out of the guest

  /** The guest's stretch is over; its kernel decides, and may leave the guest on its way. */
  stretchOver(v: KvmVcpu): void {
    v.entry.done();
    this.goOn(v);
  }

  /** A VM exit, its fields the reason and a qualification. */
  exit(v: KvmVcpu, reason: number, qualification = 0): void {
    v.vmx.exit(reason, qualification);
    this.began(v, reason);
  }

  /** What every exit begins with; vmx_complete_interrupts keeps the event that it cut short. */
  private began(v: KvmVcpu, reason: number): void {
    const { kvm, on, vmcs } = v;
    v.emit(kvm.points.exit, reason, vmcs.exitInfo, vmcs.exitQualification);
    on.charge(timing.vmExit);
    kvm.exits.begin(v.index, reason, on.now);
    on.exits++;
    kvm.stats.count(v.index, Stat.exits);
    v.exited = true;
    v.mode = OUTSIDE_GUEST_MODE;
    v.timer.left();
    const cut = vmcs.idtVectoringInfo;
    v.reinject = cut >>> 0 >= INFO_VALID ? (cut & ~Info.nmiUnblocking.mask) >>> 0 : 0;
    if (v.reinject !== 0) v.eventRequested = true;
    v.pvEoi.fromGuest();
  }

  /** A synchronous exit of the guest begins while another one is still being handled: that one is over first. */
  beginInstruction(v: KvmVcpu, reason: number, qualification = 0): void {
    const { on, kvm } = v;
    if (v.exited) {
      on.charge(timing.vmEntry);
      kvm.exits.end(v.index, on.now);
      v.emit(kvm.points.entry);
    }
    this.exit(v, reason, qualification);
  }

  /**
   * The physical local APIC interrupts the guest. With "acknowledge interrupt on exit" the exit has taken the
   * vector, and the host's gate is called by hand (handle_external_interrupt_irqoff; vmx_handle_external_intr
   * before 5.3). Without it the vector stays in the IRR, and the processor takes it through the gate as soon as
   * interrupts are on. handle_external_interrupt itself only counts.
   */
  externalInterrupt(v: KvmVcpu): void {
    const { on } = v;
    if (this.kvm.posted.notified(v, on)) {
      this.goOn(v);
      return;
    }
    const taken = on.lapic.deliverable();
    // nobody has kicked it: the exit is that of the host's interrupt, and not of what the guest does next
    const own = v.mode === IN_GUEST_MODE;
    if (own) v.journey = this.kvm.host.journeyOf(on.processor, taken);
    const vector = v.vmx.exitForInterrupt(on.lapic);
    this.began(v, Exit.EXTERNAL_INTERRUPT);
    this.kvm.stats.count(v.index, Stat.irq_exits);
    v.emit(this.kvm.points.hostGate, taken, Number(vector >= 0));
    if (own) v.journey = 0;
    on.leaveGuest(timing.hostGate);
    if (vector >= 0) on.throughGate(vector, timing.hostGate);
  }

  /** A non-maskable interrupt of the host: exception or NMI, of type NMI; its gate is called by hand. */
  hostNmi(v: KvmVcpu): void {
    v.journey = 0;
    v.vmx.exitForNmi();
    this.began(v, Exit.EXCEPTION_NMI);
    v.on.leaveGuest(timing.hostGate);
    v.on.throughGate(-1, timing.hostGate);
  }

  /** The VMX-preemption timer has counted down. */
  preemptionTimer(v: KvmVcpu): void {
    v.on.stopGuest(() => {
      v.journey = 0;
      this.exit(v, Exit.PREEMPTION_TIMER);
      v.timer.ring();
      this.goOn(v);
    });
  }
}
