/**
 * A Generic Interrupt Controller: GICv2 with its memory-mapped CPU interfaces or GICv3 with redistributors and system
 * registers, two faces of one core. One security state, as `virt` has it. Devices raise wires, CPUs read and write
 * registers; what comes out is that a CPU's IRQ or FIQ has changed.
 */
import type { Width } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';
import { CpuInterface, type GicOutput, Signal } from './cpu-interface.ts';
import { Distributor } from './distributor.ts';
import { ACTIVE, EDGE, ENABLED, GicCore, type GicVersion, GROUP1, LATCH, LINE } from './gic-core.ts';
import { GICR_SIZE, PRIVATE, SGIS } from './gic-regs.ts';
import { readGicc, writeGicc } from './gicc.ts';
import { readIcc, writeIcc } from './icc.ts';
import { Redistributor } from './redistributor.ts';

export interface GicInit {
  readonly id: string;
  readonly version: GicVersion;
  /** 1 to 8 on GICv2 */
  readonly cpus: number;
  /** INTIDs, a multiple of 32 */
  readonly intids: number;
  /** bits of a priority: 8 on QEMU's GICv2, 5 on GIC-400 and on GICv3 */
  readonly priorityBits?: number;
  readonly output: GicOutput;
}

/** An interrupt that is not as reset leaves it. */
export interface GicInterrupt {
  readonly intid: number;
  /** whose it is; -1: a shared one */
  readonly cpu: number;
  readonly enabled: boolean;
  readonly pending: boolean;
  readonly active: boolean;
  /** the wire is high */
  readonly line: boolean;
  readonly edge: boolean;
  readonly group: number;
  readonly priority: number;
  /** CPUs that it is for */
  readonly targets: readonly number[];
}

export interface GicCpuState {
  readonly pmr: number;
  /** 256: nothing is taken */
  readonly running: number;
  readonly pending: number;
  readonly signal: 'none' | 'IRQ' | 'FIQ';
  readonly split: boolean;
  readonly groups: number;
}

const DEFAULT_BITS = { 2: 8, 3: 5 } as const;
const SIGNALS = ['none', 'IRQ', 'FIQ'] as const;

export class Gic implements Part {
  readonly id: string;
  readonly version: GicVersion;
  readonly core: GicCore;
  readonly distributor: Distributor;
  /** one for each CPU; none on GICv2 */
  readonly redistributors: readonly Redistributor[];
  readonly interfaces: readonly CpuInterface[];
  private readonly priorityBits: number;

  constructor(init: GicInit) {
    const { version, cpus, intids } = init;
    if (version === 2 && cpus > 8) throw new Error(`GICv2 has 8 CPU interfaces at most, not ${cpus}`);
    this.id = init.id;
    this.version = version;
    this.priorityBits = init.priorityBits ?? DEFAULT_BITS[version];
    this.core = new GicCore({ version, cpus, intids, priorityBits: this.priorityBits });
    this.interfaces = this.core.ready.map(
      (_, cpu) => new CpuInterface(this.core, cpu, this.priorityBits, init.output),
    );
    this.distributor = new Distributor(this.core);
    this.redistributors =
      version === 2 ? [] : this.interfaces.map((icc) => new Redistributor(this.core, icc));
  }

  // devices

  /** The wire of an SPI. @returns whether it is pending by this and was not, or the reverse */
  setLine(intid: number, high: boolean): boolean {
    return this.core.setLine(0, intid, high);
  }

  /** The wire of a PPI of one CPU. */
  setPrivateLine(cpu: number, intid: number, high: boolean): boolean {
    return this.core.setLine(cpu, intid, high);
  }

  /** An edge without a wire: a message, or a pulse that is over at once. False: it was pending by one already. */
  pulse(intid: number): boolean {
    return this.core.latch(0, intid);
  }

  // CPUs

  /** What its wires say. */
  signal(cpu: number): Signal {
    return this.interfaces[cpu]!.signal;
  }

  /** The INTID that is signalled to a CPU; 1023: none. */
  pending(cpu: number): number {
    return this.interfaces[cpu]!.pending;
  }

