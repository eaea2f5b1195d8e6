/**
 * What Xen knows of the physical interrupts: descriptors (struct irq_desc and irq_guest_action_t), whose pirqs
 * they are, their vectors and where they are aimed (xen/arch/x86/irq.c).
 *
 * On 4.17 an interrupt follows the virtual CPU that it notifies: the move is noted, and done when the next
 * one is acknowledged, which still arrives where the others did. 3.4 aims it once, when it is bound.
 */
import type { Books, DestinationId } from '../../../core/books.ts';
import type { Plain } from '../../../core/state.ts';
import type { XenProfile } from '../softirq.ts';
import type { IoApics } from './io-apic.ts';
import { SERIAL_VECTOR, Vectors } from './vectors.ts';

/** `PCI-MSI/-X` is a message that can be masked, `PCI-MSI` one that cannot; as debug key i names them. */
export type IrqType = 'IO-APIC-edge' | 'IO-APIC-level' | 'PCI-MSI' | 'PCI-MSI/-X';

/** The owner of Xen's own interrupts. */
export const XEN = -1;

export interface IrqDesc {
  readonly irq: number;
  readonly type: IrqType;
  readonly domain: number;
  readonly pirq: number;
  /** where the books account for it */
  readonly destination: DestinationId;
  vector: number;
  /** physical CPU it is aimed at */
  cpu: number;
  /** its vector was given when only CPU 0 was up, and holds there only */
  cpu0Only: boolean;
  /** IRQ_MOVE_PENDING: the CPU it is to be aimed at, at its next interrupt; -1 for none */
  moveTo: number;
  /** still in use until the first interrupt by the new one; -1 for none */
  oldVector: number;
  /** IRQ_GUEST, or an action of Xen's own */
  bound: boolean;
  /** the guest has it and has not said EOI yet */
  inFlight: boolean;
  /** CPUs on whose stack of pending EOIs it is (cpu_eoi_map) */
  eoiCpus: number[];
}

/**
 * irq_acktype: EOI at the local APIC only when the guest is done (ACKTYPE_EOI). Else a level line would
 * interrupt at once again; and so could a message that nobody can mask.
 */
export function needsEoi({ type }: IrqDesc): boolean {
  return type === 'IO-APIC-level' || type === 'PCI-MSI';
}

/** GSIs of the 8259s: their vectors are given at boot, when only CPU 0 is up (setup_IO_APIC_irqs). */
const LEGACY_IRQS = 16;
/** those of them that no device has: platform timer and cascade */
const TIMER_IRQ = 0;
const CASCADE_IRQ = 2;
/** com1, which Xen keeps for itself (drivers/char/ns16550.c) */
export const SERIAL_IRQ = 4;

interface GsiVector {
  readonly vector: number;
  readonly cpu0Only: boolean;
}

export class IrqDescs {
  readonly descs: (IrqDesc | undefined)[] = [];
  readonly vectors: Vectors;
  /** domain -> pirq -> interrupt */
  private readonly irqOfPirq: number[][] = [];
  /** of GSIs that nobody has mapped */
  private gsiVectors: (GsiVector | undefined)[] = [];

  /** @param capacity interrupt numbers there are */
  constructor(
    profile: XenProfile,
    private readonly books: Books,
    private readonly ioapics: IoApics,
    private readonly capacity: number,
  ) {
    this.vectors = new Vectors(profile);
    for (let gsi = 0; gsi < Math.min(LEGACY_IRQS, ioapics.gsis); gsi++) {
      if (gsi === TIMER_IRQ || gsi === CASCADE_IRQ || gsi === SERIAL_IRQ) continue;
      this.gsiVectors[gsi] = { vector: this.vectors.assign(gsi), cpu0Only: profile !== '3.4' };
    }
    this.setupSerial();
  }

  /** setup_irq: the line is Xen's and stays unmasked. */
  private setupSerial(): void {
    this.vectors.reserve(SERIAL_VECTOR, SERIAL_IRQ);
    this.add(SERIAL_IRQ, 'IO-APIC-edge', XEN, SERIAL_IRQ, {
      vector: SERIAL_VECTOR,
      cpu0Only: false,
    }).bound = true;
    this.ioapics.setup(SERIAL_IRQ, SERIAL_VECTOR, false);
    this.ioapics.setMask(SERIAL_IRQ, false);
  }

  /** map_domain_pirq of a GSI: a descriptor for the pin, masked until it is bound; 0 or -ENOSPC. */
  mapGsi(gsi: number, level: boolean, domain: number, pirq: number): number {
    const given = this.gsiVectors[gsi] ?? { vector: this.vectors.assign(gsi), cpu0Only: false };
    if (given.vector < 0) return given.vector;
    this.add(gsi, level ? 'IO-APIC-level' : 'IO-APIC-edge', domain, pirq, given);
    this.ioapics.setup(gsi, given.vector, level);
    return 0;
  }

