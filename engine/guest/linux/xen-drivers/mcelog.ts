/**
 * What dom0 does about machine checks (drivers/xen/mcelog.c; mce_dom0.c of the forward port): Xen tells it by VIRQ_MCA, and
 * it fetches what Xen has logged, urgent records first. Since 3.6 a kernel worker does, in older kernels the handler itself.
 */
import type { Telemetry } from '../../../abi/mca.ts';
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { XenGuest } from '../xen-side.ts';

export class Mcelog implements Part {
  readonly id: string;
  /** records fetched */
  fetched = 0;
  /** the worker of this CPU has it to do (schedule_work) */
  private readonly scheduled: boolean[];
  /** wakes the kernel's worker on this CPU */
  wakeWorker: (cpu: LinuxCpu) => void = () => {};

  /**
   * @param inHandler the handler fetches by itself
   * @param fetch XEN_MC_fetch, and its acknowledgement if there was a record
   */
  constructor(
    kernel: XenGuest,
    private readonly inHandler: boolean,
    private readonly fetch: (cpu: LinuxCpu, which: Telemetry) => boolean,
  ) {
    this.id = `${kernel.id}.mcelog`;
    this.scheduled = kernel.cpus.map(() => false);
    kernel.init.parts.add(this);
  }

  readonly interrupt: Work = {
    cost: () => timing.shortHandler,
    run: (cpu) => {
      if (this.inHandler) this.fetchAll(cpu);
      else {
        this.scheduled[cpu.cpu] = true;
        this.wakeWorker(cpu);
      }
    },
  };

  /** The worker of this CPU runs. @returns false: not for this */
  work(cpu: LinuxCpu): boolean {
    if (!this.scheduled[cpu.cpu]) return false;
    this.scheduled[cpu.cpu] = false;
    this.fetchAll(cpu);
    return true;
  }

  private fetchAll(cpu: LinuxCpu): void {
    while (this.fetch(cpu, 'urgent')) this.fetched++;
    while (this.fetch(cpu, 'nonurgent')) this.fetched++;
  }

  save(): Plain {
    return { fetched: this.fetched, scheduled: [...this.scheduled] };
  }

  restore(state: Plain): void {
    const s = state as { fetched: number; scheduled: boolean[] };
    this.fetched = s.fetched;
    this.scheduled.splice(0, Infinity, ...s.scheduled);
  }
}
