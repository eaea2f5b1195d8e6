/** Hops inside a Linux kernel, which is the same code as guest of Xen, as guest of KVM and as KVM's host. */
import { Arm64Kernel, type XenArm64Kernel } from '../guest/linux/arm64.ts';
import type { IrqDesc } from '../guest/linux/irq-core.ts';
import type { LinuxKernel } from '../guest/linux/kernel.ts';
import { NativeKernel } from '../guest/linux/native.ts';
import { XenHvmKernel } from '../guest/linux/xen-hvm.ts';
import { XenKernel } from '../guest/linux/xen-kernel.ts';
import type { XenGuest } from '../guest/linux/xen-side.ts';
import { PRIVATE } from '../hw/arm/gic-regs.ts';
import { MICROBENCHMARKS } from '../scenario/microbenchmarks.ts';
import { timing } from '../timing.ts';
import type { EndGrade, HopRow, HopTable } from './hops.ts';
import type { HopMode } from './inspect.ts';

/** What the rows look kernels up in; a trace record names them by the number of their domain. */
export interface Kernels {
  kernelOf(domain: number): LinuxKernel | undefined;
  /** `dom0`, `vm1`, `host` */
  domainName(domain: number): string;
  modeOf(domain: number): HopMode;
  /** how sure it is that a handler of this domain is the last */
  endOf(domain: number, irq: number): EndGrade;
}

/** Entries of a native kernel's own vectors as 6.1 and as 2.6.36 name them, and what each calls. */
const SYSTEM: Readonly<Record<string, readonly [modern: string, old: string, handler: string]>> = {
  timer: ['sysvec_apic_timer_interrupt', 'smp_apic_timer_interrupt', 'local_apic_timer_interrupt'],
  resched: ['sysvec_reschedule_ipi', 'smp_reschedule_interrupt', 'scheduler_ipi'],
  callfunc: ['sysvec_call_function', 'smp_call_function_interrupt', 'generic_smp_call_function_interrupt'],
  callfuncsingle: [
    'sysvec_call_function_single',
    'smp_call_function_single_interrupt',
    'generic_smp_call_function_single_interrupt',
  ],
  irqwork: ['sysvec_irq_work', 'smp_perf_pending_interrupt', 'irq_work_run'],
  pin: ['sysvec_kvm_posted_intr_ipi', 'smp_kvm_posted_intr_ipi', 'nothing'],
  piw: ['sysvec_kvm_posted_intr_wakeup_ipi', 'smp_kvm_posted_intr_wakeup_ipi', 'pi_wakeup_handler'],
  npi: ['sysvec_kvm_posted_intr_nested_ipi', 'smp_kvm_posted_intr_nested_ipi', 'nothing'],
};

export function hex(n: number, digits = 2): string {
  return `0x${(n >>> 0).toString(16).padStart(digits, '0')}`;
}

function descOf(kernel: LinuxKernel, irq: number): IrqDesc | undefined {
  return irq < 0 && kernel instanceof NativeKernel ? kernel.system[-irq] : kernel.irqs.descs[irq];
}

/** The tree of 2006, whose interrupts go through __do_IRQ. */
function isAncient({ profile }: LinuxKernel): boolean {
  return profile.arch === 'xen-2.6.18';
}

/** Entries of exceptions have names of their own since 5.8, as late EOI since 5.10. */
function isModern({ profile }: LinuxKernel): boolean {
  return profile.lateEoi;
}

/** Descriptors are flow handlers of kernel/irq/chip.c; __do_IRQ knows one flow for all. */
export function flowOf(kernel: LinuxKernel, desc: IrqDesc | undefined): string {
  if (isAncient(kernel)) return '__do_IRQ';
  if (kernel instanceof Arm64Kernel && kernel.isGic(desc)) {
    return desc!.hwirq! < PRIVATE ? 'handle_percpu_devid_irq' : 'handle_fasteoi_irq';
  }
  switch (desc?.flow) {
    case 'ioapic-level':
    case 'fasteoi':
      return 'handle_fasteoi_irq';
    case 'level':
      return 'handle_level_irq';
    case 'virq':
    case 'ipi':
    case 'percpu':
      return desc.ports.length > 0 && desc.chip.name.includes('percpu')
        ? 'handle_percpu_irq'
        : 'handle_edge_irq';
    default:
      return 'handle_edge_irq';
  }
}

