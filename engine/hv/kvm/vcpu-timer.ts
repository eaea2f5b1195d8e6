/**
 * What wakes the timer of a virtual local APIC: a timer of the host, or, while the guest runs and the processor has
 * one, the VMX-preemption timer, whose exit needs no interrupt of the host (kvm_lapic_switch_to_{hv,sw}_timer).
 */
import { type Ns, Priority, type Task } from '../../core/clock.ts';
import type { Plain } from '../../core/state.ts';
import type { Alarm } from '../../hw/x86/apic-timer.ts';
import type { HostTimer } from './host.ts';
import type { KvmVcpu } from './vcpu.ts';

export class VcpuTimer implements Alarm {
  /** Infinity: not set */
  private when: Ns = Infinity;
  private expired!: () => void;
  private readonly hv: boolean;
  private readonly preemption: Task;
  private readonly soft: HostTimer;

  constructor(private readonly v: KvmVcpu) {
    const { kvm } = v;
    this.hv = kvm.options.preemptionTimer;
    this.preemption = kvm.clock.task(`${v.id}.preemption`, Priority.hardware, () =>
      kvm.run.preemptionTimer(v),
    );
    this.soft = kvm.host.hrtimer(() => this.ring());
  }

  /** It is to wake a timer. */
  alarm(expired: () => void): Alarm {
    this.expired = expired;
    return this;
  }

  at(when: Ns): void {
    this.when = when;
    if (this.hv && this.v.loaded && !this.v.halt.polling) return;
    this.soft.set(when, this.v.kvm.here);
  }

  cancel(): void {
    this.when = Infinity;
    this.preemption.cancel();
    this.soft.cancel();
  }

  /** It has expired. */
  ring(): void {
    this.when = Infinity;
    this.expired();
  }

  /** VM entry. */
  entered(): void {
    if (this.hv && this.when !== Infinity) this.preemption.at(this.when);
  }

  /** VM exit. */
  left(): void {
    if (this.hv) this.preemption.cancel();
  }

  /** The thread is switched to, or KVM_RUN goes on after a block. */
  loaded(): void {
    if (this.hv) this.soft.cancel();
  }

  /** The thread sleeps or is switched away from. */
  unloaded(): void {
    if (this.hv && this.when !== Infinity) this.soft.set(this.when, this.v.on);
  }

  save(): Plain {
    return this.when === Infinity ? -1 : this.when;
  }

  restore(when: number): void {
    this.when = when < 0 ? Infinity : when;
  }
}
