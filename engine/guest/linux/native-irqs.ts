/**
 * The interrupt chips of a native kernel: IO-APIC, PCI-MSI and the local APIC behind both (arch/x86/kernel/apic/
 * {io_apic,msi,vector}.c), and how devices' interrupts get their numbers and vectors.
 */
import { ENOSPC } from '../../abi/xen.ts';
import type { Part, Plain } from '../../core/state.ts';
import { IOREDTBL, IOREGSEL, IOWIN, RTE_LEVEL, RTE_MASKED } from '../../hw/x86/ioapic-regs.ts';
import { msiAddress } from '../../hw/x86/msi.ts';
import type { LinuxCpu } from './entry.ts';
import type { IrqChip, IrqDesc, Work } from './irq-core.ts';
import { NoSpace } from './irq-info.ts';
import type { NativeKernel } from './native.ts';
import type { NativeLinuxCpu } from './native-entry.ts';
import { ISA_VECTOR, VectorMatrix, VectorSteps, type Vectors } from './vector-matrix.ts';

const IOAPIC = 0xfec0_0000;
const ISA_IRQS = 16;
const ACTIVE_LOW = 1 << 13;

/** A message for a device to send, MSI address and data; `on`: the CPU that writes it, the first unless given. */
export type Compose = (address: number, data: number, masked: boolean, on?: NativeLinuxCpu) => void;

export interface ApicChip extends IrqChip {
  readonly level: boolean;
}

/** Where an interrupt goes. */
interface Target {
  cpu: number;
  vector: number;
}

export interface GsiRequest {
  readonly level: boolean;
  readonly name: string;
  readonly work: Work;
  /** pin of the IOAPIC, where it is not the GSI's number (ISA IRQ 0 is at pin 2) */
  readonly pin?: number;
  /** it is aimed at one of these from the start */
  readonly cpus?: readonly number[];
}

/** A message of a device: number of the function, and which of its messages. */
export interface Message {
  readonly device: number;
  readonly index: number;
}

export class NativeIrqs implements Part {
  readonly id: string;
  private readonly vectors: Vectors;
  /** by interrupt number */
  private readonly targets: (Target | undefined)[] = [];
  /** the target before, in use until the first interrupt has come by the new one (move_in_progress) */
  private readonly formers: (Target | undefined)[] = [];
  private readonly messages: (Message | undefined)[] = [];
  private readonly composers: (Compose | undefined)[] = [];
  private readonly pins: number[] = [];
  private readonly managed: (readonly number[] | undefined)[] = [];
  readonly systemChip: ApicChip;
  private readonly ioapicEdge: ApicChip;
  private readonly ioapicLevel: ApicChip;
  private readonly msi: ApicChip;

  constructor(private readonly kernel: NativeKernel) {
    const { cpuCount, old, timerVector } = kernel;
    this.id = `${kernel.id}.vectors`;
    this.vectors = old ? new VectorSteps(cpuCount, timerVector) : new VectorMatrix(cpuCount, timerVector);
    // apic_ack_edge
    const ackNow = (desc: IrqDesc, cpu: LinuxCpu) => {
      kernel.delivered(cpu as NativeLinuxCpu);
      this.completeMove(desc, cpu as NativeLinuxCpu);
      if (desc.moveTo) this.move(desc, cpu as NativeLinuxCpu);
      kernel.eoi(cpu);
    };
    const nothing = () => {};
    const common = { startup: (d: IrqDesc) => this.startup(d), shutdown: (d: IrqDesc) => this.shutdown(d) };
    const edge = {
      ...common,
      level: false,
      lazy: true,
      ack: ackNow,
      end: nothing,
      mask: (d: IrqDesc, on?: LinuxCpu) => this.program(d, true, on as NativeLinuxCpu | undefined),
      unmask: (d: IrqDesc, on?: LinuxCpu) => this.unmask(d, on as NativeLinuxCpu | undefined),
      // from the next one that comes on (IRQ_MOVE_PENDING): nothing remaps interrupts here
      writeAffinity: (d: IrqDesc, cpus: readonly number[]) => {
        d.moveTo = cpus;
      },
    };
    this.systemChip = {
      ...edge,
      name: '',
      startup: nothing,
      shutdown: nothing,
      ack: (_, cpu) => {
        kernel.delivered(cpu as NativeLinuxCpu);
        kernel.eoi(cpu);
      },
      mask: nothing,
      unmask: nothing,
    };
    this.ioapicEdge = { ...edge, name: 'IO-APIC' };
    this.ioapicLevel = {
      ...edge,
      level: true,
      name: 'IO-APIC',
      ack: (desc, cpu) => {
        kernel.delivered(cpu as NativeLinuxCpu);
        this.completeMove(desc, cpu as NativeLinuxCpu);
      },
      // ioapic_ack_level
      end: (desc, cpu) => {
        kernel.eoi(cpu);
        if (desc.moveTo) this.move(desc, cpu as NativeLinuxCpu);
      },
    };
    this.msi = { ...edge, name: 'PCI-MSI' };
    kernel.init.parts.add(this);
  }