function systemOf(kernel: LinuxKernel, irq: number) {
  return irq < 0 ? SYSTEM[descOf(kernel, irq)?.actions[0]?.name ?? ''] : undefined;
}

/** Handlers of a CPU's own interrupts on arm64, which handle_percpu_devid_irq calls itself. */
const PERCPU_HANDLERS: Readonly<Record<string, string>> = {
  arch_timer: 'arch_timer_handler_virt',
  events: 'xen_arm_callback',
  IPI: 'ipi_handler',
};

/** Who runs the handlers. */
function runnerOf(kernel: LinuxKernel, irq: number): string {
  if (kernel instanceof Arm64Kernel) {
    const desc = descOf(kernel, irq)!;
    const own =
      desc.hwirq !== null && desc.hwirq < PRIVATE ? PERCPU_HANDLERS[desc.actions[0]!.name] : undefined;
    if (own) return own;
  }
  return systemOf(kernel, irq)?.[2] ?? (isAncient(kernel) ? 'handle_IRQ_event' : 'handle_irq_event');
}

/** Who looks for the interrupt: the scan of event channels, or the gate of a vector. */
function finderOf(kernel: LinuxKernel, irq: number): string {
  if (kernel instanceof XenKernel) {
    if (isAncient(kernel)) return 'do_IRQ';
    if (kernel.profile.numbering === 'bindcount') return 'handle_irq';
    return scanOf(kernel);
  }
  if (kernel instanceof XenHvmKernel && descOf(kernel, irq)!.ports.length > 0) return scanOf(kernel);
  if (kernel instanceof Arm64Kernel) {
    return kernel.isGic(descOf(kernel, irq)) ? 'gic_handle_irq' : scanOf(kernel as XenArm64Kernel);
  }
  const old = kernel instanceof NativeKernel && kernel.old;
  const names = systemOf(kernel, irq);
  if (names) return names[old ? 1 : 0];
  return old ? 'do_IRQ' : 'common_interrupt';
}

function scanOf({ events }: XenGuest): string {
  return events.abi.name === 'evtchn-fifo' ? 'evtchn_fifo_handle_events' : 'evtchn_2l_handle_events';
}

/** xen_hypervisor_callback's C function. */
function upcallOf(kernel: LinuxKernel | undefined): string {
  if (!(kernel instanceof XenKernel) || kernel.profile.numbering === 'bindcount') return 'evtchn_do_upcall';
  return kernel.profile.lateEoi ? 'xen_pv_evtchn_do_upcall' : 'xen_evtchn_do_upcall';
}

export function actionsOf(kernel: LinuxKernel | undefined, irq: number): string {
  const desc = kernel && descOf(kernel, irq);
  return desc?.actions.map((a) => a.name).join(', ') ?? '';
}

/** An interrupt number, or the vector of one that has none. */
function irqName(irq: number): string {
  return irq < 0 ? `vec ${hex(-irq)}` : `irq ${irq}`;
}

const inDomain = (host: Kernels, [domain]: readonly number[]) => host.modeOf(domain!);

function flowRow(): HopRow<Kernels> {
  return {
    mode: inDomain,
    name: (host, [domain, irq]) => {
      const kernel = host.kernelOf(domain!);
      return kernel ? finderOf(kernel, irq!) : 'generic_handle_irq';
    },
    detail: (host, [domain, irq, , source]) => {
      const kernel = host.kernelOf(domain!);
      if (!kernel || irq! < 0) return `vector ${hex(source!)}`;
      const desc = descOf(kernel, irq!);
      const line = kernel instanceof Arm64Kernel ? `INTID ${source}` : `vector ${hex(source!)}`;
      const from = desc && desc.ports.length > 0 ? `port ${source}` : line;
      return `${from} is irq ${irq}, ${flowOf(kernel, desc)}`;
    },
    about: 'the kernel finds which interrupt it is and acknowledges it',
    charged: timing.eventScan,
  };
}

