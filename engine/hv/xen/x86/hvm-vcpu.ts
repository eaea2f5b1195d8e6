/**
 * A virtual CPU of an HVM guest on VMX (struct hvm_vcpu, struct vmx_vcpu): its VMCS, where it is between VM entry and
 * VM exit, and how the physical CPU that runs it comes in and out. What an exit does is in vmexit.ts, what an entry
 * takes along in intr-assist.ts.
 */
import type { DestinationId, SlotId } from '../../../core/books.ts';
import type { Ns } from '../../../core/clock.ts';
import type { Plain } from '../../../core/state.ts';
import type { NativeEntry } from '../../../hw/x86/cpu.ts';
import { VmxGuest } from '../../../hw/x86/vm-entry-exit.ts';
import { Vmcs } from '../../../hw/x86/vmcs.ts';
import { ExitControl, INFO_VALID, Pin, Proc, Proc2, Type } from '../../../hw/x86/vmcs-fields.ts';
import { timing } from '../../../timing.ts';
import type { InterruptLine } from '../../hypervisor.ts';
import type { Pcpu } from '../../pcpu.ts';
import { Vcpu } from '../../vcpu.ts';
import type { HvmDomain } from './hvm-domain.ts';
import { intrAssist } from './intr-assist.ts';
import type { VmExits } from './vmexit.ts';

/**
 * Exceptions that leave the guest (HVM_TRAP_MASK): #MC; since 4.4 #DB and #AC, before only #NM until the FPU is loaded;
 * without nested paging #PF. With a debugger #BP (vmx_update_debug_state), and on 3.4 #DB too, where the processor cannot
 * step single instructions otherwise.
 */
const DEBUG = 1 << 1;
const BREAKPOINT = 1 << 3;
const NO_DEVICE = 1 << 7;
const PAGE_FAULT = 1 << 14;
const ALIGNMENT_CHECK = 1 << 17;
const MACHINE_CHECK = 1 << 18;

/** What a scenario says of a guest on VMX. */
export interface VmxOptions {
  /** nested paging (hap=1) */
  readonly hap: boolean;
  /** RDTSC is emulated (tsc_mode=always_emulate) */
  readonly emulateTsc: boolean;
  /** a debugger is attached to its domain (debugger_attached) */
  readonly debugger: boolean;
}

export class HvmVcpu extends Vcpu {
  readonly vmcs = new Vmcs();
  readonly vmx = new VmxGuest(this.vmcs, undefined);
  hvm!: HvmDomain;
  /** the kernel that runs on it */
  guest!: NativeEntry;
  /** in root mode, an exit being handled; false in non-root mode */
  exited = true;
  /** what vmx_vmexit_handler does after the interrupt that it began with */
  unfinished = false;
  /** the guest has executed HLT, and no event has been delivered since */
  halting = false;
  /** the next delivery of an event touches a page of the guest's stack that is not mapped */
  coldStack = true;
  /** requests to the device model that it has still to wait for, one after the other */
  ioreqs = 0;
  /** the raise that it was kicked for last, or that is being handled */
  journey = 0;
  /** the journey of a tick of its timers that has not been raised yet; 0: none */
  tick = 0;
  /** that of the exception or NMI that it left the guest for, until it is back there; 0: none */
  aside = 0;
  /** that of the NMI sent to it last */
  nmi = 0;
  private readonly slots: SlotId;
  /** where a request waits whose vector has been acknowledged and not delivered yet: it is to come once more */
  readonly again: SlotId;
  private readonly destinations: DestinationId[] = [];

  constructor(
    private readonly exits: VmExits,
    index: number,
    domain: number,
    vcpu: number,
    cpu: Pcpu,
    affinity: readonly number[],
    readonly options: VmxOptions,
  ) {
    super(index, domain, vcpu, cpu, affinity);
    this.slots = exits.xen.books.addSlots(257);
    this.again = this.slots + 256;
    this.constructVmcs();
  }

