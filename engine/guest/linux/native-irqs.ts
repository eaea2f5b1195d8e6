/**
 * The interrupt chips of a native kernel: IO-APIC, PCI-MSI and the local APIC behind both (arch/x86/kernel/apic/
 * {io_apic,msi,vector}.c), and how devices' interrupts get their numbers and vectors.
 */
import { ENOSPC } from '../../abi/xen.ts';
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

/** A message for a device to send: MSI address and data. */
export type Compose = (address: number, data: number, masked: boolean) => void;

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
}

export class NativeIrqs {
  private readonly vectors: Vectors;
  /** by interrupt number */
  private readonly targets: (Target | undefined)[] = [];
  private readonly composers: (Compose | undefined)[] = [];
  private readonly pins: number[] = [];
  private readonly managed: (readonly number[] | undefined)[] = [];
  readonly systemChip: ApicChip;
  private readonly ioapicEdge: ApicChip;
  private readonly ioapicLevel: ApicChip;
  private readonly msi: ApicChip;

  constructor(private readonly kernel: NativeKernel) {
    const { cpuCount, old, timerVector } = kernel;
    this.vectors = old ? new VectorSteps(cpuCount, timerVector) : new VectorMatrix(cpuCount, timerVector);
    const ackNow = (_: IrqDesc, cpu: LinuxCpu) => {
      kernel.delivered(cpu as NativeLinuxCpu);
      kernel.eoi(cpu);
    };
    const nothing = () => {};
    const common = { startup: (d: IrqDesc) => this.startup(d), shutdown: (d: IrqDesc) => this.shutdown(d) };
    const edge = {
      ...common,
      level: false,
      ack: ackNow,
      end: nothing,
      mask: (d: IrqDesc) => this.program(d, true),
      unmask: (d: IrqDesc) => this.unmask(d),
      setAffinity: (d: IrqDesc, cpus: readonly number[]) => this.setAffinity(d, cpus),
    };
    this.systemChip = {
      ...edge,
      name: '',
      startup: nothing,
      shutdown: nothing,
      mask: nothing,
      unmask: nothing,
    };
    this.ioapicEdge = { ...edge, name: 'IO-APIC' };
    this.ioapicLevel = {
      ...edge,
      level: true,
      name: 'IO-APIC',
      ack: (_, cpu) => kernel.delivered(cpu as NativeLinuxCpu),
      end: (_, cpu) => kernel.eoi(cpu),
    };
    this.msi = { ...edge, name: 'PCI-MSI' };
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
      this.pins[gsi] = request.pin ?? gsi;
    }
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

  /** The pin of the IOAPIC that an interrupt comes by; undefined: it is a message. */
  pinOf(irq: number): number | undefined {
    return this.pins[irq];
  }

  private setAffinity(desc: IrqDesc, cpus: readonly number[]): void {
    const old = this.targets[desc.irq]!;
    if (cpus.includes(old.cpu)) return;
    this.assign(desc, cpus);
    this.connect(desc);
    this.program(desc, desc.depth > 0);
    this.kernel.cpus[old.cpu]!.vectors[old.vector] = undefined;
    this.vectors.free(old.cpu, old.vector);
  }

  /** The redirection entry, or the message of the device. */
  private program(desc: IrqDesc, masked: boolean): void {
    const { cpu, vector } = this.targets[desc.irq]!;
    const compose = this.composers[desc.irq];
    if (compose) {
      compose(msiAddress(this.kernel.apicId(cpu)), vector, masked);
      return;
    }
    const pin = this.pins[desc.irq]!;
    const level = (desc.chip as ApicChip).level ? RTE_LEVEL | (pin >= ISA_IRQS ? ACTIVE_LOW : 0) : 0;
    const { hardware } = this.first;
    hardware.store(IOAPIC + IOREGSEL, IOREDTBL + pin * 2 + 1);
    hardware.store(IOAPIC + IOWIN, (this.kernel.apicId(cpu) << 24) >>> 0);
    hardware.store(IOAPIC + IOREGSEL, IOREDTBL + pin * 2);
    hardware.store(IOAPIC + IOWIN, vector | level | (masked ? RTE_MASKED : 0));
  }

  /** What came while it was disabled is raised again (check_irq_resend). */
  private unmask(desc: IrqDesc): void {
    this.program(desc, false);
    if (!desc.replay) return;
    desc.replay = false;
    const { books } = this.kernel;
    const { cpu, vector } = this.targets[desc.irq]!;
    books.begin(books.sourceOf(`${this.kernel.id} resend`));
    this.kernel.sendVector(vector, cpu, this.first);
  }

  /** Who each vector of a CPU is for: the names that /proc/interrupts has. */
  names(cpu: number): { [vector: number]: string } {
    const out: { [vector: number]: string } = {};
    this.kernel.cpus[cpu]!.vectors.forEach((desc, vector) => {
      if (desc) out[vector] = desc.actions.map((a) => a.name).join(', ');
    });
    return out;
  }
}
