/**
 * The interrupts of an HVM guest, from whoever raises one to the virtual CPU that takes it (struct hvm_irq,
 * xen/arch/x86/hvm/irq.c): the wires of hvm-wires.ts, messages, the way that events come by, and at the other end what a
 * virtual CPU is to be given next.
 */
import type { Plain } from '../../../core/state.ts';
import { MsiAddress, MsiData } from '../../../hw/x86/msi.ts';
import type { HvmChips } from './hvm-chips.ts';
import type { HvmVcpuApic } from './hvm-vcpu-apic.ts';
import { HvmWires } from './hvm-wires.ts';

const EINVAL = -22;
const ERANGE = -34;
/** vectors below are the processor's own */
const FIRST_VECTOR = 16;

/** How event channels interrupt the guest (callback_via_type). */
export const Via = { NONE: 0, GSI: 1, PCI_INTX: 2, VECTOR: 3 } as const;

/** Where an interrupt comes from (enum hvm_intsrc). */
export type IntSource = 'none' | 'pic' | 'lapic' | 'nmi' | 'mce' | 'vector';

/** An interrupt that waits for a virtual CPU, or was acknowledged for it (struct hvm_intack). */
export interface IntAck {
  readonly source: IntSource;
  /** 0 for the 8259s until they are acknowledged */
  readonly vector: number;
}

const NONE: IntAck = { source: 'none', vector: 0 };
const NMI: IntAck = { source: 'nmi', vector: 2 };
const MCE: IntAck = { source: 'mce', vector: 18 };
const PIC: IntAck = { source: 'pic', vector: 0 };

export class HvmIrq extends HvmWires {
  /** one of Via */
  viaType: number = Via.NONE;
  /** GSI, vector, or device and INTx in bytes 0 and 1 (callback_via) */
  via = 0;
  /** the line of `via` is asserted (callback_via_asserted) */
  viaAsserted = false;
  /**
   * In the handler of an interrupt Xen leaves the delivery of events to a tasklet, which is to call `assertEvtchnIrq`
   * again: true if it will (assert_evtchn_irq_tasklet).
   */
  defer: (vcpu: number) => boolean = () => false;
  /** a message with vector 0 is an event channel's: 0, or an error (map_domain_emuirq_pirq, send_guest_pirq) */
  messagePirq: (pirq: number) => number = () => EINVAL;

  constructor(name: string, chips: HvmChips) {
    super(name, chips);
  }

  get vcpus(): readonly HvmVcpuApic[] {
    return this.chips.vcpus;
  }

  // messages

  /** hvm_inject_msi: 0, or an error. */
  injectMsi(addressLow: number, addressHigh: number, data: number): number {
    this.chips.hop('hvm_inject_msi', addressLow, data);
    const destination = MsiAddress.destination.get(addressLow);
    const vector = MsiData.vector.get(data);
    if (vector === 0) {
      const pirq = ((addressHigh & ~0xff) | destination) >>> 0;
      return pirq > 0 ? this.messagePirq(pirq) : ERANGE;
    }
    const logical = MsiAddress.logical.has(addressLow);
    return this.chips.sendMessage(
      vector,
      destination,
      logical,
      MsiData.mode.get(data),
      MsiData.level.has(data),
    );
  }

  // event channels

  /** hvm_set_callback_via: the guest says how its events are to come. What waits comes the new way. */
  setCallbackVia(low: number, high: number): void {
    this.tearDown();
    this.viaType = this.viaTypeOf(low, high);
    this.setUp(low);
    if (!this.chips.options.viaTakesWaiting) return;
    for (const v of this.vcpus) if (!v.down) this.assertEvtchnIrq(v.vcpu);
  }

  private viaTypeOf(low: number, high: number): number {
    const type = (high >>> 24) + 1;
    if (type > (this.chips.options.callbackVector ? Via.VECTOR : Via.PCI_INTX)) return Via.NONE;
    return type === Via.GSI && low === 0 && high === 0 ? Via.NONE : type;
  }

  private tearDown(): void {
    if (!this.viaAsserted) return;
    if (this.viaType === Via.GSI) {
      if (this.uncount(this.via)) this.lowerPic(this.via);
    } else if (this.viaType === Via.PCI_INTX) this.pciIntxDeassert(this.viaDevice, this.viaIntx);
  }

  private setUp(low: number): void {
    switch (this.viaType) {
      case Via.GSI:
        this.via = low & 0xff;
        if (this.via === 0 || this.via >= this.gsiCount.length) this.viaType = Via.NONE;
        else if (this.viaAsserted && this.count(this.via)) this.raiseBoth(this.via);
        break;
      case Via.PCI_INTX:
        this.via = ((this.via & ~0xffff) | ((low & 3) << 8) | ((low >>> 11) & 31)) >>> 0;
        if (this.viaAsserted) this.pciIntxAssert(this.viaDevice, this.viaIntx);
        break;
      case Via.VECTOR:
        this.via = low & 0xff;
    }
  }