  /** construct_vmcs, as far as interrupts go. */
  private constructVmcs(): void {
    const { vmcs } = this;
    const modern = this.exits.xen.profile !== '3.4';
    vmcs.pinBased = Pin.externalInterruptExiting | Pin.nmiExiting | Pin.virtualNmis;
    const { hap, emulateTsc, debugger: debugged } = this.options;
    vmcs.procBased =
      Proc.hltExiting |
      Proc.tprShadow |
      Proc.secondary |
      Proc.movDrExiting |
      (hap ? 0 : Proc.invlpgExiting | Proc.cr3LoadExiting | Proc.cr3StoreExiting) |
      (emulateTsc ? Proc.rdtscExiting : 0);
    vmcs.procBased2 = Proc2.virtualizeApicAccesses | (hap ? Proc2.ept : 0);
    vmcs.exitControls = ExitControl.acknowledgeInterrupt;
    vmcs.exceptionBitmap =
      MACHINE_CHECK |
      (modern ? DEBUG | ALIGNMENT_CHECK : NO_DEVICE) |
      (hap ? 0 : PAGE_FAULT) |
      (debugged ? DEBUG | BREAKPOINT : 0);
  }

  // the books

  slot(vector: number): SlotId {
    return this.slots + vector;
  }

  destination(vector: number): DestinationId {
    let id = this.destinations[vector];
    if (id === undefined) {
      id = this.exits.xen.books.destinationOf(`${this.name} vec ${vector.toString(16)}`);
      this.destinations[vector] = id;
    }
    return id;
  }

  /** Is an event of this type and vector on its way to the guest's gate? */
  inDelivery(vector: number, type: number = Type.EXTERNAL): boolean {
    const wanted = (INFO_VALID | (type << 8) | vector) >>> 0;
    const { entryInfo, idtVectoringInfo } = this.vmcs;
    if (!this.exited) return false;
    return (
      (entryInfo & 0x8000_07ff) >>> 0 === wanted ||
      (this.unfinished && (idtVectoringInfo & 0x8000_07ff) >>> 0 === wanted)
    );
  }

  // from its physical CPU

  stretchOver(): void {
    // no longer in a handler: what it does now is about nothing that came before
    if (this.vmx.interruptFlag) this.journey = 0;
    this.exits.xen.books.journey = this.journey;
    this.guest.done();
  }

  override acknowledge(lapic: InterruptLine): number {
    if (this.exited) return super.acknowledge(lapic);
    return this.exits.externalInterrupt(this, lapic);
  }

  override nonMaskable(vector: number): void {
    if (this.exited) super.nonMaskable(vector);
    else this.exits.nonMaskable(this, vector);
  }

  /** vmx_asm_do_vmentry, up to its look at softirqs: what is left of the exit, then the events. */
  override assist(): void {
    if (!this.exited) return;
    this.exits.finish(this);
    if (this.blockedInXen) return;
    if (this.ioreqs > 0) this.hvm.ioreq!.send(this);
    else intrAssist(this, this.exits.xen);
  }

  enter(): boolean {
    if (this.exited) return this.exits.entry(this);
    const reason = this.vmx.pendingExit();
    if (reason < 0) return false;
    this.exits.exit(this, reason);
    return true;
  }

  /** vmx_ctxt_switch_from; the debug registers go with it (vmx_save_dr) */
  override leaves(): void {
    this.vmcs.procBased |= Proc.movDrExiting;
    this.hvm.vpt.saveTimer(this.vcpu, this.blocked && !this.blockedInXen);
  }

  /** hvm_do_resume */
  override resumes(): void {
    this.hvm.vpt.restoreTimer(this.vcpu);
  }

  /** vmx_ctxt_switch_to; on 3.4 the FPU comes when it is first used */
  override load(): Ns {
    if (this.exits.xen.profile === '3.4') this.vmcs.exceptionBitmap |= NO_DEVICE;
    return timing.hvmSwitch;
  }

  override save(): Plain {
    const { exited, unfinished, halting, coldStack } = this;
    return {
      common: super.save(),
      vmcs: this.vmcs.save(),
      vmx: this.vmx.save(),
      flags: [exited, unfinished, halting, coldStack].map(Number),
      ioreqs: this.ioreqs,
      journeys: [this.journey, this.tick, this.aside, this.nmi],
    };
  }

  override restore(saved: Plain): void {
    const s = saved as unknown as {
      common: Plain;
      vmcs: Plain;
      vmx: [number, number];
      flags: number[];
      ioreqs: number;
      journeys: [number, number, number, number];
    };
    super.restore(s.common);
    this.vmcs.restore(s.vmcs);
    this.vmx.restore(s.vmx);
    this.exited = s.flags[0] === 1;
    this.unfinished = s.flags[1] === 1;
    this.halting = s.flags[2] === 1;
    this.coldStack = s.flags[3] === 1;
    this.ioreqs = s.ioreqs;
    [this.journey, this.tick, this.aside, this.nmi] = s.journeys;
  }
}
