/**
 * What Xen knows of the physical interrupts: descriptors (struct irq_desc and irq_guest_action_t), whose pirqs
 * they are, their vectors and where they are aimed (xen/arch/x86/irq.c).
 *
 * On 4.17 an interrupt follows the virtual CPU that it notifies: the move is noted, and done when the next
 * one is acknowledged, which still arrives where the others did. 3.4 aims it once, when it is bound.
 */
import { ENOSPC } from '../../../abi/xen.ts';
import type { Books, DestinationId } from '../../../core/books.ts';
import type { Plain } from '../../../core/state.ts';
import type { XenProfile } from '../softirq.ts';
import type { IoApics } from './io-apic.ts';
import { IRQ_DISABLED } from './irq-status.ts';
import { IRQ0_VECTOR, SERIAL_VECTOR, Vectors } from './vectors.ts';

/** `PCI-MSI/-X` is a message that can be masked, `PCI-MSI` one that cannot; as debug key i names them. */
export type IrqType = 'IO-APIC-edge' | 'IO-APIC-level' | 'PCI-MSI' | 'PCI-MSI/-X';

/**
 * What is left to do when the guests are through (ACKTYPE_*): nothing; the pin is unmasked, by any CPU; EOI at the
 * local APIC of the CPU that was interrupted.
 */
export const ACK_TYPES = ['NONE', 'UNMASK', 'EOI'] as const;
export type AckType = (typeof ACK_TYPES)[number];

/** A line or message as one domain knows it (struct pirq). */
export interface Pirq {
  readonly domain: number;
  readonly pirq: number;
  /** where the books account for it while this domain alone has it */
  readonly destination: DestinationId;
  /** the guest has one and has not said EOI yet */
  masked: boolean;
  /** its bit in the page that tells the guest for which pirqs EOI must be said (pirq_eoi_map) */
  needsEoi: boolean;
}

/** irq_guest_action_t */
export interface GuestAction {
  /** guest[], in the order they were bound */
  readonly guests: Pirq[];
  /** guests that have not said EOI */
  inFlight: number;
  readonly shareable: boolean;
  readonly ackType: AckType;
  /** CPUs on whose stack of pending EOIs it is (cpu_eoi_map) */
  eoiCpus: number[];
  /** the raise that its guests were told of last */
  journey: number;
}

export interface IrqDesc {
  readonly irq: number;
  /** how a pin is triggered is known when it is mapped */
  type: IrqType;
  /** IRQ_* */
  status: number;
  /** domains that have mapped it */
  readonly pirqs: Pirq[];
  /** while IRQ_GUEST is set */
  action: GuestAction | null;
  /** Xen's own action, by name; null for none */
  own: string | null;
  vector: number;
  /** physical CPU that is interrupted */
  cpu: number;
  /** CPUs it is aimed at: one, once a guest has had it */
  affinity: readonly number[];
  /** its vector was given when only CPU 0 was up, and holds there only */
  cpu0Only: boolean;
  /** with IRQ_MOVE_PENDING: the CPU it is to be aimed at */
  moveTo: number;
  /** still in use until the first interrupt by the new one; -1 for none */
  oldVector: number;
  /** that has come: CPU 0 is told to free the old one (move_cleanup_count) */
  moveCleanup: boolean;
  /** a message: its mask bit, and its pending bit, set by the device when it asks while masked */
  msiMasked: boolean;
  msiPending: boolean;
  /** the mask bit that an HVM guest sees of a device passed through to it; the message is held by either */
  guestMasked: boolean;
  /** irq_ratelimit: interrupts since `rlStart` (rl_cnt, rl_quantum_start) */
  rlCount: number;
  rlStart: number;
}

/** What the firmware tells of the board's interrupt lines (MADT). */
export interface Firmware {
  /** ISA interrupts that are levels */
  readonly levels: readonly number[];
  /** a level line is high when it asks; on most boards low */
  readonly activeHigh: boolean;
}

export const PLAIN_FIRMWARE: Firmware = { levels: [], activeHigh: false };

/** GSIs of the 8259s: their vectors are given at boot, when only CPU 0 is up (setup_IO_APIC_irqs). */
const LEGACY_IRQS = 16;
/** those of them that no domain gets: platform timer and cascade */
export const TIMER_IRQ = 0;
const CASCADE_IRQ = 2;
/** com1, which Xen keeps for itself (drivers/char/ns16550.c) */
export const SERIAL_IRQ = 4;