  private get viaDevice(): number {
    return this.via & 0xff;
  }

  private get viaIntx(): number {
    return (this.via >>> 8) & 0xff;
  }

  /** hvmop_set_evtchn_upcall_vector: 0, or EINVAL. */
  setUpcallVector(vcpu: number, vector: number): number {
    if (!this.chips.options.upcallVectors || vector < FIRST_VECTOR || vector > 0xff) return EINVAL;
    this.vcpus[vcpu]!.upcallVector = vector;
    this.assertEvtchnIrq(vcpu);
    return 0;
  }

  /** Events wait for a virtual CPU: its local APIC, itself, or the callback's line is told (hvm_assert_evtchn_irq). */
  assertEvtchnIrq(vcpu: number): void {
    if (this.defer(vcpu)) return;
    this.chips.hop('hvm_assert_evtchn_irq', vcpu);
    const v = this.vcpus[vcpu]!;
    if (v.upcallVector !== 0) {
      if (v.apic.enabled) v.apic.setIrq(v.upcallVector);
    } else if (this.viaType === Via.VECTOR) this.chips.output.kick(vcpu);
    else if (vcpu === 0) this.setCallbackIrqLevel();
  }

  /** hvm_maybe_deassert_evtchn_irq: on the way into the guest, which may have seen to its events. */
  maybeDeassertEvtchnIrq(): void {
    if (this.viaAsserted && !this.vcpus[0]!.upcallPending) this.setCallbackIrqLevel();
  }

  /** hvm_set_callback_irq_level: the line follows virtual CPU 0's events. */
  private setCallbackIrqLevel(): void {
    const asserted = this.vcpus[0]!.upcallPending;
    if (this.viaAsserted === asserted) return;
    this.viaAsserted = asserted;
    this.chips.hop('hvm_set_callback_irq_level', Number(asserted));
    if (this.viaType === Via.GSI) {
      if (asserted) {
        if (this.count(this.via)) this.raiseBoth(this.via);
      } else if (this.uncount(this.via)) this.lowerPic(this.via);
    } else if (this.viaType === Via.PCI_INTX) {
      if (asserted) this.pciIntxAssert(this.viaDevice, this.viaIntx);
      else this.pciIntxDeassert(this.viaDevice, this.viaIntx);
    }
  }

  /** The vector by which a virtual CPU is told of events; 0: it is by a line. */
  eventVector(vcpu: number): number {
    const { upcallVector } = this.vcpus[vcpu]!;
    return upcallVector === 0 && this.viaType === Via.VECTOR ? this.via & 0xff : upcallVector;
  }

  // what a virtual CPU is given

  /** What comes first of all that waits for it (hvm_vcpu_has_pending_irq). */
  hasPendingIrq(vcpu: number): IntAck {
    const { chips } = this;
    const v = this.vcpus[vcpu]!;
    if (v.nmiPending) return NMI;
    if (v.mcePending && chips.options.machineChecks) return MCE;
    if (this.viaType === Via.VECTOR && v.upcallPending) return { source: 'vector', vector: this.via & 0xff };
    if (chips.pic.intr && chips.acceptsPic(vcpu)) return PIC;
    const vector = v.apic.requestAboveService();
    return vector < 0 ? NONE : { source: 'lapic', vector };
  }

  /** Does the task priority hold back a vector of the local APIC? (hvm_interrupt_blocked) */
  tprBlocks(vcpu: number, { source, vector }: IntAck): boolean {
    return source === 'lapic' && this.vcpus[vcpu]!.apic.tpr >> 4 >= vector >> 4;
  }

  /** It is about to be injected; `none`: it has gone away (hvm_vcpu_ack_pending_irq). */
  ackPendingIrq(vcpu: number, intack: IntAck): IntAck {
    const { chips } = this;
    const v = this.vcpus[vcpu]!;
    switch (intack.source) {
      case 'nmi':
        if (!v.nmiPending) return NONE;
        v.nmiPending = false;
        return intack;
      case 'mce':
        if (!v.mcePending) return NONE;
        v.mcePending = false;
        return intack;
      case 'pic': {
        const vector = chips.acceptsPic(vcpu) ? chips.pic.ack() : -1;
        chips.hop('vpic_ack_pending_irq', vcpu, vector);
        return vector < 0 ? NONE : { source: 'pic', vector };
      }
      case 'lapic':
        chips.hop('vlapic_ack_pending_irq', vcpu, intack.vector);
        v.apic.take(intack.vector);
        return intack;
      default:
        return intack;
    }
  }

  override save(): Plain {
    return {
      wires: super.save(),
      via: [this.viaType, this.via, Number(this.viaAsserted)],
    };
  }

  override restore(state: Plain): void {
    const s = state as unknown as { wires: Plain; via: [number, number, number] };
    super.restore(s.wires);
    [this.viaType, this.via] = s.via;
    this.viaAsserted = s.via[2] === 1;
  }
}
