/** What the virtual GIC asks of the rest of Xen: its virtual CPUs, and the physical interrupts behind it. */
import type { Books } from '../../../core/books.ts';
import type { ArmDomain } from './arm-domain.ts';
import type { ArmVcpu } from './arm-vcpu.ts';
import type { GicCpu } from './gic-hw.ts';
import type { HostGic } from './host-gic.ts';
import type { Injection } from './injection.ts';
import { type HwIrq, IRQ_DISABLED } from './pending-irq.ts';
import { VgicBooks } from './vgic-books.ts';
import type { VgicVcpu } from './vgic-domain.ts';
import type { VgicHost } from './vgic-host.ts';

export interface LinkHost {
  readonly books: Books;
  readonly hostGic: HostGic;
  armDomain(id: number): ArmDomain;
  /** vcpu_kick */
  kickVcpu(v: ArmVcpu): void;
  /** a guest makes a physical interrupt pending */
  madePending(cpu: number, irq: number): void;
  /** where a physical interrupt is aimed */
  aimed(irq: number, cpu: number): void;
  print(line: string): void;
  readonly injection: Injection;
}

export class VgicLink implements VgicHost {
  readonly raises: VgicBooks;

  constructor(private readonly xen: LinkHost) {
    this.raises = new VgicBooks(xen.books, (p, journey, coalesced) =>
      xen.injection.entersLr(p, journey, coalesced),
    );
  }

  // virtual CPUs

  kick(_here: GicCpu, v: VgicVcpu): void {
    this.xen.kickVcpu(this.vcpuOf(v));
  }

  isOnline(v: VgicVcpu): boolean {
    return this.vcpuOf(v).online;
  }

  processor(v: VgicVcpu): number {
    return this.vcpuOf(v).processor;
  }

  private vcpuOf(v: VgicVcpu): ArmVcpu {
    return this.xen.armDomain(v.domain.domain).vcpus[v.id]!;
  }

  // physical interrupts

  enable(here: GicCpu, desc: HwIrq): void {
    desc.status &= ~IRQ_DISABLED;
    this.xen.hostGic.enable(here.cpu, desc.irq);
  }

  disable(here: GicCpu, desc: HwIrq): void {
    desc.status |= IRQ_DISABLED;
    this.xen.hostGic.disable(here.cpu, desc.irq);
  }

  setPending(here: GicCpu, desc: HwIrq): void {
    this.xen.madePending(here.cpu, desc.irq);
  }

  setType(here: GicCpu, desc: HwIrq, edge: boolean): void {
    this.xen.hostGic.setType(here.cpu, desc.irq, edge);
  }

  setAffinity(here: GicCpu, desc: HwIrq, cpu: number): void {
    this.xen.hostGic.setAffinity(here.cpu, desc.irq, cpu);
    this.xen.aimed(desc.irq, cpu);
  }

  printk(line: string): void {
    this.xen.print(line);
  }
}
