/** The physical machine under a KVM host: processors, local APICs and the bus between them, the IOAPIC. */
import type { DestinationId, SlotId } from '../../core/books.ts';
import { I8259Pair } from '../../hw/x86/i8259.ts';
import { INTEL_PIC } from '../../hw/x86/i8259-options.ts';
import { IoBus } from '../../hw/x86/io-bus.ts';
import { IoApic } from '../../hw/x86/ioapic.ts';
import { INTEL_IOAPIC } from '../../hw/x86/ioapic-options.ts';
import { Rte } from '../../hw/x86/ioapic-regs.ts';
import type { LocalApic } from '../../hw/x86/lapic.ts';
import { PhysicalApicBus } from '../../hw/x86/message-flight.ts';
import { MsiAddress, MsiData, msiDestination } from '../../hw/x86/msi.ts';
import { physicalLapic } from '../../hw/x86/physical-lapic.ts';
import { Processor, type ProcessorWiring } from '../../hw/x86/processor.ts';
import type { Workshop } from '../machine.ts';

const IOAPIC = 0xfec0_0000;

export class Board {
  readonly wiring: ProcessorWiring;
  readonly processors: Processor[] = [];
  readonly lapics: LocalApic[] = [];
  readonly bus: PhysicalApicBus;
  readonly ioapic: IoApic;
  readonly pic: I8259Pair;
  private readonly slots: SlotId;
  private readonly destinations: DestinationId[] = [];

  constructor(
    private readonly shop: Workshop,
    cpus: number,
  ) {
    const { clock, books, parts, trace } = shop;
    const tpAccept = trace.point('apic_accept', 'irq', 'vector', 'cpu');
    const io = new IoBus();
    this.wiring = { clock, bus: io, cpus: this.processors, guests: [], here: null };
    const { wiring } = this;
    this.bus = parts.add(
      new PhysicalApicBus(clock, books, () => (wiring.here ? wiring.here.now : clock.now)),
    );
    this.slots = books.addSlots(cpus * 256);
    const timer = books.sourceOf('host timer');
    for (let i = 0; i < cpus; i++) {
      const processor = parts.add(new Processor(i, wiring));
      const lapic = physicalLapic(clock, this.bus, i, () => processor.interruptRequest(), {
        nmi: () => processor.nmi(),
        expired: () => books.begin(timer),
        accepted: (vector) => {
          books.pend(this.slot(i, vector), this.destination(i, vector));
          trace.emit(tpAccept, clock.now, books.journey, i, -1, vector, i);
        },
      });
      processor.lapic = lapic;
      this.lapics.push(parts.add(lapic));
      this.processors.push(processor);
    }
    this.ioapic = parts.add(
      new IoApic('host', INTEL_IOAPIC, {
        send: (low, high) =>
          this.bus.send(
            null,
            high >>> 24,
            Rte.logical.has(low),
            Rte.mode.get(low),
            low & 0xff,
            true,
            Rte.level.has(low),
            0,
            false,
          ),
      }),
    );
    this.bus.onEoi = (_, vector, level) => this.ioapic.eoi(vector, level);
    this.pic = parts.add(new I8259Pair('host', INTEL_PIC, { intr: () => {} }));
    io.addMemory(IOAPIC, 4096, this.ioapic.registers);
    for (const port of [0x20, 0xa0, 0x4d0]) io.addPorts(port, 2, this.pic.ports(port));
  }

  slot(cpu: number, vector: number): SlotId {
    return this.slots + cpu * 256 + vector;
  }

  destination(cpu: number, vector: number): DestinationId {
    const at = cpu * 256 + vector;
    let id = this.destinations[at];
    if (id === undefined) {
      id = this.shop.books.destinationOf(`CPU${cpu} vec ${vector.toString(16)}`);
      this.destinations[at] = id;
    }
    return id;
  }

  /** A device's message. */
  message(addressLow: number, data: number): void {
    this.bus.send(
      null,
      msiDestination(addressLow, 0, false),
      MsiAddress.logical.has(addressLow),
      MsiData.mode.get(data),
      data & 0xff,
      true,
      MsiData.level.has(data),
      0,
      MsiAddress.redirectionHint.has(addressLow),
    );
  }
}
