/** Xen's virtual GIC on virtual interfaces of real chips, without the rest of Xen. */
import { Books } from '../../engine/core/books.ts';
import { GicCpu, type GicHw } from '../../engine/hv/xen/arm/gic-hw.ts';
import { GicV2Hw } from '../../engine/hv/xen/arm/gic-v2.ts';
import { GicV3Hw } from '../../engine/hv/xen/arm/gic-v3.ts';
import { type HwIrq, IRQ_DISABLED, IRQ_INPROGRESS } from '../../engine/hv/xen/arm/pending-irq.ts';
import { type Injected, Vgic } from '../../engine/hv/xen/arm/vgic.ts';
import { VgicBooks } from '../../engine/hv/xen/arm/vgic-books.ts';
import { VgicDomain, type VgicVcpu } from '../../engine/hv/xen/arm/vgic-domain.ts';
import {
  readDistributor,
  readRedistributor,
  writeDistributor,
  writeRedistributor,
} from '../../engine/hv/xen/arm/vgic-emulate.ts';
import type { VgicHost } from '../../engine/hv/xen/arm/vgic-host.ts';
import { Gich } from '../../engine/hw/arm/gich.ts';
import { Ich } from '../../engine/hw/arm/ich.ts';
import { VirtualInterface } from '../../engine/hw/arm/virtual-interface.ts';
import { GICV2_VIRTUAL, GICV3_VIRTUAL } from '../../engine/hw/arm/virtual-options.ts';

export interface VgicRigOptions {
  readonly version?: 2 | 3;
  readonly vcpus?: number;
  readonly cpus?: number;
  readonly lrs?: number;
  readonly spis?: number;
  readonly hardware?: boolean;
  /** physical interrupts, each the virtual one of its number */
  readonly hw?: readonly number[];
  readonly redistributors?: readonly number[];
  readonly idBits?: number;
}

/** the size of an access: log2 of its bytes */
const WORD = 2;

export class VgicRig {
  readonly version: 2 | 3;
  readonly domain: VgicDomain;
  readonly books = new Books();
  readonly raises = new VgicBooks(this.books);
  readonly vgic: Vgic;
  readonly cpus: GicCpu[];
  readonly faces: (Gich | Ich)[] = [];
  readonly online: boolean[];
  readonly processors: number[];
  /** what Xen did beside the list registers: kicks, and what it asked of physical interrupts */
  log: string[] = [];
  /** accesses to the virtual interfaces, `0 GICH_LR0 write 1a000028` */
  accesses: string[] = [];
  console: string[] = [];

  constructor(options: VgicRigOptions = {}) {
    const { version = 2, vcpus = 1, cpus = 1, lrs = 4, spis = 64, hardware = false, hw = [] } = options;
    this.version = version;
    const { redistributors, idBits } = options;
    this.domain = new VgicDomain({
      id: 0,
      version,
      vcpus,
      spis,
      lrs,
      hardware,
      ...(redistributors ? { redistributors } : {}),
      ...(idBits ? { idBits } : {}),
    });
    this.raises.addDomain(this.domain);
    this.online = this.domain.vcpus.map(() => true);
    this.processors = this.domain.vcpus.map((v) => v.id % cpus);
    for (const irq of hw) this.domain.connectHwIrq(irq, { irq, status: IRQ_DISABLED });
    this.vgic = new Vgic(this.host());
    this.cpus = Array.from({ length: cpus }, (_, c) => new GicCpu(c, this.hw(c, lrs), (_d, v) => this.v(v)));
    for (const cpu of this.cpus) cpu.hw.hypInit();
    for (const v of this.domain.vcpus) v.gic.vmcr = version === 2 ? 0xf04c_0001 : 0xf04c_000a;
    for (const [c, cpu] of this.cpus.entries()) this.vgic.gic.restoreState(cpu, this.v(c));
    this.accesses = [];
    this.books.begin(this.books.sourceOf('test'));
  }

  private hw(c: number, lrs: number): GicHw {
    const chip = this.version === 2 ? GICV2_VIRTUAL : GICV3_VIRTUAL;
    const output = {
      changed() {},
      deactivate: (irq: number) => this.log.push(`deactivate ${irq}`),
      maintenance: (level: boolean) => this.log.push(`maintenance ${Number(level)}`),
    };
    const core = new VirtualInterface(`cpu${c}`, { ...chip, lrs }, output);
    const face = this.version === 2 ? new Gich(core) : new Ich(core);
    face.trace = (register, write, low, high) => {
      const value = high === 0 ? low.toString(16) : high.toString(16) + low.toString(16).padStart(8, '0');
      this.accesses.push(`${c} ${register} ${write ? 'write' : 'read'} ${value}`);
    };
    this.faces.push(face);
    return face instanceof Gich ? new GicV2Hw(face) : new GicV3Hw(face);
  }

