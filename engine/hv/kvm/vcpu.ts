/**
 * A virtual CPU of KVM (struct kvm_vcpu): where it is, what is asked of it, and how it is woken or kicked out of
 * the guest (kvm_vcpu_kick and kvm_vcpu_wake_up of virt/kvm/kvm_main.c).
 */
import type { Watcher } from '../../core/bits.ts';
import type { DestinationId, SlotId } from '../../core/books.ts';
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Tracepoint } from '../../core/trace.ts';
import { ApicV } from '../../hw/x86/apicv.ts';
import type { NativeEntry } from '../../hw/x86/cpu.ts';
import { LocalApic } from '../../hw/x86/lapic.ts';
import { KVM_LAPIC } from '../../hw/x86/lapic-options.ts';
import type { NonRoot, Processor } from '../../hw/x86/processor.ts';
import { VmxGuest } from '../../hw/x86/vm-entry-exit.ts';
import { Vmcs } from '../../hw/x86/vmcs.ts';
import { ExitControl, Pin, Proc, Proc2 } from '../../hw/x86/vmcs-fields.ts';
import { VcpuHalt } from './halt-poll.ts';
import type { Kvm } from './kvm.ts';
import { ReclaimedPages } from './paging.ts';
import { PvEoi } from './pv-eoi.ts';
import { Stat } from './stats.ts';
import { VcpuTimer } from './vcpu-timer.ts';
import type { Vm } from './vm.ts';

/** vcpu->mode */
export const OUTSIDE_GUEST_MODE = 0;
export const IN_GUEST_MODE = 1;
export const EXITING_GUEST_MODE = 2;

/** mp_state */
export const RUNNABLE = 0;
export const HALTED = 3;

/** exceptions that leave the guest: #DB and #BP when debugged are not, #UD, #AC and #MC are; without EPT #PF */
const EXCEPTIONS = (1 << 6) | (1 << 17) | (1 << 18);
const PAGE_FAULT = 1 << 14;
/** 2.6.36 loads the FPU when it is first used */
const DEVICE_NOT_AVAILABLE = 1 << 7;

export class KvmVcpu implements NonRoot, Part {
  readonly id: string;
  readonly apic: LocalApic;
  readonly vmcs = new Vmcs();
  readonly vmx: VmxGuest;
  /** the processor has it for this one; undefined: without APICv */
  private readonly virtualApic: ApicV | undefined;
  /** apic->apicv_active */
  private apicvActive: boolean;
  /** KVM_REQ_EVENT: its events are to be looked at before it goes on */
  eventRequested = true;
  /** KVM_REQ_APICV_UPDATE */
  apicvUpdate = false;
  readonly timer: VcpuTimer;
  /** of its HLTs */
  readonly halt: VcpuHalt;
  readonly pages: ReclaimedPages;
  readonly pvEoi: PvEoi;
  /** the kernel that runs on it */
  entry!: NativeEntry;
  /** the processor whose KVM_RUN it is in; where it ran last while its thread is not in it */
  on: Processor;
  /** its state is on that processor since its thread was switched to */
  loaded = false;
  mode = OUTSIDE_GUEST_MODE;
  mpState = RUNNABLE;
  /** of `blocking`, `exited` and whether it is in non-root mode */
  watcher: Watcher | undefined = undefined;
  private sleeps = false;
  private handlesExit = false;
  left: Ns = 0;
  /** the guest has executed HLT, and no event has been delivered since */
  halting = false;
  nmiPending = 0;
  /** delivery mode of the message that is being accepted */
  private messageMode = 0;
  /** an event whose delivery was cut short: the interruption information to inject again; 0: none */
  reinject = 0;
  /** the raise that it was kicked for last */
  journey = 0;
  /** the next delivery of an event touches a page of the guest's stack that is not mapped */
  coldStack = true;
  private readonly slots: SlotId;
  private readonly destinations: DestinationId[] = [];

