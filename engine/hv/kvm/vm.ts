/** One virtual machine of KVM (struct kvm): its interrupt controllers, its buses, its lines and messages. */
import { DmaMemory } from '../../abi/dma.ts';
import { wide } from '../../core/bits.ts';
import type { DestinationId, SlotId, SourceId } from '../../core/books.ts';
import { ApicBus } from '../../hw/x86/apic-bus.ts';
import { IoBus } from '../../hw/x86/io-bus.ts';
import { COALESCED } from '../../hw/x86/ioapic.ts';
import { Rte } from '../../hw/x86/ioapic-regs.ts';
import type { HypervisorShop } from '../shop.ts';
import { type ChipRoute, IrqRouting, qemuRoutes } from './irq-routing.ts';
import { IrqChip, USERSPACE_SOURCE } from './irqchip.ts';
import type { Kvm } from './kvm.ts';
import { LineCounts } from './line-counts.ts';
import type { KvmVcpu } from './vcpu.ts';

const IOAPIC = 0xfec0_0000;
/** KVM_IRQCHIP_IOAPIC; before it come the 8259s */
const IRQCHIP_IOAPIC = 2;
/** APICV_INHIBIT_REASON_HYPERV */
const INHIBIT_HYPERV = 1;

export class Vm {
  readonly bus = new ApicBus({ vectorHashing: true });
  readonly chip: IrqChip;
  readonly routing: IrqRouting;
  readonly lines: LineCounts;
  readonly vcpus: KvmVcpu[] = [];
  /** what its kernel shares with devices and with KVM */
  readonly memory = new DmaMemory();
  /** in whose name timers of its local APICs interrupt */
  readonly timerSource: SourceId;
  /** virtual CPUs that have a SynIC source with AutoEOI (synic_auto_eoi_used) */
  private readonly autoEoi = new Set<number>();
  /** registers that KVM emulates itself, and those of QEMU's devices */
  readonly kernelBus = new IoBus();
  readonly userBus = new IoBus();
  /** lower half of the redirection entry whose pin is being driven, as it was before */
  private entry = 0;
  /** stores that only signal an event (ioeventfd), by address */
  readonly ioeventfds = new Map<number, (value: number) => void>();

  /** @param index among the machines of the host */
  constructor(
    private readonly kvm: Kvm,
    shop: HypervisorShop,
    readonly index: number,
    readonly name: string,
    /** CPUID 0x40000001, EAX */
    readonly features: number,
  ) {
    this.timerSource = shop.books.sourceOf(`${name} timer`);
    this.chip = shop.parts.add(new IrqChip(name, this.bus, shop.clock, kvm.options.resample));
    this.lines = shop.parts.add(new LineCounts(name));
    this.routing = shop.parts.add(new IrqRouting(this.chip));
    shop.parts.add({
      id: `${name}.apicv`,
      save: () => [...this.autoEoi],
      restore: (state) => {
        this.autoEoi.clear();
        for (const vcpu of state as number[]) this.autoEoi.add(vcpu);
      },
    });
    this.routing.setRoutes(qemuRoutes());
    const { pic, ioapic } = this.chip;
    this.kernelBus.addPorts(0x20, 2, pic.ports(0x20));
    this.kernelBus.addPorts(0xa0, 2, pic.ports(0xa0));
    this.kernelBus.addPorts(0x4d0, 2, pic.ports(0x4d0));
    this.kernelBus.addMemory(IOAPIC, 4096, ioapic.registers);
    // pic_unlock: a virtual CPU that takes the 8259s' interrupts is kicked
    this.chip.picOutput = (high) => {
      if (!high) return;
      for (const v of this.vcpus) if (v.apic.acceptsPic) v.kick();
    };
    this.routing.driving = (route, level) => {
      if (route.to === 'ioapic') this.entry = ioapic.low[route.pin]!;
      if (!level) return;
      if (route.to === 'ioapic') this.lines.hold(route.pin, kvm.books.source);
      this.traceInput(route);
    };
    this.routing.driven = (route, reached) => {
      if (kvm.trace.detailed) this.traceSetIrq(route, reached);
    };
    this.routing.acknowledged = (kind, pin) => {
      const chip = kind === 'ioapic' ? IRQCHIP_IOAPIC : pin >> 3;
      kvm.tell(kvm.points.ackIrq, index, chip, pin);
    };
    this.chip.delayed = (pin) => kvm.tell(kvm.points.delayedEoi, index, pin, this.entryOf(pin));
    this.chip.again = (pin) => {
      const source = this.lines.holderOf(pin);
      if (source >= 0) kvm.books.source = source;
    };
    const { bus } = this;
    const told = bus.onEoi;
    bus.onEoi = (apic, vector, level) => {
      const v = this.vcpus[apic.apicId]!;
      const pv = Number(v.pvEoi.ended());
      v.eventRequested = true;
      kvm.trace.emit(kvm.points.eoi, kvm.now, v.journey, kvm.hereCpu, v.index, vector, pv);
      if (level) kvm.trace.emit(kvm.points.ioapicEoi, kvm.now, v.journey, kvm.hereCpu, index, vector);
      const { books } = kvm;
      const { source } = books;
      told(apic, vector, level);
      books.source = source;
    };
  }