  private host(): VgicHost {
    const log = (here: GicCpu, what: string) => this.log.push(`${here.cpu}: ${what}`);
    return {
      kick: (here, v) => log(here, `kick ${v.id}`),
      isOnline: (v) => this.online[v.id]!,
      processor: (v) => this.processors[v.id]!,
      enable: (here, desc) => {
        desc.status &= ~IRQ_DISABLED;
        log(here, `enable ${desc.irq}`);
      },
      disable: (here, desc) => {
        desc.status |= IRQ_DISABLED;
        log(here, `disable ${desc.irq}`);
      },
      setPending: (here, desc) => log(here, `set pending ${desc.irq}`),
      setType: (here, desc, edge) => log(here, `type ${desc.irq} ${edge ? 'edge' : 'level'}`),
      setAffinity: (here, desc, cpu) => log(here, `affinity ${desc.irq} ${cpu}`),
      raises: this.raises,
      printk: (line) => this.console.push(line),
    };
  }

  // what happens, on CPU `c`

  v(id: number): VgicVcpu {
    return this.domain.vcpus[id]!;
  }

  desc(irq: number): HwIrq {
    return this.domain.spis[irq - 32]!.desc!;
  }

  /** @param v the virtual CPU it is for; of an SPI none: its target */
  inject(irq: number, c = 0, v: number | null = irq < 32 ? 0 : null): Injected {
    return this.vgic.injectIrq(this.cpus[c]!, this.domain, v === null ? null : this.v(v), irq);
  }

  /** A physical interrupt comes. */
  physical(irq: number, c = 0): Injected {
    this.desc(irq).status |= IRQ_INPROGRESS;
    return this.inject(irq, c);
  }

  enter(c = 0): void {
    this.vgic.gic.syncFromLrs(this.cpus[c]!);
  }

  leave(c = 0): void {
    this.vgic.gic.syncToLrs(this.cpus[c]!);
  }

  switchTo(v: number | null, c = 0): void {
    this.vgic.gic.saveState(this.cpus[c]!);
    this.vgic.gic.restoreState(this.cpus[c]!, v === null ? null : this.v(v));
  }

  /** The guest on a CPU acknowledges; the books know of it. */
  ack(c = 0): number {
    const face = this.faces[c]!;
    const irq = face instanceof Gich ? face.iar() : face.iar(1);
    const { current } = this.cpus[c]!;
    if (irq < 1020) this.raises.acknowledged(this.domain.pendingOf(current!, irq));
    return irq;
  }

  eoi(irq: number, c = 0): void {
    const face = this.faces[c]!;
    if (face instanceof Gich) face.eoir(irq);
    else face.eoir(1, irq);
  }

  // registers

  write(offset: number, value: number, size: 0 | 1 | 2 | 3 = WORD, c = 0, high = 0): boolean {
    return writeDistributor(this.vgic, this.cpus[c]!, offset, size, value, high);
  }

  /** undefined: it aborts */
  read(offset: number, size: 0 | 1 | 2 | 3 = WORD, c = 0): number | undefined {
    return readDistributor(this.vgic, this.cpus[c]!, offset, size)?.low;
  }

  writeRedistributor(n: number, offset: number, value: number, c = 0): boolean {
    return writeRedistributor(this.vgic, this.cpus[c]!, n, offset, WORD, value);
  }

  readRedistributor(n: number, offset: number, size: 0 | 1 | 2 | 3 = WORD): [number, number] | undefined {
    const access = readRedistributor(this.vgic, this.cpus[0]!, n, offset, size);
    return access ? [access.high, access.low] : undefined;
  }

  /** Enables interrupts at priority 0xa0; of the private ones, those of virtual CPU `v`. */
  enable(irqs: readonly number[], v = 0, priority = 0xa0): void {
    for (const irq of irqs) {
      const rank = irq < 32 ? this.v(v).privateIrqs : this.domain.sharedIrqs[(irq >> 5) - 1]!;
      rank.priority[irq & 31] = priority;
      rank.ienable = (rank.ienable | (1 << (irq & 31))) >>> 0;
      this.vgic.enableIrqs(this.cpus[0]!, this.v(v), 1 << (irq & 31), rank);
    }
  }

  // what there is to see

  /** List registers of a CPU in hexadecimal. */
  lrs(c = 0): string[] {
    const { hw } = this.cpus[c]!;
    return Array.from({ length: hw.nrLrs }, (_, n) => {
      const [high, low] = hw.peekLr(n);
      return high === 0 ? low.toString(16) : high.toString(16) + low.toString(16).padStart(8, '0');
    });
  }

  inflight(v = 0): number[] {
    return this.v(v)
      .inflight()
      .map((p) => p.irq);
  }

  waiting(v = 0): number[] {
    return this.v(v)
      .lrPending()
      .map((p) => p.irq);
  }

  status(irq: number, v = 0): number {
    return this.domain.pendingOf(this.v(v), irq).status;
  }

  takeLog(): string[] {
    const { log } = this;
    this.log = [];
    return log;
  }

  takeAccesses(): string[] {
    const { accesses } = this;
    this.accesses = [];
    return accesses;
  }

  /** Counts of an account: raised, delivered, coalesced, pending, ignored. */
  account(destination: string): [number, number, number, number, Readonly<Record<string, number>>] {
    const found = this.books.accounts().find((a) => a.destination === destination);
    if (!found) throw new Error(`no account of ${destination}`);
    return [found.raised, found.delivered, found.coalesced, found.pending, found.ignored];
  }
}
