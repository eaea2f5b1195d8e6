/** A paravirtual Linux kernel: event channels in place of interrupt controllers, hypercalls in place of instructions. */
import type { Hypercalls } from '../../abi/hypercalls.ts';
import type { Ns } from '../../core/clock.ts';
import type { VirtualCpu } from '../../hw/x86/cpu.ts';
import type { LinuxCpu } from './entry.ts';
import type { EventIrqs } from './evtchn.ts';
import { type KernelInit, LinuxKernel } from './kernel.ts';
import { XenCpu } from './xen-entry.ts';
import { type XenGuest, XenSide, type XenSideInit } from './xen-side.ts';

export interface XenKernelInit extends KernelInit<VirtualCpu>, XenSideInit {}

export class XenKernel extends LinuxKernel implements XenGuest {
  declare readonly init: XenKernelInit;
  declare readonly cpus: readonly XenCpu[];
  readonly xen: XenSide;

  constructor(init: XenKernelInit) {
    const { profile } = init;
    const dynamicBase = profile.dynamicBase ?? init.dynamicBase;
    const bindcount = profile.numbering === 'bindcount';
    super({ ...init, nrIrqs: bindcount ? dynamicBase + profile.nrDynamic : init.nrIrqs } as XenKernelInit);
    this.xen = new XenSide(this, init, dynamicBase, false);
  }

  protected makeCpu(cpu: number): XenCpu {
    return new XenCpu(this, cpu, this.init.vcpus[cpu]!);
  }

  get events(): EventIrqs {
    return this.xen.events;
  }

  hypercalls(cpu: number): Hypercalls {
    return this.xen.hypercalls(cpu);
  }

  setUpcall(cpu: number, pending: boolean | undefined, mask: boolean | undefined): void {
    this.xen.setUpcall(cpu, pending, mask);
  }

  sendIpi(kind: string, cpu: number, from: LinuxCpu): void {
    this.xen.sendIpi(kind, cpu, from);
  }

  setTimer(cpu: LinuxCpu, when: Ns): void {
    this.hypercalls(cpu.cpu).setTimer(when === Infinity ? undefined : when);
  }
}