  // boot

  /** init_8259A and setup_IO_APIC on the first CPU: the 8259s are set up and masked, all pins are masked. */
  start(): void {
    const { hardware } = this.first;
    for (const [port, base] of [
      [0x20, ISA_VECTOR],
      [0xa0, ISA_VECTOR + 8],
    ] as const) {
      hardware.out(port, 0x11);
      hardware.out(port + 1, base);
      hardware.out(port + 1, port === 0x20 ? 4 : 2);
      hardware.out(port + 1, 1);
      hardware.out(port + 1, 0xff);
    }
  }

  private get first(): NativeLinuxCpu {
    return this.kernel.cpus[0]!;
  }

  // lines

  /** request_irq for a GSI; a level line may be shared. */
  requestGsi(gsi: number, request: GsiRequest): IrqDesc {
    const { irqs, old } = this.kernel;
    let desc = irqs.descs[gsi];
    if (!desc) {
      const chip = request.level ? this.ioapicLevel : this.ioapicEdge;
      desc = irqs.add(gsi, chip, request.level ? 'fasteoi' : 'edge');
      desc.hwirq = old ? null : (request.pin ?? gsi);
      desc.level = request.level;
      this.pins[gsi] = request.pin ?? gsi;
    }
    if (request.cpus && !this.targets[gsi]) this.assign(desc, request.cpus);
    irqs.request(desc, { name: request.name, work: request.work });
    return desc;
  }

  /** ISA IRQ 0 keeps its vector on the first CPU from early boot on. */
  requestTimer(name: string, work: Work): IrqDesc {
    const vector = ISA_VECTOR;
    this.vectors.assign(0, vector);
    this.targets[0] = { cpu: 0, vector };
    return this.requestGsi(0, { level: false, name, work, pin: 2 });
  }

  // messages

  /**
   * Interrupts for the messages of a function; they are let through as they are requested.
   * @param device number of the function: bus, device, function in 16 bits
   * @param index of the message
   * @param cpus managed: these CPUs alone
   */
  allocMsi(device: number, index: number, compose: Compose, cpus?: readonly number[]): IrqDesc {
    const { irqs, old } = this.kernel;
    const irq = irqs.lowestFree(this.firstMessage);
    if (irq === undefined) throw new NoSpace(`no interrupt number is left (-${ENOSPC})`);
    const desc = irqs.add(irq, this.msi, 'edge');
    desc.hwirq = old ? null : device * 2048 + index;
    this.composers[irq] = compose;
    this.messages[irq] = { device, index };
    this.managed[irq] = cpus;
    return desc;
  }

  /** nr_irqs_gsi */
  private get firstMessage(): number {
    return 24;
  }

  request(desc: IrqDesc, name: string, work: Work): void {
    this.kernel.irqs.request(desc, { name, work });
  }

  // vectors

  private startup(desc: IrqDesc): void {
    if (!this.targets[desc.irq]) this.assign(desc, this.managed[desc.irq] ?? this.everyCpu);
    this.connect(desc);
    this.program(desc, false);
  }

  private get everyCpu(): number[] {
    return this.kernel.cpus.map((c) => c.cpu);
  }

  private assign(desc: IrqDesc, cpus: readonly number[]): void {
    if (this.kernel.old && desc.irq < ISA_IRQS) {
      this.targets[desc.irq] = { cpu: 0, vector: ISA_VECTOR + desc.irq };
      return;
    }
    const target = this.vectors.allocate(cpus);
    if (!target) throw new NoSpace(`irq ${desc.irq}: no vector is left (-${ENOSPC})`);
    this.targets[desc.irq] = target;
  }

  private connect(desc: IrqDesc): void {
    const { cpu, vector } = this.targets[desc.irq]!;
    this.kernel.cpus[cpu]!.vectors[vector] = desc;
  }

  private shutdown(desc: IrqDesc): void {
    this.program(desc, true);
    const { cpu, vector } = this.targets[desc.irq]!;
    this.kernel.cpus[cpu]!.vectors[vector] = undefined;
    this.vectors.free(cpu, vector);
    this.targets[desc.irq] = undefined;
  }

  /** Who a vector of a CPU is for; undefined: nobody. */
  targetOf(irq: number): { readonly cpu: number; readonly vector: number } | undefined {
    return this.targets[irq];
  }

  /** The message that an interrupt comes by; undefined: it is a line. */
  messageOf(irq: number): Message | undefined {
    return this.messages[irq];
  }

  /** The interrupts of a function's messages. */
  rowsOf(device: number): number[] {
    return this.messages.flatMap((m, irq) => (m?.device === device ? [irq] : []));
  }

