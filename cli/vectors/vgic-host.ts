/** A machine with Xen's virtual GIC alone, as the vectors want it: physical CPUs, one domain, some physical interrupts. */
import {
  GicCpu,
  Gich,
  GicV2Hw,
  GicV3Hw,
  type HwIrq,
  Ich,
  IRQ_DISABLED,
  IRQ_INPROGRESS,
  NO_RAISES,
  VECTORS_GICV2_VIRTUAL,
  VECTORS_GICV3_VIRTUAL,
  Vgic,
  VgicDomain,
  type VgicHost,
  type VgicVcpu,
  VirtualInterface,
  type VirtualInterfaceOutput,
} from '../../engine/index.ts';
import { BadVector, type Fields, integer, integers } from './suite.ts';

/** VMCR of every virtual CPU at the start: its group enabled, nothing masked. */
const VMCR = { 2: 0xf800_0001, 3: 0xf800_0002 } as const;

/** A physical SPI that is routed to the domain, and the distributor's state of it. */
export interface PhysicalIrq extends HwIrq {
  readonly virq: number;
  enabled: boolean;
  pending: boolean;
  active: boolean;
  /** CPUs it may go to: a mask in GICv2, a number in GICv3 */
  target: number;
  edge: boolean;
}

/** A physical CPU. */
interface Cpu {
  readonly gic: GicCpu;
  readonly core: VirtualInterface;
  readonly gich: Gich | undefined;
  readonly ich: Ich | undefined;
  guestMode: boolean;
}

export class VgicMachine {
  readonly domain: VgicDomain;
  readonly vgic: Vgic;
  readonly cpus: readonly Cpu[];
  readonly pirqs: readonly PhysicalIrq[];
  /** by virtual CPU: the physical CPU it belongs to */
  readonly processors: number[];
  readonly offline: boolean[];
  private kicks: number[] = [];

  /** @throws BadVector */
  constructor(
    readonly version: 2 | 3,
    init: Fields,
  ) {
    const vcpus = integer(init, 'vcpus', 1, 64);
    const pcpus = integer(init, 'pcpus', 1, vcpus);
    const lrs = integer(init, 'lrs', 1, 16);
    this.domain = new VgicDomain({
      id: 0,
      version,
      vcpus,
      spis: integer(init, 'spis', 32, 960),
      lrs,
      hardware: integer(init, 'hwdom', 0, 1) === 1,
      ...(version === 3
        ? { redistributors: integers(init, 'rdist'), idBits: integer(init, 'idbits', 10, 24) }
        : {}),
    });
    this.processors = this.domain.vcpus.map((v) => v.id % pcpus);
    this.offline = this.domain.vcpus.map(() => false);
    this.pirqs = this.physicalIrqs(init.hw);
    this.vgic = new Vgic(this.host());
    this.cpus = Array.from({ length: pcpus }, (_, c) => this.cpu(c, lrs));
    for (const v of this.domain.vcpus) v.gic.vmcr = VMCR[version];
    for (const [c, cpu] of this.cpus.entries()) {
      cpu.core.writeHcr(1);
      this.vgic.gic.restoreState(cpu.gic, this.domain.vcpus[c]!);
    }
  }

  private physicalIrqs(hw: unknown): PhysicalIrq[] {
    if (!Array.isArray(hw)) throw new BadVector('"init.hw" must be a list');
    return hw.map((entry: unknown) => {
      if (!Array.isArray(entry) || entry.length !== 3 || !entry.every(Number.isInteger)) {
        throw new BadVector(
          'each of "init.hw" must be a virtual id, a physical id and whether it is an edge',
        );
      }
      const [virq, irq, edge] = entry as [number, number, number];
      if (virq < 32 || virq >= 32 + this.domain.nrSpis)
        throw new BadVector(`there is no virtual SPI ${virq}`);
      const pirq = {
        irq,
        virq,
        status: IRQ_DISABLED,
        enabled: false,
        pending: false,
        active: false,
        target: this.version === 2 ? 1 : 0,
        edge: edge === 1,
      };
      this.domain.spis[virq - 32]!.desc = pirq;
      return pirq;
    });
  }