  /**
   * @param index among all virtual CPUs of the host
   * @param vcpu number within its machine
   */
  constructor(
    readonly kvm: Kvm,
    readonly vm: Vm,
    readonly index: number,
    readonly vcpu: number,
    first: Processor,
    tscKhz: number,
    tscDeadline: boolean,
  ) {
    this.id = `${vm.name}.vcpu${vcpu}`;
    this.on = first;
    this.slots = kvm.books.addSlots(256);
    this.timer = new VcpuTimer(this);
    this.halt = new VcpuHalt(this);
    this.pages = new ReclaimedPages(this);
    this.pvEoi = new PvEoi(this);
    this.apic = new LocalApic({
      id: `${this.id}.lapic`,
      apicId: vcpu,
      bsp: vcpu === 0,
      options: KVM_LAPIC,
      bus: vm.bus,
      clock: kvm.clock,
      tscKhz,
      tscDeadline,
      alarm: (ring) => this.timer.alarm(ring),
      output: {
        request: () => this.kick(),
        nmi: () => {
          this.nmiPending++;
          this.kick();
        },
        message: (mode, vector, level) => {
          this.messageMode = mode;
          this.traceAccept(kvm.points.accept, mode, vector, level);
        },
        command: (low, destination) => {
          // kvm_apic_send_ipi begins
          kvm.tell(kvm.points.apicIpi, this.index, low, destination);
          return false;
        },
        accepted: (vector) => {
          this.pended(vector);
          vm.chip.accepted(vcpu, vector);
        },
        deliver: (vector, level) => {
          if (!kvm.posted.deliver(this, vector)) return false;
          if (kvm.trace.detailed) this.traceAccept(kvm.points.acceptApicv, this.messageMode, vector, level);
          return true;
        },
      },
    });
    this.apicvActive = kvm.options.apicv;
    this.virtualApic = kvm.options.apicv ? new ApicV(this.vmcs, this.apic) : undefined;
    this.vmx = new VmxGuest(this.vmcs, this.virtualApic);
    this.setControls();
  }

  /** Has it APICv at all? It may be inhibited. */
  get canApicv(): boolean {
    return this.virtualApic !== undefined;
  }

  /** While it is active. */
  get apicv(): ApicV | undefined {
    return this.apicvActive ? this.virtualApic : undefined;
  }

  /** vmx_refresh_apicv_exec_ctrl */
  setApicv(active: boolean): void {
    const { vmcs } = this;
    this.apicvActive = active;
    const bits = Proc2.apicRegisterVirtualization | Proc2.virtualInterruptDelivery;
    vmcs.procBased2 = active ? vmcs.procBased2 | bits : vmcs.procBased2 & ~bits;
    if (!this.kvm.options.posted) return;
    vmcs.pinBased = active ? vmcs.pinBased | Pin.postedInterrupts : vmcs.pinBased & ~Pin.postedInterrupts;
  }

  /** vmx_vcpu_reset, as far as interrupts go. */
  private setControls(): void {
    const { vmcs } = this;
    const { ackOnExit, apicv, posted, preemptionTimer, ept, version } = this.kvm.options;
    vmcs.pinBased =
      Pin.externalInterruptExiting |
      Pin.nmiExiting |
      Pin.virtualNmis |
      (preemptionTimer ? Pin.preemptionTimer : 0) |
      (posted ? Pin.postedInterrupts : 0);
    vmcs.procBased = Proc.hltExiting | Proc.tprShadow | Proc.secondary;
    vmcs.procBased2 =
      Proc2.virtualizeApicAccesses |
      (ept ? Proc2.ept : 0) |
      (apicv ? Proc2.apicRegisterVirtualization | Proc2.virtualInterruptDelivery : 0);
    vmcs.exitControls = ackOnExit ? ExitControl.acknowledgeInterrupt : 0;
    vmcs.exceptionBitmap =
      EXCEPTIONS | (ept ? 0 : PAGE_FAULT) | (version === '2.6.36' ? DEVICE_NOT_AVAILABLE : 0);
  }

  // the books

  slot(vector: number): SlotId {
    return this.slots + vector;
  }

  destination(vector: number): DestinationId {
    let id = this.destinations[vector];
    if (id === undefined) {
      id = this.kvm.books.destinationOf(`${this.vm.name}.${this.vcpu} vec ${vector.toString(16)}`);
      this.destinations[vector] = id;
    }
    return id;
  }

  /** The present raise waits for this vector. */
  pended(vector: number): void {
    const { kvm } = this;
    kvm.books.pend(this.slot(vector), this.destination(vector));
  }

  /** __apic_accept_irq begins, or its vector was posted. */
  private traceAccept(point: Tracepoint, mode: number, vector: number, level: boolean): void {
    this.kvm.emit(point, this.index, vector, mode, Number(level));
  }

  /** Does the chip hold a request for the vector, anywhere on its way to the guest's gate? */
  holds(vector: number): boolean {
    if (this.apic.irr.has(vector) || this.virtualApic?.posted.requests.has(vector)) return true;
    if (this.pages.holds(vector)) return true;
    return (this.reinject & 0x8000_00ff) >>> 0 === (0x8000_0000 | vector) >>> 0;
  }

  /** What its thread does, or its guest, at the time of the processor. */
  emit(point: Tracepoint, a = 0, b = 0, c = 0): void {
    this.kvm.trace.emit(point, this.on.now, this.journey, this.on.processor, this.index, a, b, c);
  }