  /** A guest's EOI of a list register that has the HW bit. A PPI is that of the CPU it runs on. */
  deactivate(cpu: number, intid: number): void {
    if (intid >= SGIS && intid < this.core.intids) this.core.deactivate(cpu, intid);
  }

  // registers, as a CPU reaches them

  readDistributor(cpu: number, offset: number, width: Width = 4): number {
    return this.distributor.read(cpu, offset, width);
  }

  writeDistributor(cpu: number, offset: number, value: number, width: Width = 4): void {
    this.distributor.write(cpu, offset, value, width);
  }

  /** GICv2 */
  readGicc(cpu: number, offset: number, width: Width = 4): number {
    return readGicc(this.interfaces[cpu]!, offset, width);
  }

  writeGicc(cpu: number, offset: number, value: number, width: Width = 4): void {
    writeGicc(this.interfaces[cpu]!, offset, value, width);
  }

  /** GICv3: the redistributors lie one after the other, any CPU can reach them all. */
  readRedistributor(offset: number, width: Width = 4): number {
    const redistributor = this.redistributors[Math.floor(offset / GICR_SIZE)];
    return redistributor ? redistributor.read(offset % GICR_SIZE, width) : 0;
  }

  writeRedistributor(offset: number, value: number, width: Width = 4): void {
    this.redistributors[Math.floor(offset / GICR_SIZE)]?.write(offset % GICR_SIZE, value, width);
  }

  /** GICv3: MRS of a register of ICC. Undefined: the instruction is undefined. */
  readIcc(cpu: number, register: number): number | undefined {
    return readIcc(this.interfaces[cpu]!, register, this.priorityBits);
  }

  /** GICv3: MSR. False: the instruction is undefined. */
  writeIcc(cpu: number, register: number, value: number, high = 0): boolean {
    return writeIcc(this.interfaces[cpu]!, this.core, register, value, high);
  }

  // to look at, and to keep

  /** Interrupts that are enabled, pending, active or high: the private ones of each CPU, then the shared. */
  inspect(): GicInterrupt[] {
    const { core } = this;
    const out: GicInterrupt[] = [];
    const add = (cpu: number, intid: number) => {
      const f = core.flags[core.index(cpu, intid)]!;
      if ((f & (ENABLED | LINE | LATCH | ACTIVE)) !== 0) out.push(this.look(cpu, intid, f));
    };
    for (let cpu = 0; cpu < core.cpus; cpu++) {
      for (let intid = 0; intid < PRIVATE; intid++) add(cpu, intid);
    }
    for (let intid = PRIVATE; intid < core.intids; intid++) add(-1, intid);
    return out;
  }

  private look(cpu: number, intid: number, f: number): GicInterrupt {
    const { core } = this;
    return {
      intid,
      cpu,
      enabled: (f & ENABLED) !== 0,
      pending: core.isPending(f),
      active: (f & ACTIVE) !== 0,
      line: (f & LINE) !== 0,
      edge: (f & EDGE) !== 0,
      group: f & GROUP1 ? 1 : 0,
      priority: core.priority[core.index(cpu, intid)]!,
      targets: cpu >= 0 ? [cpu] : core.targetsOf(intid),
    };
  }

  /** How it triggers; a private one as the first CPU has it. */
  isEdge(intid: number): boolean {
    return (this.core.flags[this.core.index(0, intid)]! & EDGE) !== 0;
  }

  inspectCpu(cpu: number): GicCpuState {
    const { pmr, running, pending, signal, split, groups } = this.interfaces[cpu]!;
    return { pmr, running, pending, signal: SIGNALS[signal], split, groups };
  }

  save(): Plain {
    return { core: this.core.save(), interfaces: this.interfaces.map((cpu) => cpu.save()) };
  }

  restore(state: Plain): void {
    const s = state as unknown as { core: Plain; interfaces: Plain[] };
    this.core.restore(s.core);
    this.interfaces.forEach((cpu, n) => {
      cpu.restore(s.interfaces[n]!);
    });
  }
}

export { type GicOutput, Signal };