  /** Are its CPUs the kernel's business alone (IRQD_AFFINITY_MANAGED)? */
  isManaged(irq: number): boolean {
    return this.managed[irq] !== undefined;
  }

  /** The pin of the IOAPIC that an interrupt comes by; undefined: it is a message. */
  pinOf(irq: number): number | undefined {
    return this.pins[irq];
  }

  // where they are aimed

  /** irq_move_irq, on a CPU that has just taken it: nothing of it is on its way meanwhile. */
  private move(desc: IrqDesc, on: NativeLinuxCpu): void {
    const old = this.targets[desc.irq]!;
    const cpus = desc.moveTo!;
    // a move before is not complete: -EBUSY
    if (desc.depth > 0 || this.formers[desc.irq]) return;
    desc.moveTo = null;
    if (cpus.includes(old.cpu)) return;
    try {
      this.assign(desc, cpus);
    } catch (error) {
      if (!(error instanceof NoSpace)) throw error;
      this.kernel.log.push(error.message);
      return;
    }
    this.formers[desc.irq] = old;
    this.connect(desc);
    this.program(desc, false, on);
  }

  /** irq_complete_move: the first by the new vector tells the CPU before to give up the old one. */
  private completeMove(desc: IrqDesc, on: NativeLinuxCpu): void {
    const former = this.formers[desc.irq];
    const now = this.targets[desc.irq];
    if (!former || !now || now.cpu !== on.cpu || now.vector !== on.vector) return;
    this.kernel.sendCleanup(former.cpu, on);
  }

  /** sysvec_irq_move_cleanup: vectors that still wait at this CPU are looked at again. */
  cleanUp(on: NativeLinuxCpu): void {
    this.formers.forEach((former, irq) => {
      if (former?.cpu !== on.cpu) return;
      if (this.kernel.isRequested(on, former.vector)) {
        this.kernel.sendCleanup(on.cpu, on);
        return;
      }
      on.vectors[former.vector] = undefined;
      this.vectors.free(former.cpu, former.vector);
      this.formers[irq] = undefined;
    });
  }

  /** The redirection entry, or the message of the device. */
  private program(desc: IrqDesc, masked: boolean, on = this.first): void {
    const { cpu, vector } = this.targets[desc.irq]!;
    const compose = this.composers[desc.irq];
    if (compose) {
      compose(msiAddress(this.kernel.apicId(cpu)), vector, masked, on);
      return;
    }
    const pin = this.pins[desc.irq]!;
    const level = (desc.chip as ApicChip).level ? RTE_LEVEL | (pin >= ISA_IRQS ? ACTIVE_LOW : 0) : 0;
    const { hardware } = on;
    hardware.store(IOAPIC + IOREGSEL, IOREDTBL + pin * 2 + 1);
    hardware.store(IOAPIC + IOWIN, (this.kernel.apicId(cpu) << 24) >>> 0);
    hardware.store(IOAPIC + IOREGSEL, IOREDTBL + pin * 2);
    hardware.store(IOAPIC + IOWIN, vector | level | (masked ? RTE_MASKED : 0));
  }

  /** What came while it was disabled is raised again (check_irq_resend); a level that is still up comes by itself. */
  private unmask(desc: IrqDesc, on = this.first): void {
    const { books, id } = this.kernel;
    books.begin(books.sourceOf(`${id} resend`));
    this.program(desc, false, on);
    if (!desc.replay) return;
    desc.replay = false;
    const { cpu, vector } = this.targets[desc.irq]!;
    this.kernel.sendVector(vector, cpu, on);
  }

  /** Who each vector of a CPU is for: the names that /proc/interrupts has. */
  names(cpu: number): { [vector: number]: string } {
    const out: { [vector: number]: string } = {};
    this.kernel.cpus[cpu]!.vectors.forEach((desc, vector) => {
      if (desc) out[vector] = desc.actions.map((a) => a.name).join(', ');
    });
    return out;
  }

  save(): Plain {
    const place = (target: Target | undefined, irq: number) =>
      target ? [[irq, target.cpu, target.vector]] : [];
    return {
      targets: Array.from(this.targets, (t) => t).flatMap(place),
      formers: Array.from(this.formers, (t) => t).flatMap(place),
      vectors: this.vectors.save(),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { targets: number[][]; formers: number[][]; vectors: Plain };
    const { cpus, irqs, system } = this.kernel;
    for (const { vectors } of cpus) {
      vectors.forEach((_, vector) => {
        vectors[vector] = system[vector];
      });
    }
    this.targets.length = 0;
    this.formers.length = 0;
    const put = (list: (Target | undefined)[], [irq, cpu, vector]: number[]) => {
      list[irq!] = { cpu: cpu!, vector: vector! };
      cpus[cpu!]!.vectors[vector!] = irqs.descs[irq!];
    };
    for (const entry of s.targets) put(this.targets, entry);
    for (const entry of s.formers) put(this.formers, entry);
    this.vectors.restore(s.vectors);
  }
}