  get pic() {
    return this.chip.pic;
  }

  /** What the chip will go by: the pin's redirection entry, or its bit of the mask. */
  private traceInput({ to, pin }: ChipRoute): void {
    const { kvm, index, chip } = this;
    if (to === 'ioapic') {
      const high = chip.ioapic.high[pin]!;
      kvm.emit(kvm.points.ioapicInput, index, pin, this.entry, high);
    } else {
      const { imr, elcr } = chip.pic.of(pin);
      const bit = (bits: number) => (bits >> (pin & 7)) & 1;
      kvm.emit(kvm.points.picInput, index, pin, bit(imr), bit(elcr));
    }
  }

  /** In one number, the destination above the lower half. */
  private entryOf(pin: number, low = this.chip.ioapic.low[pin]!): number {
    return wide(low, this.chip.ioapic.high[pin]! >>> 24);
  }

  /** The input has changed; as in the kernel, this comes after what it led to. */
  private traceSetIrq({ to, pin }: ChipRoute, reached: number): void {
    const { kvm, index, chip } = this;
    const coalesced = Number(reached === COALESCED);
    if (to === 'ioapic') {
      const entry = this.entryOf(pin, this.entry);
      kvm.emit(kvm.points.ioapicSetIrq, index, pin, entry, coalesced);
    } else {
      const { imr, elcr } = chip.pic.of(pin);
      kvm.emit(kvm.points.picSetIrq, index, pin, elcr | (imr << 8), coalesced);
    }
  }

  /** kvm_apicv_activated is false: there is a reason not to use APICv (APICV_INHIBIT_REASON_HYPERV). */
  get apicvInhibited(): boolean {
    return this.autoEoi.size > 0;
  }

  /** synic_update_vector, and kvm_set_or_clear_apicv_inhibit: all its virtual CPUs see to it before they go on. */
  setAutoEoi(vcpu: number, on: boolean): void {
    const before = this.apicvInhibited;
    if (on) this.autoEoi.add(vcpu);
    else this.autoEoi.delete(vcpu);
    const { kvm, apicvInhibited } = this;
    if (!kvm.options.apicv || apicvInhibited === before) return;
    const inhibits = apicvInhibited ? 1 << INHIBIT_HYPERV : 0;
    kvm.tell(kvm.points.inhibit, this.index, INHIBIT_HYPERV, Number(apicvInhibited), inhibits);
    for (const v of this.vcpus) v.requestApicvUpdate();
  }

  private begin(source: SourceId): void {
    const { books, carried } = this.kvm;
    if (carried === 0) {
      books.begin(source);
      return;
    }
    books.source = source;
    books.journey = carried;
  }

  /** A device's line changes: kvm_set_irq of user space. The raise is accounted for as `source`. */
  setLine(source: SourceId, gsi: number, high: boolean): void {
    const { kvm } = this;
    this.lines.set(gsi, high);
    if (high) this.begin(source);
    kvm.emit(kvm.points.setIrq, this.index, gsi, Number(high), USERSPACE_SOURCE);
    const reached = this.routing.setIrq(USERSPACE_SOURCE, gsi, high);
    if (!high || reached > 0) return;
    const destination = kvm.books.destinationOf(`${this.name} gsi ${gsi}`);
    if (reached === 0) kvm.books.coalesce(destination);
    else kvm.books.ignore(destination, this.waitsForEoi(gsi) ? 'remote IRR' : 'masked');
  }

  /** Its pin of the IOAPIC is let through, and has sent a level that nobody has ended. */
  private waitsForEoi(gsi: number): boolean {
    const entry = this.chip.ioapic.low[gsi] ?? 0;
    return !Rte.masked.has(entry) && Rte.level.has(entry) && Rte.remoteIrr.has(entry);
  }

  /** A device's message: KVM_SIGNAL_MSI, or an irqfd. */
  message(source: SourceId, addressLow: number, addressHigh: number, data: number): void {
    const { kvm } = this;
    this.begin(source);
    kvm.emit(kvm.points.msi, this.index, addressLow, data);
    const reached = this.routing.signalMsi(addressLow, addressHigh, data);
    if (reached > 0) return;
    kvm.books.ignore(this.messages, reached < 0 ? 'nowhere' : 'not accepted');
  }

  /** Where messages are booked that no local APIC has. */
  private get messages(): DestinationId {
    return this.kvm.books.destinationOf(`${this.name} msi`);
  }

  /** A message that the device's table masks: its pending bit keeps it, or it is lost. @param slot of that bit */
  maskedMessage(source: SourceId, vector: number, slot: SlotId | undefined): void {
    const { kvm } = this;
    const { books } = kvm;
    this.begin(source);
    kvm.emit(kvm.points.masked, this.index, vector, Number(slot !== undefined));
    if (slot === undefined) books.ignore(this.messages, 'MSI-X masked');
    else books.pend(slot, this.messages);
  }

  /** What a pending bit has kept is sent, in the name of the raise that set it. */
  letGo(slot: SlotId, send: () => void): void {
    const { kvm } = this;
    const { books, carried } = kvm;
    const { source, journey } = books;
    if (books.handOn(slot)) kvm.carried = books.journey;
    send();
    kvm.carried = carried;
    books.source = source;
    books.journey = journey;
  }
}
