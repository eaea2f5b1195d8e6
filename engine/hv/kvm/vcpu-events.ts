/**
 * What a virtual CPU's guest is to be told of, at each entry: one event at most goes to the VMCS, for what must wait a window
 * is asked (kvm_check_and_inject_events and kvm_cpu_has_interrupt of arch/x86/kvm).
 */
import { Exit, Info, info, Type } from '../../hw/x86/vmcs-fields.ts';
import { timing } from '../../timing.ts';
import type { Kvm } from './kvm.ts';
import { Stat } from './stats.ts';
import type { KvmVcpu } from './vcpu.ts';

const NMI_VECTOR = 2;

export class VcpuEvents {
  constructor(private readonly kvm: Kvm) {}

  /** A timer of the guest that has expired is delivered to its local APIC. */
  pendingTimer(v: KvmVcpu): void {
    if (!v.apic.timerPending) return;
    const { books } = this.kvm;
    books.begin(v.vm.timerSource, v.apic.timerExpiredAt);
    v.apic.injectPendingTimer();
    v.journey = books.journey;
  }

  /** kvm_check_and_inject_events (2.6.36: inject_pending_event): one event at most, a window for what must wait. */
  checkAndInject(v: KvmVcpu): void {
    const { vmx, vmcs } = v;
    this.scanIoapic(v);
    if (v.nmiPending > 1) this.processNmi(v);
    this.pendingTimer(v);
    this.kvm.posted.sync(v);
    if (v.reinject !== 0) this.again(v);
    else if (v.nmiPending > 0 && vmx.nmiAllowed) this.injectNmi(v);
    else if (this.hasInjectable(v) && vmx.interruptAllowed) this.injectInterrupt(v);
    vmx.nmiWindow = v.nmiPending > 0;
    vmx.interruptWindow = this.hasInjectable(v);
    if (!v.apicv) vmcs.tprThreshold = this.tprThreshold(v);
    if (v.eventRequested) v.pvEoi.toGuest();
    v.eventRequested = false;
  }

  /** vcpu_scan_ioapic */
  private scanIoapic(v: KvmVcpu): void {
    v.vm.chip.scanIfAsked(v.vcpu);
    if (v.apicv) v.vmcs.eoiExit.set(v.vm.chip.handledVectors(v.vcpu).words);
  }

  /** update_cr8_intercept: the class that TPR must fall below for a request that it holds back. */
  private tprThreshold(v: KvmVcpu): number {
    const request = v.apic.highestRequest >> 4;
    return request < 0 || v.apic.tpr >> 4 < request ? 0 : request;
  }

  /** An event from the IDT-vectoring information of the last exit. */
  private again(v: KvmVcpu): void {
    v.vmcs.entryInfo = v.reinject;
    v.on.charge(timing.injectEvent);
    v.emit(this.kvm.points.injectVirq, v.reinject & 0xff, 1);
  }

  /** process_nmi: beside one that is under way one more waits at most. 2.6.36 has a flag for those that wait. */
  private processNmi(v: KvmVcpu): void {
    const underWay = v.vmx.nmiBlocked || (v.reinject !== 0 && Info.type.get(v.reinject) === Type.NMI);
    v.nmiPending = Math.min(v.nmiPending, underWay || this.kvm.options.version === '2.6.36' ? 1 : 2);
  }

  private injectNmi(v: KvmVcpu): void {
    v.nmiPending--;
    v.vmcs.entryInfo = info(NMI_VECTOR, Type.NMI);
    v.on.charge(timing.injectEvent);
    this.kvm.stats.count(v.index, Stat.nmi_injections);
    v.emit(this.kvm.points.injectNmi);
  }

  /** kvm_cpu_get_interrupt: the 8259s' before the local APIC's; vmx_inject_irq. */
  private injectInterrupt(v: KvmVcpu): void {
    const external = v.apic.acceptsPic && v.vm.pic.intr;
    const vector = external ? v.vm.pic.ack() : v.apic.ack();
    if (external) v.pended(vector);
    v.vmcs.entryInfo = info(vector, Type.EXTERNAL);
    v.on.charge(timing.injectEvent);
    this.kvm.stats.count(v.index, Stat.irq_injections);
    v.journey = this.kvm.books.journeyIn(v.slot(vector));
    if (!external) v.pvEoi.injected(vector);
    v.eventRequested = true; // or nothing would be injected
    v.emit(this.kvm.points.injectVirq, vector);
  }

  /** kvm_cpu_has_interrupt: 8259s or local APIC. */
  hasInterrupt(v: KvmVcpu): boolean {
    return (v.apic.acceptsPic && v.vm.pic.intr) || v.apic.deliverable() >= 0;
  }

  /** kvm_cpu_has_injectable_intr: under virtual-interrupt delivery the processor takes those of the local APIC. */
  private hasInjectable(v: KvmVcpu): boolean {
    if (v.apic.acceptsPic && v.vm.pic.intr) return true;
    return !v.apicv && v.apic.deliverable() >= 0;
  }

  /** handle_interrupt_window, handle_nmi_window */
  window(v: KvmVcpu, reason: number): void {
    v.eventRequested = true;
    if (reason === Exit.INTERRUPT_WINDOW) {
      v.vmx.interruptWindow = false;
      this.kvm.stats.count(v.index, Stat.irq_window_exits);
    } else if (reason === Exit.NMI_WINDOW) {
      v.vmx.nmiWindow = false;
      this.kvm.stats.count(v.index, Stat.nmi_window_exits);
    }
  }
}