type SavedAction = Omit<GuestAction, 'guests'> & { guests: number[] };
type SavedPirq = Omit<Pirq, 'destination'>;
type SavedDesc = Omit<IrqDesc, 'pirqs' | 'action'> & { pirqs: SavedPirq[]; action: SavedAction | null };

export class IrqDescs {
  readonly vectors: Vectors;
  /** domain -> pirq -> interrupt */
  private readonly irqOfPirq: number[][] = [];

  /**
   * @param descs filled here
   * @param capacity interrupt numbers there are
   */
  constructor(
    private readonly profile: XenProfile,
    private readonly books: Books,
    private readonly ioapics: IoApics,
    readonly descs: (IrqDesc | undefined)[],
    private readonly capacity: number,
    private readonly firmware: Firmware = PLAIN_FIRMWARE,
  ) {
    this.vectors = new Vectors(profile);
    for (let gsi = 0; gsi < Math.min(LEGACY_IRQS, ioapics.gsis); gsi++) {
      if (gsi === CASCADE_IRQ) continue;
      if (gsi === TIMER_IRQ) this.addLegacy(gsi, this.vectors.reserve(IRQ0_VECTOR, gsi), profile !== '3.4');
      else if (gsi === SERIAL_IRQ) this.addLegacy(gsi, this.vectors.reserve(SERIAL_VECTOR, gsi), false);
      else this.addLegacy(gsi, this.vectors.assign(gsi), profile !== '3.4');
    }
  }

  /** setup_IO_APIC_irqs: an edge of the 8259s' is let through from the beginning. */
  private addLegacy(gsi: number, vector: number, cpu0Only: boolean): void {
    const level = this.firmware.levels.includes(gsi);
    const desc = this.add(gsi, level ? 'IO-APIC-level' : 'IO-APIC-edge', vector, cpu0Only);
    if (this.profile === '3.4') desc.affinity = [0];
    this.ioapics.setup(gsi, vector, level, this.firmware.activeHigh);
    this.ioapics.aim(gsi, desc.affinity, vector);
    this.ioapics.setMask(gsi, level);
  }

  /**
   * map_domain_pirq of a GSI; 0 or -ENOSPC. Its first domain tells how the pin is triggered (PHYSDEVOP_setup_gsi); one
   * that is not a legacy edge is masked until it is bound.
   */
  mapGsi(gsi: number, level: boolean, domain: number, pirq: number): number {
    const desc = this.descs[gsi] ?? this.addGsi(gsi);
    if (!desc) return -ENOSPC;
    if (desc.own || this.irqOf(domain, pirq) >= 0) return 0;
    if (desc.pirqs.length === 0 && (level || gsi >= LEGACY_IRQS)) {
      desc.type = level ? 'IO-APIC-level' : 'IO-APIC-edge';
      this.ioapics.setup(gsi, desc.vector, level, this.firmware.activeHigh);
    }
    this.map(desc, domain, pirq);
    return 0;
  }

  private addGsi(gsi: number): IrqDesc | undefined {
    const vector = this.vectors.assign(gsi);
    if (vector < 0) return undefined;
    const desc = this.add(gsi, 'IO-APIC-edge', vector, false);
    this.ioapics.aim(gsi, desc.affinity, vector);
    return desc;
  }

  /** create_irq and map_domain_pirq of a message, with the lowest free number; 0 or -ENOSPC. */
  mapMsi(maskable: boolean, domain: number, pirq: number): number {
    let irq = this.ioapics.gsis;
    while (this.descs[irq]) irq++;
    if (irq >= this.capacity) throw new Error(`${this.capacity} interrupt numbers are not enough`);
    const vector = this.vectors.assign(irq);
    if (vector < 0) return vector;
    this.map(this.add(irq, maskable ? 'PCI-MSI/-X' : 'PCI-MSI', vector, false), domain, pirq);
    return 0;
  }

  private add(irq: number, type: IrqType, vector: number, cpu0Only: boolean): IrqDesc {
    const desc: IrqDesc = {
      irq,
      type,
      status: IRQ_DISABLED,
      pirqs: [],
      action: null,
      own: null,
      vector,
      cpu: 0,
      affinity: cpu0Only ? [0] : Array.from({ length: this.ioapics.cpus }, (_, cpu) => cpu),
      cpu0Only,
      moveTo: -1,
      oldVector: -1,
      moveCleanup: false,
      msiMasked: type === 'PCI-MSI/-X',
      msiPending: false,
      guestMasked: false,
      rlCount: 0,
      rlStart: 0,
    };
    this.descs[irq] = desc;
    return desc;
  }

