/**
 * The GIC driver of an arm64 kernel (drivers/irqchip/irq-gic.c, irq-gic-v3.c) and its interrupt domain: how the
 * controller is set up, how an INTID gets its number, and how an interrupt is acknowledged and ended. The registers are
 * the real ones; which of them leave the guest is not the kernel's business.
 */
import {
  GICC,
  GICD,
  GICR,
  GICR_FRAME,
  GICR_SIZE,
  ICC,
  MOST_INTIDS,
  PRIVATE,
  SGIS,
} from '../../hw/arm/gic-regs.ts';
import type { Arm64Kernel } from './arm64.ts';
import type { Arm64Cpu } from './arm64-entry.ts';
import type { LinuxCpu } from './entry.ts';
import type { IrqChip, IrqDesc, Work } from './irq-core.ts';

/** Where the device tree says that the registers are. */
export interface GicPlaces {
  readonly dist: number;
  /** GICv2 */
  readonly cpu: number;
  /** GICv3, of the first CPU; those of the others follow */
  readonly redist: number;
}

/** GICD_INT_DEF_PRI, of one interrupt and of four; GICC_INT_PRI_THRESHOLD, DEFAULT_PMR_VALUE */
const PRIORITIES = 0xa0a0_a0a0;
const THRESHOLD = 0xf0;
/** of the domain: numbers from 1, as 0 is no interrupt */
const FIRST = 1;

export class Gic {
  readonly chip: IrqChip;
  /** GICv2: more interrupts are looked for before the way back */
  readonly loops: boolean;
  /** by INTID */
  private readonly descs: (IrqDesc | undefined)[] = [];
  private readonly places: GicPlaces;

  constructor(
    private readonly kernel: Arm64Kernel,
    readonly version: 2 | 3,
  ) {
    this.places = kernel.init.gic;
    this.loops = version === 2;
    this.chip = {
      name: version === 2 ? 'GIC-0' : 'GICv3',
      startup: (d) => this.startup(d),
      shutdown: (d) => this.bit(GICD.ICENABLER, d),
      ack: (d, cpu) => kernel.delivered(cpu as Arm64Cpu, d.hwirq!),
      end: (d, cpu) => this.eoi(d, cpu as Arm64Cpu),
      lazy: true,
      mask: (d, on) => this.bit(GICD.ICENABLER, d, on as Arm64Cpu | undefined),
      unmask: (d, on) => this.unmask(d, on as Arm64Cpu | undefined),
      writeAffinity: (d, cpus, on) => this.aim(d.hwirq!, cpus[0]!, on as Arm64Cpu),
    };
  }

  // boot

  /** gic_dist_init on the first CPU: all SPIs are level, off, of one priority, and for this CPU. */
  start(): void {
    const { hardware } = this.first;
    const { dist } = this.places;
    const spis = 32 * (hardware.load(dist + GICD.TYPER) & 0x1f);
    hardware.store(dist + GICD.CTLR, 0);
    const each = (register: number, perWord: number, value: number) => {
      for (let n = PRIVATE; n < PRIVATE + spis; n += perWord) {
        hardware.store(dist + register + (n / perWord) * 4, value);
      }
    };
    if (this.version === 3) each(GICD.IGROUPR, 32, 0xffff_ffff);
    else each(GICD.ITARGETSR, 4, 0x0101_0101);
    each(GICD.ICFGR, 16, 0);
    each(GICD.IPRIORITYR, 4, PRIORITIES);
    for (const { spi, priority } of this.kernel.init.priorities ?? []) this.prioritize(spi, priority);
    each(GICD.ICACTIVER, 32, 0xffff_ffff);
    each(GICD.ICENABLER, 32, 0xffff_ffff);
    hardware.store(dist + GICD.CTLR, this.version === 3 ? 0x12 : 1);
    if (this.version === 3) {
      for (let n = PRIVATE; n < PRIVATE + spis; n++) this.route(n, 0);
    }
  }

  private prioritize(spi: number, priority: number): void {
    const { hardware } = this.first;
    const register = this.places.dist + GICD.IPRIORITYR + (spi & ~3);
    const shift = (spi & 3) * 8;
    hardware.store(register, ((hardware.load(register) & ~(0xff << shift)) | (priority << shift)) >>> 0);
  }

  /** gic_cpu_init: a CPU's own interrupts and its interface. */
  startCpu({ cpu, hardware }: Arm64Cpu): void {
    const own = this.privateBase(cpu);
    if (this.version === 3) {
      hardware.store(this.redist(cpu) + GICR.WAKER, 0);
      hardware.store(own + GICD.IGROUPR, 0xffff_ffff);
    }
    hardware.store(own + GICD.ICACTIVER, 0xffff_ffff);
    hardware.store(own + GICD.ICENABLER, 0xffff_0000);
    for (let n = 0; n < PRIVATE; n += 4) hardware.store(own + GICD.IPRIORITYR + n, PRIORITIES);
    if (this.version === 2) {
      hardware.store(own + GICD.ISENABLER, 0x0000_ffff);
      hardware.store(this.places.cpu + GICC.PMR, THRESHOLD);
      hardware.store(this.places.cpu + GICC.CTLR, 1);
      return;
    }
    hardware.msr(ICC.PMR_EL1, THRESHOLD);
    hardware.msr(ICC.BPR1_EL1, 0);
    hardware.msr(ICC.CTLR_EL1, 0);
    hardware.msr(ICC.IGRPEN1_EL1, 1);
  }

  private get first(): Arm64Cpu {
    return this.kernel.cpus[0]!;
  }