  private cpu(c: number, lrs: number): Cpu {
    const output: VirtualInterfaceOutput = {
      changed() {},
      deactivate: (irq) => {
        const pirq = this.pirqs.find((p) => p.irq === irq);
        if (pirq) pirq.active = false;
      },
      maintenance() {},
    };
    const options = this.version === 2 ? VECTORS_GICV2_VIRTUAL : VECTORS_GICV3_VIRTUAL;
    const core = new VirtualInterface(`cpu${c}`, { ...options, lrs }, output);
    const gich = this.version === 2 ? new Gich(core) : undefined;
    const ich = this.version === 3 ? new Ich(core) : undefined;
    const hw = gich ? new GicV2Hw(gich) : new GicV3Hw(ich!);
    const gic = new GicCpu(c, hw, (_, v) => this.domain.vcpus[v]!);
    return { gic, core, gich, ich, guestMode: true };
  }

  private host(): VgicHost {
    const own = (desc: HwIrq) => desc as PhysicalIrq;
    return {
      kick: (here, v) => {
        for (const { gic } of this.cpus) if (gic !== here && gic.current === v) this.kicks.push(gic.cpu);
      },
      isOnline: (v) => !this.offline[v.id],
      processor: (v) => this.processors[v.id]!,
      enable: (_, desc) => {
        desc.status &= ~IRQ_DISABLED;
        own(desc).enabled = true;
      },
      disable: (_, desc) => {
        desc.status |= IRQ_DISABLED;
        own(desc).enabled = false;
      },
      setPending: (_, desc) => {
        own(desc).pending = true;
      },
      setType: (_, desc, edge) => {
        own(desc).edge = edge;
      },
      setAffinity: (_, desc, cpu) => {
        own(desc).target = this.version === 2 ? 1 << cpu : cpu;
      },
      raises: NO_RAISES,
    };
  }

  /** Physical CPUs that were told to leave the guest since the last call. */
  takeKicks(): number[] {
    const { kicks } = this;
    this.kicks = [];
    return kicks;
  }

  /** A device raises a physical interrupt, which a CPU takes if it may. */
  raise(c: number, irq: number): boolean {
    const pirq = this.pirqs.find((p) => p.irq === irq);
    if (!pirq) throw new BadVector(`there is no physical interrupt ${irq}`);
    pirq.pending = true;
    if (!pirq.enabled || pirq.active) return false;
    pirq.pending = false;
    pirq.active = true;
    pirq.status |= IRQ_INPROGRESS;
    this.vgic.injectIrq(this.cpus[c]!.gic, this.domain, null, pirq.virq);
    return true;
  }

  /** A context switch; null: to the idle virtual CPU. */
  switchTo(c: number, v: VgicVcpu | null): void {
    const { gic } = this.cpus[c]!;
    this.vgic.gic.saveState(gic);
    this.vgic.gic.restoreState(gic, v);
  }

  /** The physical CPU on which a virtual CPU runs now. */
  runsOn(v: VgicVcpu): Cpu | undefined {
    return this.cpus.find(({ gic }) => gic.current === v);
  }

  // arguments of an operation

  cpuOf(op: Fields): Cpu {
    return this.cpus[integer(op, 'c', 0, this.cpus.length - 1)]!;
  }

  vcpuOf(op: Fields, name: string): VgicVcpu {
    return this.domain.vcpus[integer(op, name, 0, this.domain.vcpus.length - 1)]!;
  }

  /** The virtual CPU that executes an operation. */
  current(op: Fields): VgicVcpu {
    const { current } = this.cpuOf(op).gic;
    if (!current) throw new BadVector(`no virtual CPU runs on CPU ${String(op.c)}`);
    return current;
  }
}