function microbenchmarkRow(what: string, about: string): HopRow<Kernels> {
  const words = (host: Kernels, [domain, vcpu, run]: readonly number[]) =>
    `${host.domainName(domain!)}.${vcpu} ${MICROBENCHMARKS[run!]} ${what}`;
  return { mode: inDomain, name: 'microbenchmark', detail: words, brief: words, about };
}

export const LINUX_HOPS: HopTable<Kernels> = {
  shell_told: {
    mode: 'device',
    name: 'sh',
    detail: (host, [domain, vcpu]) => `a process on ${host.domainName(domain!)}.${vcpu}`,
    brief: (host, [domain, vcpu]) => `sh on ${host.domainName(domain!)}.${vcpu} is told`,
    about: 'root of the domain is told to send an IPI; its CPU runs that when it gets to it',
  },
  smp_send_reschedule: {
    mode: inDomain,
    name: 'smp_send_reschedule',
    detail: (host, [domain, vcpu, to]) =>
      `${host.domainName(domain!)}.${vcpu} to ${host.domainName(domain!)}.${to}`,
    brief: (host, [domain, , to]) => `reschedule IPI to ${host.domainName(domain!)}.${to}`,
    about: 'the IPI that makes another CPU look at its run queue',
  },
  xen_evtchn_do_upcall: {
    mode: inDomain,
    name: (host, [domain]) => upcallOf(host.kernelOf(domain!)),
    detail: (host, [domain, vcpu]) => `${host.domainName(domain!)}.${vcpu}`,
    about: "the guest's callback: the upcall flag is cleared, then ports are looked at",
    charged: timing.upcallEntry,
  },
  generic_handle_irq: flowRow(),
  exc_machine_check: {
    mode: inDomain,
    name: (host, [domain]) => {
      const kernel = host.kernelOf(domain!);
      return kernel && isModern(kernel) ? 'exc_machine_check' : 'do_machine_check';
    },
    detail: (host, [domain, vcpu]) => `${host.domainName(domain!)}.${vcpu}`,
    brief: (host, [domain, vcpu]) => `#MC in ${host.domainName(domain!)}.${vcpu}`,
    about: "the kernel's own handler reads the banks that it is shown",
    charged: timing.machineCheck,
  },
  irq_handler_entry: {
    mode: inDomain,
    name: (host, [domain, irq]) => {
      const kernel = host.kernelOf(domain!);
      return kernel ? runnerOf(kernel, irq!) : 'handle_irq_event';
    },
    detail: (host, [domain, irq, vcpu]) =>
      `${host.domainName(domain!)}.${vcpu} ${irqName(irq!)} ${actionsOf(host.kernelOf(domain!), irq!)}`,
    brief: (host, [domain, irq, vcpu]) => `${host.domainName(domain!)}.${vcpu} ${irqName(irq!)} handler`,
    about: "the driver's handler runs",
    nested: true,
    end: (host, [domain, irq]) => host.endOf(domain!, irq!),
    row: (_, [domain, irq]) => ({ domain: domain!, irq: irq! }),
  },
  microbenchmark_begin: microbenchmarkRow(
    'begins',
    'a program of the kernel does what is measured, from here on',
  ),
  microbenchmark_end: microbenchmarkRow('ends', 'what is measured is over'),
  irq_handler_exit: {
    mode: inDomain,
    name: 'irq_handler_exit',
    detail: (host, [domain, irq, vcpu]) => `${host.domainName(domain!)}.${vcpu} ${irqName(irq!)}`,
    brief: (host, [domain, irq, vcpu]) => `${host.domainName(domain!)}.${vcpu} ${irqName(irq!)} done`,
    about: 'the handler is over; softirqs may follow',
    nested: true,
  },
};
