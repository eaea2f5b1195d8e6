/**
 * VM entry and VM exit of one virtual CPU as the processor makes them (SDM volume 3, chapters "VM Entries" and "VM
 * Exits"): events injected, windows, what blocks an interrupt, and what an exit leaves in the VMCS. With a virtual
 * APIC the processor also delivers interrupts by itself (apicv.ts).
 */
import type { ApicV } from './apicv.ts';
import type { InterruptSource } from './processor.ts';
import type { Vmcs } from './vmcs.ts';
import { Blocking, Exit, ExitControl, INFO_VALID, Info, info, Proc, Type } from './vmcs-fields.ts';

/** `enter`: nothing is delivered, the guest goes on */
export const NOTHING = -1;
/** `enter`: the state is bad, the guest was not entered; vmcs.exitReason says so */
export const FAILED = -2;

export class VmxGuest {
  /** RFLAGS.IF of the guest */
  private flag = false;
  /** an event was injected by the entry and its delivery is not over */
  private delivering = 0;

  constructor(
    readonly vmcs: Vmcs,
    readonly apicv: ApicV | undefined,
  ) {}

  get interruptFlag(): boolean {
    return this.flag;
  }

  /** STI, CLI, POPF or IRET in the guest. */
  set interruptFlag(on: boolean) {
    this.flag = on;
  }

  /** Could the guest take an external interrupt now? */
  get interruptAllowed(): boolean {
    return this.flag && (this.vmcs.interruptibility & (Blocking.sti | Blocking.movSs)) === 0;
  }

  /** An NMI is being handled. */
  get nmiBlocked(): boolean {
    return (this.vmcs.interruptibility & Blocking.nmi) !== 0;
  }

  get nmiAllowed(): boolean {
    return (this.vmcs.interruptibility & (Blocking.nmi | Blocking.movSs)) === 0;
  }

  // VM entry

  /** What the entry injects: a vector, with its type in `deliveredType`; NOTHING; or FAILED. */
  enter(): number {
    const { vmcs } = this;
    const event = vmcs.entryInfo;
    if (event >>> 0 < INFO_VALID) return NOTHING;
    const type = Info.type.get(event);
    if (!this.injectable(event, type)) {
      vmcs.exitReason = Exit.INVALID_STATE;
      vmcs.exitQualification = 0;
      return FAILED;
    }
    this.delivering = event;
    return event & 0xff;
  }

  /** SDM, "Checks on Guest Non-Register State": an external interrupt needs IF and no blocking, an NMI no blocking. */
  private injectable(event: number, type: number): boolean {
    const { interruptibility } = this.vmcs;
    if (type === Type.EXTERNAL) return this.interruptAllowed;
    if (type !== Type.NMI) return true;
    return (interruptibility & Blocking.movSs) === 0 && (event & 0xff) === 2;
  }

  /** The type of the event that the entry injects. */
  get deliveredType(): number {
    return Info.type.get(this.delivering);
  }

  /** Virtual-interrupt delivery begins; what comes between is told in the IDT-vectoring information. */
  beginDelivery(vector: number): void {
    this.delivering = info(vector, Type.EXTERNAL);
  }

  /** The event has gone through the guest's gate. */
  delivered(): void {
    const { vmcs } = this;
    if (this.deliveredType === Type.NMI) vmcs.interruptibility |= Blocking.nmi;
    else this.flag = false;
    vmcs.interruptibility &= ~(Blocking.sti | Blocking.movSs);
    this.delivering = 0;
  }

  /** IRET ends blocking by NMI. */
  nmiUnblocked(): void {
    this.vmcs.interruptibility &= ~Blocking.nmi;
  }

  // in the guest

  /** An exit that is due at this boundary between instructions; -1 for none. */
  pendingExit(): number {
    const { procBased } = this.vmcs;
    if (procBased & Proc.nmiWindow && this.nmiAllowed) return Exit.NMI_WINDOW;
    if (procBased & Proc.interruptWindow && this.interruptAllowed) return Exit.INTERRUPT_WINDOW;
    return -1;
  }

  // VM exit

  exit(reason: number, qualification = 0): void {
    const { vmcs } = this;
    vmcs.exitReason = reason;
    vmcs.exitQualification = qualification;
    vmcs.exitInfo = 0;
    this.leave();
  }

  /** What every exit does: an event whose delivery it cuts short goes to IDT-vectoring, and the entry's field is spent. */
  private leave(): void {
    const { vmcs } = this;
    vmcs.idtVectoringInfo = this.delivering;
    this.delivering = 0;
    vmcs.entryInfo &= ~INFO_VALID;
    vmcs.entryInfo >>>= 0;
  }

  /**
   * An external interrupt. With "acknowledge interrupt on exit" the processor takes the vector from its local APIC
   * (IRR to ISR) and tells it; without, the field is invalid and the request stays in IRR.
   * @returns the vector acknowledged; -1: none was
   */
  exitForInterrupt(lapic: Pick<InterruptSource, 'ack'>): number {
    this.exit(Exit.EXTERNAL_INTERRUPT);
    if (!(this.vmcs.exitControls & ExitControl.acknowledgeInterrupt)) return -1;
    const vector = lapic.ack();
    this.vmcs.exitInfo = info(vector, Type.EXTERNAL);
    return vector;
  }

  /** A non-maskable interrupt of the processor. */
  exitForNmi(): void {
    this.exit(Exit.EXCEPTION_NMI);
    this.vmcs.exitInfo = info(2, Type.NMI);
  }

  /** Does an exception of the guest leave it? (exception bitmap) */
  exceptionExits(vector: number): boolean {
    return (this.vmcs.exceptionBitmap & (1 << vector)) !== 0;
  }

  exitForException(vector: number, qualification: number): void {
    this.exit(Exit.EXCEPTION_NMI, qualification);
    this.vmcs.exitInfo = info(
      vector,
      vector === 3 || vector === 4 ? Type.SOFTWARE_EXCEPTION : Type.HARDWARE_EXCEPTION,
    );
  }

  // what a hypervisor writes

  set interruptWindow(on: boolean) {
    this.control(Proc.interruptWindow, on);
  }

  get interruptWindow(): boolean {
    return (this.vmcs.procBased & Proc.interruptWindow) !== 0;
  }

  set nmiWindow(on: boolean) {
    this.control(Proc.nmiWindow, on);
  }

  get nmiWindow(): boolean {
    return (this.vmcs.procBased & Proc.nmiWindow) !== 0;
  }

  private control(bit: number, on: boolean): void {
    if (on) this.vmcs.procBased |= bit;
    else this.vmcs.procBased &= ~bit;
  }

  save(): [flag: number, delivering: number] {
    return [Number(this.flag), this.delivering];
  }

  restore(state: readonly [number, number]): void {
    this.flag = state[0] === 1;
    this.delivering = state[1];
  }
}
