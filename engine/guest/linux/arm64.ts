/**
 * An arm64 kernel: interrupts by the GIC, ticks by the virtual timer of the architecture, IPIs as software-generated
 * interrupts (arch/arm64/kernel/smp.c, drivers/clocksource/arm_arch_timer.c). On Xen it has event channels beside, which
 * one PPI tells of (arch/arm/xen/enlighten.c).
 *
 * A 32-bit kernel is the same here but for how its instructions leave it (its CPU's business), where its code lies and what it
 * asks its firmware for. Its rows of IPIs are arm64's, as no capture says how a 32-bit one prints them.
 */
import type { Hypercalls } from '../../abi/hypercalls.ts';
import type { SlotId, SourceId } from '../../core/books.ts';
import type { Ns } from '../../core/clock.ts';
import type { ArmCpu } from '../../hw/arm/cpu.ts';
import { SystemCounter } from '../../hw/arm/generic-timer.ts';
import { CNT, TimerCtl } from '../../hw/arm/timer-regs.ts';
import { timing } from '../../timing.ts';
import { Arm64Cpu } from './arm64-entry.ts';
import { addressOf } from './arm64-symbols.ts';
import type { LinuxCpu } from './entry.ts';
import type { EventIrqs } from './evtchn.ts';
import type { IrqDesc, Work } from './irq-core.ts';
import { Gic, type GicPlaces } from './irq-gic.ts';
import { type KernelInit, LinuxKernel } from './kernel.ts';
import { type XenGuest, XenSide, type XenSideInit } from './xen-side.ts';

export interface Arm64Init extends KernelInit<ArmCpu> {
  readonly gicVersion: 2 | 3;
  readonly gic: GicPlaces;
  /** SPIs that get another priority than the rest */
  readonly priorities?: readonly { readonly spi: number; readonly priority: number }[];
  /** INTIDs of the timer, in the order of the device tree: those that it has beside the virtual one are mapped too */
  readonly timers: readonly number[];
  readonly virtualTimer: number;
  /** ticks of the system counter in a second */
  readonly frequency: number;
  /** AArch32, which differs in where its code lies */
  readonly aarch32?: boolean;
  /** ssbd= */
  readonly ssbd?: 'kernel' | 'force-on' | 'force-off';
  /** on Xen: event channels, and the PPI that tells of them */
  readonly xen: (XenSideInit & { readonly ppi: number }) | undefined;
  slot(cpu: number, intid: number): SlotId;
}

/** enum ipi_msg_type of arch/arm64/kernel/smp.c; those not named have no sender here */
const IPI: Readonly<Record<string, number>> = { resched: 0, callfunc: 1, irqwork: 5 };
const IPIS = 8;

/** PSCI */
const CPU_ON32 = 0x8400_0003;
const CPU_ON64 = 0xc400_0003;
/** SMCCC: is there a function, and ARM_SMCCC_ARCH_WORKAROUND_2 */
const ARCH_FEATURES = 0x8000_0001;
const WORKAROUND_2 = 0x8000_7fff;

const TWO32 = 2 ** 32;

export class Arm64Kernel extends LinuxKernel {
  declare readonly init: Arm64Init;
  declare readonly cpus: readonly Arm64Cpu[];
  readonly gic: Gic;
  readonly xen: XenSide | undefined;
  /** the PPI of event channels */
  eventsIrq = -1;
  /** as the kernel has calibrated it: it began with the domain */
  private readonly counter: SystemCounter;
  private readonly ipiSources: SourceId[] = [];

  constructor(init: Arm64Init) {
    super(init);
    this.gic = new Gic(this, init.gicVersion);
    this.counter = new SystemCounter(init.frequency);
    // numbers of event channels are the lowest that are free
    this.xen = init.xen && new XenSide(this, init.xen, 0, true);
  }

  protected makeCpu(cpu: number): Arm64Cpu {
    return new Arm64Cpu(this, cpu, this.init.vcpus[cpu]!);
  }

  get events(): EventIrqs {
    return this.xen!.events;
  }

  hypercalls(cpu: number): Hypercalls {
    return this.xen!.hypercalls(cpu);
  }

  // boot

  /** init_IRQ, time_init, smp_init, up to where drivers begin. */
  start(): void {
    this.gic.start();
    for (const cpu of this.cpus) if (cpu.cpu === 0 || this.bootSecondary(cpu.cpu)) this.startCpu(cpu);
    this.setIpis();
    for (const intid of this.init.timers) this.gic.map(intid, true);
    this.gic.request(this.init.virtualTimer, true, 'arch_timer', this.timerWork);
    const { xen } = this.init;
    if (!xen) return;
    this.eventsIrq = this.gic.request(xen.ppi, true, 'events', {
      cost: () => timing.upcallEntry,
      run: () => {},
    }).irq;
  }

