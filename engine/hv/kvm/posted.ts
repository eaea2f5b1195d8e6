/**
 * Posted interrupts (arch/x86/kvm/vmx/posted_intr.c): requests for a virtual CPU go to its descriptor, and the
 * processor that runs it takes them over without an exit. From a device they come through the IOMMU; while the virtual
 * CPU is blocked those wake it by a vector of the host's.
 */
import type { Processor } from '../../hw/x86/processor.ts';
import { POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR } from './host.ts';
import type { Kvm } from './kvm.ts';
import { IN_GUEST_MODE, type KvmVcpu } from './vcpu.ts';

export class PostedInterrupts {
  /** an interrupt message from the IOMMU to a physical processor; set by the board */
  notify: (cpu: number, vector: number) => void = () => {};
  /** the processor has acknowledged a notification by itself */
  acknowledged: (cpu: number) => void = () => {};
  /**
   * Among them are all that are blocked and have been posted to (the handler looks through wakeup_vcpus_on_cpu instead,
   * all that are blocked on its processor); undefined: after a restore, to be looked for among all.
   */
  private toWake: KvmVcpu[] | undefined = [];

  constructor(private readonly kvm: Kvm) {}

  /** vmx_deliver_interrupt with a virtual APIC; false: IRR takes the vector, as without. */
  deliver(v: KvmVcpu, vector: number): boolean {
    if (!v.apicv || !this.kvm.options.posted) return false;
    const { posted } = v.apicv;
    v.pended(vector);
    if (!posted.requests.set(vector) || posted.outstanding) return true;
    posted.outstanding = true;
    this.trace(v, vector, this.kvm.hereCpu, true);
    if (v.mode === IN_GUEST_MODE) {
      if (v.on !== this.kvm.wiring.here)
        this.kvm.host.sendIpi(v.on.processor, POSTED_INTR_VECTOR, this.kvm.here);
    } else {
      v.journey = this.kvm.books.journey;
      v.wakeUp();
    }
    return true;
  }

  /** A device's message, remapped by the IOMMU to the descriptor of a virtual CPU. */
  fromDevice(v: KvmVcpu, vector: number): void {
    const { posted } = v.apicv!;
    v.pended(vector);
    posted.requests.set(vector);
    v.halt.noticed();
    const notifies = !posted.outstanding && !posted.suppress;
    this.trace(v, vector, -1, notifies);
    if (!notifies) return;
    posted.outstanding = true;
    if (posted.notificationVector === POSTED_INTR_WAKEUP_VECTOR) this.toWake?.push(v);
    this.notify(posted.destination, posted.notificationVector);
  }

  /** The descriptor has the vector. */
  private trace(v: KvmVcpu, vector: number, cpu: number, notified: boolean): void {
    const { trace, points, now, books } = this.kvm;
    trace.emit(points.posted, now, books.journey, cpu, v.index, vector, Number(notified));
  }

  /**
   * The notification vector at a processor in non-root mode: the processor itself acknowledges it and takes the
   * requests over. False: it is another interrupt.
   */
  notified(v: KvmVcpu, on: Processor): boolean {
    if (!v.apicv || !this.kvm.options.posted || on.lapic.deliverable() !== POSTED_INTR_VECTOR) return false;
    on.lapic.ack();
    on.lapic.eoi();
    this.acknowledged(on.processor);
    this.traceProcessing(v, on);
    v.apicv.processPosted();
    return true;
  }

  private traceProcessing(v: KvmVcpu, on: Processor): void {
    const { kvm } = this;
    const vector = v.apicv!.posted.requests.highest();
    if (vector < 0) return;
    const journey = kvm.books.journeyIn(v.slot(vector));
    kvm.trace.emit(kvm.points.processPosted, on.now, journey, on.processor, v.index, vector);
  }

  /** vmx_sync_pir_to_irr and vmx_hwapic_irr_update: before an entry, and to see whether there is anything. */
  sync(v: KvmVcpu): void {
    const { apicv } = v;
    if (!apicv) return;
    if (apicv.posted.outstanding || !apicv.posted.requests.empty) apicv.processPosted();
    v.vmcs.rvi = Math.max(0, v.apic.highestRequest);
  }

  // the thread of the virtual CPU comes and goes

  /** vmx_vcpu_pi_load */
  load(v: KvmVcpu): void {
    if (!v.apicv) return;
    const { posted } = v.apicv;
    posted.destination = v.on.processor;
    posted.notificationVector = POSTED_INTR_VECTOR;
    posted.suppress = false;
  }

  /** vmx_vcpu_pi_put of one that another thread replaces */
  preempted(v: KvmVcpu): void {
    if (v.apicv) v.apicv.posted.suppress = true;
  }

  /** pi_enable_wakeup_handler */
  block(v: KvmVcpu): void {
    if (!v.apicv) return;
    const { posted } = v.apicv;
    posted.destination = v.on.processor;
    posted.notificationVector = POSTED_INTR_WAKEUP_VECTOR;
    if (posted.outstanding) v.wakeUp();
  }

  /** pi_wakeup_handler: whoever is blocked on this processor and has been posted to is woken. */
  wakeupHandler(on: Processor): void {
    const isPosted = (v: KvmVcpu) => v.blocking && v.apicv?.posted.outstanding === true;
    const blocked = (this.toWake ?? this.kvm.vcpus).filter(isPosted);
    blocked.sort((a, b) => a.index - b.index);
    this.toWake = blocked.filter((v) => v.on !== on);
    for (const v of blocked) {
      if (v.on !== on || !v.blocking) continue;
      const vector = v.apicv!.posted.requests.highest();
      if (vector >= 0) v.journey = this.kvm.books.journeyIn(v.slot(vector));
      v.wakeUp();
    }
  }

  /** A saved state was put back: who is blocked now is another. */
  forget(): void {
    this.toWake = undefined;
  }
}