  /** Registers of a CPU's own interrupts: banked in the distributor, or in its redistributor. */
  private privateBase(cpu: number): number {
    return this.version === 2 ? this.places.dist : this.redist(cpu) + GICR_FRAME;
  }

  private redist(cpu: number): number {
    return this.places.redist + cpu * GICR_SIZE;
  }

  // numbers

  /** irq_create_fwspec_mapping: the lowest number that is free. */
  map(intid: number, level: boolean): IrqDesc {
    const known = this.descs[intid];
    if (known) return known;
    const { irqs } = this.kernel;
    const desc = irqs.add(irqs.lowestFree(FIRST)!, this.chip, null);
    desc.hwirq = intid;
    desc.level = level;
    this.descs[intid] = desc;
    return desc;
  }

  /** Who handles it; empty: nobody. */
  handlersOf(intid: number): string {
    return this.descs[intid]?.actions.map((a) => a.name).join(', ') ?? '';
  }

  /** request_irq */
  request(intid: number, level: boolean, name: string, work: Work): IrqDesc {
    const desc = this.map(intid, level);
    this.kernel.irqs.request(desc, { name, work });
    return desc;
  }

  /** gic_set_type, gic_unmask_irq, gic_set_affinity; a CPU's own interrupts are let in on each CPU. */
  private startup(desc: IrqDesc): void {
    const intid = desc.hwirq!;
    if (intid < PRIVATE) {
      for (const cpu of this.kernel.cpus) this.privateBit(cpu, GICD.ISENABLER, intid);
      return;
    }
    const { hardware } = this.first;
    const register = this.places.dist + GICD.ICFGR + (intid >> 4) * 4;
    const edge = 2 << (2 * (intid & 15));
    const old = hardware.load(register);
    hardware.store(register, (desc.level ? old & ~edge : old | edge) >>> 0);
    this.bit(GICD.ISENABLER, desc);
    this.aim(intid, 0);
  }

  /** gic_set_affinity, of an SPI: one CPU. */
  private aim(intid: number, cpu: number, on = this.first): void {
    if (this.version === 2) on.hardware.store(this.places.dist + GICD.ITARGETSR + intid, 1 << cpu, 1);
    else this.route(intid, cpu, on);
  }

  /** gic_unmask_irq; an edge that came while it was disabled is made pending again (gic_retrigger). */
  private unmask(desc: IrqDesc, on = this.first): void {
    this.bit(GICD.ISENABLER, desc, on);
    if (!desc.replay) return;
    desc.replay = false;
    const { books, id } = this.kernel;
    books.begin(books.sourceOf(`${id} resend`));
    this.bit(GICD.ISPENDR, desc, on);
  }

  /** It is disabled and has come all the same (handle_fasteoi_irq): masked now, and ended. */
  whileDisabled(desc: IrqDesc, cpu: Arm64Cpu): void {
    const { books, init, irqs } = this.kernel;
    books.discard(init.slot(cpu.cpu, desc.hwirq!), 'disabled');
    irqs.holdBack(desc, cpu);
    this.eoi(desc, cpu);
  }

  private bit(register: number, { hwirq }: IrqDesc, on = this.first): void {
    const intid = hwirq!;
    if (intid < PRIVATE) {
      for (const cpu of this.kernel.cpus) this.privateBit(cpu, register, intid);
      return;
    }
    on.hardware.store(this.places.dist + register + (intid >> 5) * 4, (1 << (intid & 31)) >>> 0);
  }

  private privateBit({ cpu, hardware }: Arm64Cpu, register: number, intid: number): void {
    hardware.store(this.privateBase(cpu) + register, (1 << intid) >>> 0);
  }

  private route(intid: number, cpu: number, on = this.first): void {
    // Aff1 counts clusters of 16
    on.hardware.store(this.places.dist + GICD.IROUTER + intid * 8, ((cpu >> 4) << 8) | (cpu & 15), 8);
  }

  // an interrupt

  /** Reads what it is; undefined: there is none. */
  acknowledge(cpu: Arm64Cpu): IrqDesc | undefined {
    const { hardware } = cpu;
    cpu.iar = this.loops ? hardware.load(this.places.cpu + GICC.IAR) : hardware.mrs(ICC.IAR1_EL1)!;
    const intid = this.loops ? cpu.iar & 0x3ff : cpu.iar;
    return intid < MOST_INTIDS ? this.descs[intid] : undefined;
  }

  /** gic_eoi_irq. GICv2 wants an SGI's sender back. */
  private eoi({ hwirq }: IrqDesc, { hardware, iar }: Arm64Cpu): void {
    if (this.loops) hardware.store(this.places.cpu + GICC.EOIR, hwirq! < SGIS ? iar : hwirq!);
    else hardware.msr(ICC.EOIR1_EL1, hwirq!);
  }

  traceFlow(cpu: Arm64Cpu, desc: IrqDesc): void {
    const { kernel } = this;
    if (!kernel.trace.enabled) return;
    const slot = kernel.init.slot(cpu.cpu, desc.hwirq!);
    const { books } = kernel;
    kernel.traceFlow(cpu, desc, desc.hwirq!, books.holds(slot) ? books.journeyIn(slot) : 0);
  }

  /** gic_ipi_send_mask: a software-generated interrupt for one CPU. */
  send(sgi: number, to: number, from: LinuxCpu): void {
    const { hardware } = from as Arm64Cpu;
    if (this.version === 2) {
      hardware.store(this.places.dist + GICD.SGIR, (1 << (16 + to)) | sgi);
      return;
    }
    // Aff1 counts clusters of 16
    hardware.msr(ICC.SGI1R_EL1, (sgi << 24) | ((to >> 4) << 16) | (1 << (to & 15)));
  }
}