  /** smp_init, cpu_psci_cpu_boot: the first CPU has the firmware bring up another one. */
  private bootSecondary(cpu: number): boolean {
    const { hardware } = this.cpus[0]!;
    const aarch32 = this.init.aarch32 === true;
    const answer = hardware.hvc(
      0,
      aarch32 ? CPU_ON32 : CPU_ON64,
      mpidrOf(cpu),
      addressOf('secondary_entry', aarch32),
    );
    if (answer === 0) return true;
    this.log.push(`psci: failed to boot CPU${cpu} (${answer | 0})`);
    return false;
  }

  /** setup_local_cpu_features, gic_cpu_init */
  private startCpu(cpu: Arm64Cpu): void {
    this.enableSsbd(cpu);
    this.gic.startCpu(cpu);
  }

  /** spectre_v4_enable_fw_mitigation: if the firmware can switch its workaround. A 32-bit kernel does not ask. */
  private enableSsbd({ hardware }: Arm64Cpu): void {
    const { aarch32, ssbd } = this.init;
    if (aarch32 || hardware.hvc(0, ARCH_FEATURES, WORKAROUND_2) !== 0) return;
    hardware.hvc(0, WORKAROUND_2, ssbd === 'force-off' ? 0 : 1);
  }

  /** set_smp_ipi_range: SGIs are the first interrupts of all, and not shown as such. */
  private setIpis(): void {
    for (let ipi = 0; ipi < IPIS; ipi++) {
      this.irqs.request(this.gic.map(ipi, false), { name: 'IPI', work: this.ipiWork(ipi) });
    }
  }

  private ipiWork(ipi: number): Work {
    const count = ({ cpu }: LinuxCpu) => this.countArch(`IPI${ipi}`, cpu);
    switch (ipi) {
      case IPI.callfunc: {
        const { cost, run } = this.calls.interrupt;
        return { count, cost, run };
      }
      case IPI.resched:
        return { count, cost: () => timing.shortHandler, run: (cpu) => this.time.look(cpu) };
      default:
        return { count, cost: () => timing.shortHandler, run: () => {} };
    }
  }

  /** Is it an interrupt of the GIC, and not an event channel? */
  isGic(desc: IrqDesc | undefined): boolean {
    return desc?.chip === this.gic.chip;
  }

  /** SGIs are hidden (IRQ_HIDDEN). */
  override shownDescs(): IrqDesc[] {
    return super.shownDescs().filter((d) => d.chip !== this.gic.chip || d.hwirq! >= IPIS);
  }

  /** Nor are they rows of their own: they are counted as IPIs. */
  override rowOf(irq: number): { readonly row: number | string; readonly name: string } {
    const desc = this.irqs.descs[irq];
    const ipi = this.isGic(desc) ? desc!.hwirq! : IPIS;
    if (ipi >= IPIS) return super.rowOf(irq);
    const name = Object.keys(IPI).find((kind) => IPI[kind] === ipi) ?? '';
    return { row: `IPI${ipi}`, name };
  }

  override sendIpi(kind: string, cpu: number, from: LinuxCpu): void {
    const { books } = this;
    const { source, journey } = books;
    const ipi = IPI[kind]!;
    this.ipiSources[ipi] ??= books.sourceOf(`${this.id} ${kind}`);
    books.begin(this.ipiSources[ipi]);
    this.gic.send(ipi, cpu, from);
    books.source = source;
    books.journey = journey;
  }

  // the timer

  /** arch_timer_handler_virt: its output is masked, and comes back when it is set anew. */
  private readonly timerWork: Work = {
    cost: (cpu) => this.time.interrupt.cost(cpu),
    run: (cpu) => {
      const { hardware } = cpu as Arm64Cpu;
      hardware.msr(CNT.CNTV_CTL_EL0, hardware.mrs(CNT.CNTV_CTL_EL0)! | TimerCtl.imask.mask);
      this.time.interrupt.run(cpu);
    },
  };

  setTimer(cpu: LinuxCpu, when: Ns): void {
    const { hardware } = cpu as Arm64Cpu;
    if (when === Infinity) {
      hardware.msr(CNT.CNTV_CTL_EL0, hardware.mrs(CNT.CNTV_CTL_EL0)! & ~TimerCtl.enable.mask);
      return;
    }
    const ticks = this.counter.at(when - 1) + 1;
    hardware.msr(CNT.CNTV_CVAL_EL0, ticks % TWO32, Math.floor(ticks / TWO32));
    hardware.msr(CNT.CNTV_CTL_EL0, TimerCtl.enable.mask);
  }

  // the books

  /** An interrupt was acknowledged: the raise that waited for it is delivered. */
  delivered(cpu: Arm64Cpu, intid: number): void {
    const slot = this.init.slot(cpu.cpu, intid);
    this.books.resume(slot);
    this.books.deliver(slot);
  }
}

/** MPIDR_EL1's affinity: clusters of 16. */
function mpidrOf(cpu: number): number {
  return ((cpu >> 4) << 8) | (cpu & 0xf);
}

/** One on Xen. */
export type XenArm64Kernel = Arm64Kernel & XenGuest;