  /** create_irq and map_domain_pirq of a message, with the lowest free number; 0 or -ENOSPC. */
  mapMsi(maskable: boolean, domain: number, pirq: number): number {
    let irq = this.ioapics.gsis;
    while (this.descs[irq]) irq++;
    if (irq >= this.capacity) throw new Error(`${this.capacity} interrupt numbers are not enough`);
    const vector = this.vectors.assign(irq);
    if (vector < 0) return vector;
    this.add(irq, maskable ? 'PCI-MSI/-X' : 'PCI-MSI', domain, pirq, { vector, cpu0Only: false });
    return 0;
  }

  private add(irq: number, type: IrqType, domain: number, pirq: number, given: GsiVector): IrqDesc {
    const desc: IrqDesc = {
      irq,
      type,
      domain,
      pirq,
      destination: this.destination(irq, domain, pirq),
      ...given,
      cpu: 0,
      moveTo: -1,
      oldVector: -1,
      bound: false,
      inFlight: false,
      eoiCpus: [],
    };
    this.enter(desc);
    return desc;
  }

  private enter(desc: IrqDesc): void {
    this.descs[desc.irq] = desc;
    if (desc.domain === XEN) return;
    this.irqOfPirq[desc.domain] ??= [];
    this.irqOfPirq[desc.domain]![desc.pirq] = desc.irq;
  }

  private destination(irq: number, domain: number, pirq: number): DestinationId {
    return this.books.destinationOf(domain === XEN ? `xen irq ${irq}` : `dom${domain} pirq ${pirq}`);
  }

  /** unmap_domain_pirq. A pin keeps its vector. */
  remove(desc: IrqDesc): void {
    const { irq, vector, cpu0Only } = desc;
    this.releaseOld(desc);
    if (irq < this.ioapics.gsis) this.gsiVectors[irq] = { vector, cpu0Only };
    else this.vectors.release(vector);
    this.irqOfPirq[desc.domain]![desc.pirq] = -1;
    this.descs[irq] = undefined;
  }

  /** domain_pirq_to_irq; -1 for none. */
  irqOf(domain: number, pirq: number): number {
    return this.irqOfPirq[domain]?.[pirq] ?? -1;
  }

  /** set_desc_affinity: a vector that holds on CPU 0 alone is given up for one that holds everywhere. */
  aim(desc: IrqDesc, cpu: number): void {
    if (desc.cpu0Only && cpu !== 0) {
      const vector = this.vectors.assign(desc.irq);
      if (vector < 0) return;
      desc.oldVector = desc.vector;
      desc.vector = vector;
      desc.cpu0Only = false;
    }
    desc.cpu = cpu;
    if (desc.irq < this.ioapics.gsis) this.ioapics.aim(desc.irq, cpu, desc.vector);
  }

  /** move_native_irq. */
  move(desc: IrqDesc): void {
    if (desc.moveTo < 0) return;
    const cpu = desc.moveTo;
    desc.moveTo = -1;
    this.aim(desc, cpu);
  }

  /** irq_complete_move: at the first interrupt by the new vector the old one is free. */
  completeMove(desc: IrqDesc, vector: number): void {
    if (vector === desc.vector) this.releaseOld(desc);
  }

  private releaseOld(desc: IrqDesc): void {
    if (desc.oldVector >= 0) this.vectors.release(desc.oldVector);
    desc.oldVector = -1;
  }

  save(): Plain {
    const plain = ({ destination: _, eoiCpus, ...rest }: IrqDesc) => ({ ...rest, eoiCpus: [...eoiCpus] });
    return {
      vectors: this.vectors.save(),
      gsiVectors: this.gsiVectors.flatMap((g, gsi) => (g ? [[gsi, g.vector, Number(g.cpu0Only)]] : [])),
      descs: this.descs.flatMap((d) => (d ? [plain(d)] : [])),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      vectors: Plain;
      gsiVectors: [gsi: number, vector: number, cpu0Only: number][];
      descs: Omit<IrqDesc, 'destination'>[];
    };
    this.vectors.restore(s.vectors);
    this.gsiVectors = [];
    for (const [gsi, vector, cpu0Only] of s.gsiVectors)
      this.gsiVectors[gsi] = { vector, cpu0Only: cpu0Only === 1 };
    this.descs.length = 0;
    this.irqOfPirq.length = 0;
    for (const d of s.descs) {
      this.enter({ ...d, destination: this.destination(d.irq, d.domain, d.pirq), eoiCpus: [...d.eoiCpus] });
    }
  }
}