  private map(desc: IrqDesc, domain: number, pirq: number): void {
    this.enter(desc, { domain, pirq, masked: false, needsEoi: false });
  }

  private enter(desc: IrqDesc, saved: SavedPirq): void {
    const { domain, pirq } = saved;
    const destination = this.books.destinationOf(`dom${domain} pirq ${pirq}`);
    desc.pirqs.push({ ...saved, destination });
    this.irqOfPirq[domain] ??= [];
    this.irqOfPirq[domain]![pirq] = desc.irq;
  }

  /** unmap_domain_pirq. A message is gone with it (destroy_irq); a pin keeps its vector. */
  unmap(domain: number, pirq: number): void {
    const desc = this.of(domain, pirq)!;
    desc.pirqs.splice(desc.pirqs.indexOf(pirqOf(desc, domain)!), 1);
    this.irqOfPirq[domain]![pirq] = -1;
    if (desc.pirqs.length > 0 || desc.irq < this.ioapics.gsis) return;
    this.releaseOld(desc);
    this.vectors.release(desc.vector);
    this.descs[desc.irq] = undefined;
  }

  /** domain_pirq_to_irq; -1 for none. */
  irqOf(domain: number, pirq: number): number {
    return this.irqOfPirq[domain]?.[pirq] ?? -1;
  }

  /** The descriptor behind a domain's pirq. */
  of(domain: number, pirq: number): IrqDesc | undefined {
    return this.descs[this.irqOf(domain, pirq)];
  }

  /**
   * Where the books account for what a device asks of this line. A line that several domains are bound to is a
   * destination of its own: what is handed to each of them is a further raise, by the line.
   */
  destination(desc: IrqDesc): DestinationId {
    if (desc.own) return this.books.destinationOf(`xen irq ${desc.irq}`);
    const guests = desc.action ? desc.action.guests : desc.pirqs;
    return guests.length === 1 ? guests[0]!.destination : this.books.destinationOf(`irq ${desc.irq}`);
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
    desc.affinity = [cpu];
    if (desc.irq < this.ioapics.gsis) this.ioapics.aim(desc.irq, desc.affinity, desc.vector);
  }

  /** irq_complete_move: the first interrupt by the new vector. True: the CPU of the old one must be told. */
  completeMove(desc: IrqDesc, vector: number): boolean {
    if (desc.oldVector < 0 || desc.moveCleanup || vector !== desc.vector) return false;
    desc.moveCleanup = true;
    return true;
  }

  /** release_old_vec */
  releaseOld(desc: IrqDesc): void {
    if (desc.oldVector >= 0) this.vectors.release(desc.oldVector);
    desc.oldVector = -1;
    desc.moveCleanup = false;
  }

  save(): Plain {
    const guests = (action: GuestAction) => action.guests.map((g) => g.domain);
    return {
      vectors: this.vectors.save(),
      descs: this.descs.flatMap((desc) => {
        if (!desc) return [];
        const { action } = desc;
        const pirqs = desc.pirqs.map(({ destination: _, ...rest }) => rest);
        return [{ ...desc, pirqs, action: action && { ...action, guests: guests(action) } }];
      }),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { vectors: Plain; descs: SavedDesc[] };
    this.vectors.restore(s.vectors);
    this.descs.length = 0;
    this.irqOfPirq.length = 0;
    for (const saved of s.descs) {
      const desc: IrqDesc = { ...saved, pirqs: [], action: null };
      this.descs[desc.irq] = desc;
      for (const pirq of saved.pirqs) this.enter(desc, pirq);
      const { action } = saved;
      if (!action) continue;
      const guests = action.guests.map((domain) => pirqOf(desc, domain)!);
      desc.action = { ...action, guests, eoiCpus: [...action.eoiCpus] };
    }
  }
}

/** The line as this domain knows it (domain_irq_to_pirq and pirq_info). */
export function pirqOf(desc: IrqDesc, domain: number): Pirq | undefined {
  return desc.pirqs.find((p) => p.domain === domain);
}