  /** Its thread sleeps in kvm_vcpu_block. */
  get blocking(): boolean {
    return this.sleeps;
  }

  set blocking(value: boolean) {
    this.sleeps = value;
    this.watcher?.changed();
  }

  /** An exit is being handled; false in non-root mode, and while the thread is elsewhere in the kernel. */
  get exited(): boolean {
    return this.handlesExit;
  }

  set exited(value: boolean) {
    this.handlesExit = value;
    this.watcher?.changed();
  }

  // NonRoot

  done(): void {
    this.kvm.run.stretchOver(this);
  }

  interrupted(): void {
    this.kvm.run.externalInterrupt(this);
  }

  nonMaskable(): void {
    this.kvm.run.hostNmi(this);
  }

  // from other threads and interrupts of the host

  /** kvm_make_request(KVM_REQ_EVENT) and kvm_vcpu_kick: it is to look at its events before it goes on. */
  kick(): void {
    const { kvm } = this;
    this.journey = kvm.books.journey;
    this.eventRequested = true;
    if (this.wakeUp() || this.mode !== IN_GUEST_MODE) return;
    this.mode = EXITING_GUEST_MODE;
    if (this.on === kvm.wiring.here) return;
    kvm.trace.emit(kvm.points.kick, kvm.now, this.journey, kvm.hereCpu, this.index, this.on.processor);
    kvm.host.reschedule(this.on.processor, kvm.here);
  }

  /** kvm_make_all_cpus_request(KVM_REQ_APICV_UPDATE): it sees to it before it goes on; one that sleeps goes on sleeping. */
  requestApicvUpdate(): void {
    const { kvm } = this;
    this.apicvUpdate = true;
    if (this.mode !== IN_GUEST_MODE) return;
    this.mode = EXITING_GUEST_MODE;
    if (this.on === kvm.wiring.here) return;
    kvm.emit(kvm.points.kick, this.index, this.on.processor);
    kvm.host.reschedule(this.on.processor, kvm.here);
  }

  /** kvm_vcpu_wake_up: true if it slept. One that polls sees by itself that something has come. */
  wakeUp(): boolean {
    this.halt.noticed();
    if (!this.blocking) return false;
    const { kvm } = this;
    this.blocking = false;
    kvm.stats.count(this.index, Stat.halt_wakeup);
    kvm.stats.set(this.index, Stat.blocking, 0);
    kvm.emit(kvm.points.wakeUp, this.index);
    kvm.host.wake(this.index, kvm.here);
    return true;
  }

  save(): Plain {
    const { mode, mpState, left, nmiPending, reinject, journey } = this;
    const { loaded, blocking, exited, halting, coldStack, apicvActive, apicvUpdate, eventRequested } = this;
    const flags = [
      loaded,
      blocking,
      exited,
      halting,
      coldStack,
      apicvActive,
      apicvUpdate,
      eventRequested,
    ].map(Number);
    return {
      numbers: [this.on.processor, mode, mpState, left, nmiPending, reinject, journey, ...flags],
      vmcs: this.vmcs.save(),
      vmx: this.vmx.save(),
      apic: this.apic.save(),
      posted: this.virtualApic ? this.virtualApic.posted.save() : null,
      timer: this.timer.save(),
      halt: this.halt.save(),
      pvEoi: this.pvEoi.save(),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      numbers: number[];
      vmcs: Plain;
      vmx: [number, number];
      apic: Plain;
      posted: Plain;
      timer: number;
      halt: Plain;
      pvEoi: Plain;
    };
    const [on, mode, mpState, left, nmiPending, reinject, journey, ...flags] = s.numbers;
    this.on = this.kvm.processors[on!]!;
    this.mode = mode!;
    this.mpState = mpState!;
    this.left = left!;
    this.nmiPending = nmiPending!;
    this.reinject = reinject!;
    this.journey = journey!;
    this.loaded = flags[0] === 1;
    this.blocking = flags[1] === 1;
    this.exited = flags[2] === 1;
    this.halting = flags[3] === 1;
    this.coldStack = flags[4] === 1;
    this.apicvActive = flags[5] === 1;
    this.apicvUpdate = flags[6] === 1;
    this.eventRequested = flags[7] === 1;
    this.vmcs.restore(s.vmcs);
    this.vmx.restore(s.vmx);
    this.apic.restore(s.apic);
    this.virtualApic?.posted.restore(s.posted);
    this.timer.restore(s.timer);
    this.halt.restore(s.halt);
    this.pvEoi.restore(s.pvEoi);
    this.kvm.posted.forget();
  }
}
