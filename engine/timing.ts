/**
 * Every cost in one table, in nanoseconds of virtual time, each with where it comes from.
 *
 * Sources: [dall] is Dall et al., "ARM Virtualization: Performance and Architectural Implications", ISCA
 * 2016, table II, transcribed from memory; x86 ran at 2.1 GHz there. [est] is an estimate of ours, chosen to
 * be of the right order; nothing was measured for it.
 */
import type { Ns } from './core/clock.ts';

/** Nanoseconds of `n` cycles at the 2.1 GHz of [dall]. */
function cycles(n: number): Ns {
  return Math.round(n / 2.1);
}

/** The same at the 2.4 GHz of its ARM machine. */
function armCycles(n: number): Ns {
  return Math.round(n / 2.4);
}

const TABLE = {
  /** an interrupt message from a device or IOAPIC to a local APIC over the bus [est] */
  apicMessage: 200,
  /** an inter-processor interrupt from the register that sends it to the request at the other side [est] */
  ipiFlight: 780,
  /** a store to the line that an idle processor monitors in mwait, or that one reads in a loop, reaches it [est] */
  mwaitStore: 100,
  /** an idle processor leaves HLT or mwait in a shallow C-state [est] */
  idleWake: 1_200,
  /**
   * through a gate and registers saved, or back: an interrupt or exception of the processor's, a paravirtual guest's
   * hypercall, the bounce frame that Xen makes for an upcall [est]
   */
  irqEntry: 150,
  /** do_IRQ up to the guest's or Xen's own action: vector to descriptor, lock, ack at the local APIC [est] */
  doIrq: 250,
  /** do_IRQ_guest for one bound guest [est] */
  doIrqGuest: 120,
  /** handler of one of the local APIC's own vectors in Xen or Linux: EOI, a softirq raised or nothing [est] */
  apicVector: 150,
  /** the interrupt hook writes one record: TSC, who is current, five stores [est] */
  hookRecord: 60,
  /** evtchn_set_pending: bits and selector, or event word and queue [est] */
  evtchnSetPending: 100,
  /** the timer softirq takes one timer off its heap and calls it [est] */
  xenTimer: 400,
  /** printk of a piece of a line: formatted, to the ring and the buffer of the serial line [est] */
  printk: 700,
  /** mcheck_mca_logout in a #MC: MCG_STATUS and MCi_STATUS of all banks, those with an error whole, under a lock [est] */
  mcaLogout: 2_500,
  /** the same of the few banks that a CMCI or a poll is about [est] */
  mcaPoll: 400,
  /** mc_memerr_dhandler: the page is taken out of use and out of its owner's tables [est] */
  offlinePage: 4_000,
  /** mce_action of 3.4: the error is noted for dom0 [est] */
  mceAction: 600,
  /** a guest's #MC handler: all its CPUs are waited for, banks read, the page given up [est] */
  machineCheck: 6_000,
  /** CPUs meet to read the platform timer, on each of them [est] */
  calibrationRendezvous: 2_000,
  /** local_time_calibration: the CPU's clock is corrected [est] */
  localCalibration: 500,
  /**
   * schedule and context_switch, for each of the two that is a virtual CPU: the idle loop keeps the registers (lazy
   * switch) [est]
   */
  xenSwitch: cycles(1_200),
  /** beside a switch to a guest on VMX: its VMCS, MSRs and FPU; the rest of [dall] VM switch, Xen x86 (10,534 cycles) */
  hvmSwitch: cycles(10_534 - 2 * 1_200 - 1_228),
  /** VM exit into Xen: the processor's part, registers saved, the reason read [est]; see xenVmEntry */
  xenVmExit: cycles(630),
  /** VM entry out of Xen; with xenVmExit it is [dall] Hypercall, Xen x86 (1,228 cycles) */
  xenVmEntry: cycles(1_228 - 630),
  /** a trapped register of an emulated interrupt controller or timer; [dall] Interrupt controller trap, Xen x86 */
  xenEmulate: cycles(1_734 - 1_228),
  /** a trapped EOI; [dall] Virtual IRQ completion, Xen x86 */
  xenEoi: cycles(1_464 - 1_228),
  /** hvm_task_switch: segments read and written through the guest's tables [est] */
  taskSwitch: 2_500,
  /** hvm_dirq_assist for one interrupt of a passed-through device: locks, what it is bound to [est] */
  dirqAssist: 200,
  /** the way back of its EOI: hvm_dpci_eoi, pirq_guest_eoi [est] */
  dpciEoi: 150,
  /** a request to the device model is put into its page [est] */
  ioreq: 150,
  /** the guest's upcall entry: registers, irq_enter, irq stack [est] */
  upcallEntry: 220,
  /** finding one port in the bitmaps or queues and its descriptor [est] */
  eventScan: 60,
  /** irq_exit and the way back without softirqs [est] */
  upcallExit: 150,
  /** entry of one softirq handler of the guest [est] */
  softirqEntry: 120,
  /** switch to another thread in Linux [est] */
  threadSwitch: 650,
  /**
   * a Linux CPU comes out of its idle loop, ticks stopped, for an interrupt (tick_irq_enter) or a thread
   * (tick_nohz_idle_exit): time is caught up with [est]
   */
  idleTick: 1_050,
  /** the guest's timer interrupt: clock event, run queues, timers [est] */
  tickHandler: 1_800,
  /** a handler that only acknowledges or wakes someone [est] */
  shortHandler: 600,
  /** IN or OUT of a real device behind the chipset [est] */
  portAccess: 600,
  /** load or store of a device's register, uncached [est] */
  mmioAccess: 250,
  /** RDMSR or WRMSR of a local APIC in x2APIC mode, or of the TSC deadline [est] */
  msrAccess: 60,
  /** VM exit: the processor saves the guest and loads the host, KVM reads the reason; [dall] I/O latency out, KVM */
  vmExit: cycles(560),
  /** the way back: requests looked at, VM entry; with vmExit it is [dall] Hypercall, KVM x86 (1,300 cycles) */
  vmEntry: cycles(740),
  /** a trapped store decoded and handed to an emulated interrupt controller; [dall] Interrupt controller trap, KVM x86 */
  emulateAccess: cycles(2_384 - 1_300),
  /**
   * a register of the local APIC whose access needs no decoding, an MSR, or EOI by the exit's qualification; [dall] Virtual
   * IRQ completion, KVM x86 (1,556 cycles)
   */
  emulateApic: cycles(1_556 - 1_300),
  /** CPUID, an exception or the like looked at and answered [est] */
  emulateShort: 150,
  /** a fault of nested paging: the page is found and mapped [est] */
  eptViolation: 1_500,
  /** an access that QEMU emulates: back to user space, its device, and KVM_RUN again [est] */
  userExit: 2_200,
  /** ioeventfd: the store is recognised and an event signalled [est] */
  ioeventfd: 180,
  /** PV EOI: the word in the guest's memory is written, or read and the interrupt ended [est] */
  pvEoi: 60,
  /** an event is chosen and written to the VMCS [est] */
  injectEvent: 80,
  /** a virtual CPU's thread enters the kernel's KVM_RUN again after another thread ran: vcpu_load, MSRs, FPU [est] */
  vcpuLoad: 750,
  /** ARM: EL1 to EL2, the frame saved, list registers read back [est]; see armExit */
  armEntry: armCycles(190),
  /** the way back: list registers written, the frame restored, eret; with armEntry it is [dall] Hypercall, Xen ARM (376) */
  armExit: armCycles(376 - 190),
  /** an interrupt taken in EL2, where nothing has to be kept but Xen's own registers [est] */
  armHypEntry: armCycles(120),
  /** gic_interrupt: IAR read, descriptor and lock; EOIR and DIR [est] */
  armDoIrq: 180,
  /** vgic_inject_irq: locks, lists, the list register [est] */
  vgicInject: 200,
  /** an SGI: IAR, its handler, EOIR and DIR [est] */
  armSgi: 450,
  /** a trapped access to the distributor or a system register; [dall] Interrupt controller trap, Xen ARM (1,356) */
  armEmulate: armCycles(1_356 - 376),
  /** the guest's IAR or EOIR, no trap; both are [dall] Virtual IRQ completion, Xen ARM (71) */
  gicvAccess: Math.round(armCycles(71) / 2),
  /**
   * context_switch, for each of the two that is a virtual CPU: EL1's registers and the virtual interface, saved or restored;
   * twice it is [dall] VM switch, Xen ARM (8,799 cycles), without the trap
   */
  armSwitch: armCycles((8_799 - 376) / 2),
  /** out of WFI [est] */
  armWake: 1_450,
  /** esb, or dsb and isb with SErrors unmasked for a moment [est] */
  serrorSync: 20,
  /** SSBD: the workaround is switched by an SMC to the firmware [est] */
  ssbdCall: 250,
  /** HVC #0 of a workaround, answered without a frame [est] */
  hvcFastPath: 40,
  /** the answer to a store that has failed comes back from the bus [est] */
  serrorFlight: 900,
  /** an arm64 kernel's kernel_entry, irq_enter and the way to the GIC's driver [est] */
  kernelEntry: 300,
  /** its way back without softirqs [est] */
  kernelExit: 150,
  /** the host's gate called by hand, or through the IDT once interrupts are on, after an exit [est] */
  hostGate: 100,
};

/** An entry of the table. */
export type CostName = keyof typeof TABLE;
export type Costs = { readonly [name in CostName]: Ns };

const costs: { [name in CostName]: Ns } = { ...TABLE };

/** What everything is charged by. */
export const timing: Costs = costs;

/** A paravirtual guest's hypercall, without what it does: there and back. */
export function pvHypercall(): Ns {
  return 2 * costs.irqEntry;
}

export const COST_NAMES: readonly CostName[] = Object.keys(TABLE) as CostName[];

/**
 * Runs `act`, which builds a machine of its own and lets it run, with some of the entries changed. Machines built
 * elsewhere must not run meanwhile.
 */
export function withCosts<T>(changes: Partial<Costs>, act: () => T): T {
  const before = { ...costs };
  Object.assign(costs, changes);
  try {
    return act();
  } finally {
    Object.assign(costs, before);
  }
}
