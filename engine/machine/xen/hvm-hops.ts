/**
 * Hops of HVM guests of Xen: what each tracepoint of VM exits, of the virtual interrupt hardware and of the device model
 * means, in the names of xen/arch/x86/hvm/{irq,vioapic,vpic,vlapic}.c and vmx/{vmx,intr}.c.
 */
import { NativeKernel } from '../../guest/linux/native.ts';
import { xenExitName } from '../../hv/xen/x86/vmexit.ts';
import { Exit, Info, Type } from '../../hw/x86/vmcs-fields.ts';
import { timing } from '../../timing.ts';
import type { HopRow, HopTable } from '../hops.ts';
import { hex } from '../hops-linux.ts';
import type { HopMode } from '../inspect.ts';
import type { XenNames } from './hops.ts';

type Row = HopRow<XenNames>;
type Names = (host: XenNames, args: readonly number[]) => string;

/** Mode of Xen's code where guests run on VMX. */
const XEN: HopMode = 'root';

const vcpu: Names = ({ xen }, [index]) => xen.vcpus[index!]!.name;
const vcpuVector: Names = (host, args) => `${vcpu(host, args)} vector ${hex(args[1]!)}`;
const inDomain: Names = (_, [domain, n]) => `dom${domain}.${n}`;
const pirq: Names = (_, [domain, n]) => `dom${domain} pirq ${n}`;
const domainVector: Names = (_, [domain, n, vector]) => `dom${domain}.${n} vector ${hex(vector!)}`;

/** Handlers behind gates that Xen may have to do with, in 6.1's names and in those of 2.6.36. */
const GATES: { readonly [vector: number]: readonly [modern: string, old: string] } = {
  1: ['exc_debug', 'do_debug'],
  2: ['exc_nmi', 'do_nmi'],
  17: ['exc_alignment_check', 'do_alignment_check'],
};

function gate(host: XenNames, [index, vector]: readonly number[]): string {
  const kernel = host.kernelOf(host.xen.vcpus[index!]!.domain);
  return GATES[vector!]?.[kernel instanceof NativeKernel && kernel.old ? 1 : 0] ?? `vector ${hex(vector!)}`;
}

const EXITS: Record<string, Row> = {
  vmexit: {
    mode: 'exit',
    name: 'vmx_vmexit_handler',
    detail: (host, args) => {
      const [, reason, info] = args as [number, number, number];
      const why = xenExitName(reason);
      const told = reason === Exit.EXTERNAL_INTERRUPT || reason === Exit.EXCEPTION_NMI;
      return `${vcpu(host, args)} ${why}${told ? `, info ${hex(info, 8)}` : ''}`;
    },
    brief: (_, [, reason]) => `vmexit ${xenExitName(reason!)}`,
    about: 'the processor leaves the guest; an external interrupt is acknowledged by the exit itself',
    charged: timing.xenVmExit,
  },
  vmx_do_extint: {
    mode: XEN,
    name: 'vmx_do_extint',
    detail: (_, [, vector]) => `vector ${hex(vector!)}`,
    about:
      'the vector stands in the VM-exit interruption-information: do_IRQ is called before interrupts are let in',
    nested: true,
  },
  vmx_idtv_reinject: {
    mode: XEN,
    name: 'vmx_idtv_reinject',
    detail: (_, [, info]) => `vector ${hex(info! & 0xff)}${Info.type.get(info!) === Type.NMI ? ' NMI' : ''}`,
    brief: (_, [, info]) => `reinject vec ${(info! & 0xff).toString(16)}`,
    about: 'the exit cut short the delivery of an event: it is queued for the next VM entry again',
    nested: true,
  },
  vmx_enable_intr_window: {
    mode: XEN,
    name: 'vmx_enable_intr_window',
    detail: (host, args) => vcpuVector(host, args),
    about: 'the guest cannot take it now: the processor is to leave it as soon as it can',
    nested: true,
  },
  vmx_inject_extint: {
    mode: XEN,
    name: 'vmx_inject_extint',
    detail: (host, args) => vcpuVector(host, args),
    brief: (host, args) => `inject ${vcpu(host, args)} vec ${args[1]!.toString(16)}`,
    about: 'the vector goes to the VM-entry interruption-information',
    charged: timing.injectEvent,
    nested: true,
  },
  vmx_inject_nmi: {
    mode: XEN,
    name: 'vmx_inject_nmi',
    detail: vcpu,
    brief: (host, args) => `inject NMI ${vcpu(host, args)}`,
    about: 'an NMI goes to the VM-entry interruption-information',
    charged: timing.injectEvent,
    nested: true,
  },
  guest_gate: {
    mode: 'guest',
    name: gate,
    detail: (host, args) => vcpuVector(host, args),
    about: 'the gate of an exception or NMI, and its handler',
    end: () => 2,
  },
  hvm_inject_hw_exception: {
    mode: XEN,
    name: 'hvm_inject_hw_exception',
    detail: (host, args) => vcpuVector(host, args),
    brief: (host, args) => `inject #MC ${vcpu(host, args)}`,
    about: 'a machine check of its own goes to the VM-entry interruption-information',
    charged: timing.injectEvent,
    nested: true,
  },
  vmx_propagate_intr: {
    mode: XEN,
    name: 'vmx_propagate_intr',
    detail: (host, args) => vcpuVector(host, args),
    about: 'an exception that Xen only looked at is given to the guest',
    nested: true,
  },
  domain_pause_for_debugger: {
    mode: XEN,
    name: 'domain_pause_for_debugger',
    detail: inDomain,
    brief: (_, [domain]) => `dom${domain} pauses for its debugger`,
    about: 'all virtual CPUs of the domain stop; its debugger, a process of dom0, lets it go on',
    nested: true,
  },
  vmentry: {
    mode: 'entry',
    name: 'vmx_asm_do_vmentry',
    detail: vcpu,
    brief: (host, args) => `vmentry ${vcpu(host, args)}`,
    about: 'VM entry: what stands in the entry interruption-information is delivered',
    charged: timing.xenVmEntry,
  },
};

const WIRES: Record<string, Row> = {
  nmi_pending: {
    mode: XEN,
    name: 'nmi_pending',
    detail: inDomain,
    about: 'an NMI waits for the virtual CPU, one at most',
  },
  hvm_isa_irq_assert: {
    mode: XEN,
    name: 'hvm_isa_irq_assert',
    detail: (_, [domain, irq]) => `dom${domain} ISA irq ${irq}`,
    brief: (_, [domain, irq]) => `hvm_isa_irq_assert dom${domain} ${irq}`,
    about: 'the wire rises: the GSI is counted up, from 0 to 1 it is an edge for the chips',
  },
  hvm_isa_irq_deassert: {
    mode: XEN,
    name: 'hvm_isa_irq_deassert',
    detail: (_, [domain, irq]) => `dom${domain} ISA irq ${irq}`,
    about: 'the wire falls',
  },
  hvm_pci_intx_assert: {
    mode: XEN,
    name: 'hvm_pci_intx_assert',
    detail: (_, [domain, device, intx]) => `dom${domain} device ${device} INT${'ABCD'[intx!]}#`,
    brief: (_, [domain, device]) => `hvm_pci_intx_assert dom${domain} ${device}`,
    about: "a PCI line rises: its GSI, and by the bridge's link an ISA interrupt",
  },
  hvm_pci_intx_deassert: {
    mode: XEN,
    name: 'hvm_pci_intx_deassert',
    detail: (_, [domain, device, intx]) => `dom${domain} device ${device} INT${'ABCD'[intx!]}#`,
    about: 'a PCI line falls',
  },
  hvm_ioapic_assert: {
    mode: XEN,
    name: 'hvm_ioapic_assert',
    detail: (_, [domain, gsi]) => `dom${domain} GSI ${gsi}`,
    about: 'a pin of the virtual IOAPIC rises',
  },
  hvm_inject_msi: {
    mode: XEN,
    name: 'hvm_inject_msi',
    detail: (_, [domain, address, data]) => `dom${domain} ${hex(address!, 8)} ${hex(data!, 4)}`,
    about: 'a message for the local APICs of the guest',
  },
  hvm_set_callback_irq_level: {
    mode: XEN,
    name: 'hvm_set_callback_irq_level',
    detail: (_, [domain, asserted]) => `dom${domain} ${asserted ? 'asserted' : 'not asserted'}`,
    about: 'the line of the event channel callback follows evtchn_upcall_pending',
    nested: true,
  },
  hvm_assert_evtchn_irq: {
    mode: XEN,
    name: 'hvm_assert_evtchn_irq',
    detail: inDomain,
    about: 'events wait for the virtual CPU: it is told by a vector of its local APIC, or the callback',
    nested: true,
  },
  assert_evtchn_irq_tasklet: {
    mode: XEN,
    name: 'assert_evtchn_irq_tasklet',
    detail: inDomain,
    about: 'interrupts are off: telling the virtual CPU is left to the TASKLET softirq',
    nested: true,
  },
  vioapic_irq_positive_edge: {
    mode: XEN,
    name: 'vioapic_irq_positive_edge',
    detail: (_, [domain, gsi]) => `dom${domain} pin ${gsi}`,
    about: 'an edge at the virtual IOAPIC: its entry is looked up',
    nested: true,
  },
  vpic_irq_positive_edge: {
    mode: XEN,
    name: 'vpic_irq_positive_edge',
    detail: (_, [domain, irq]) => `dom${domain} irq ${irq}`,
    about: 'the same edge at the virtual 8259s',
    nested: true,
  },
  vpic_irq_negative_edge: {
    mode: XEN,
    name: 'vpic_irq_negative_edge',
    detail: (_, [domain, irq]) => `dom${domain} irq ${irq}`,
    about: 'the line of the virtual 8259s falls',
    nested: true,
  },
  vpic_ack_pending_irq: {
    mode: XEN,
    name: 'vpic_ack_pending_irq',
    detail: domainVector,
    about: 'the virtual 8259s are acknowledged: IRR to ISR',
    nested: true,
  },
  vioapic_deliver: {
    mode: XEN,
    name: 'vioapic_deliver',
    detail: (_, [domain, gsi, vector]) => `dom${domain} pin ${gsi} vector ${hex(vector!)}`,
    about: 'the entry of the pin becomes a message',
    nested: true,
  },
  vioapic_update_EOI: {
    mode: XEN,
    name: 'vioapic_update_EOI',
    detail: (_, [domain, vector]) => `dom${domain} vector ${hex(vector!)}`,
    about: 'remote IRR goes; a line that is still held is delivered again',
    nested: true,
  },
  vlapic_set_irq: {
    mode: XEN,
    name: 'vlapic_set_irq',
    detail: domainVector,
    brief: (_, [domain, n, vector]) => `vec ${vector!.toString(16)} -> dom${domain}.${n}`,
    about: "the vector's bit in the IRR of the virtual local APIC",
    nested: true,
  },
  vlapic_ack_pending_irq: {
    mode: XEN,
    name: 'vlapic_ack_pending_irq',
    detail: domainVector,
    about: 'it is about to be injected: IRR to ISR',
    nested: true,
  },
  vlapic_EOI_set: {
    mode: XEN,
    name: 'vlapic_EOI_set',
    detail: domainVector,
    about: 'the guest has written EOI: the highest vector in service is over',
    nested: true,
  },
  vlapic_ipi: {
    mode: XEN,
    name: 'vlapic_ipi',
    detail: (_, [domain, n, icr]) => `dom${domain}.${n} ICR ${hex(icr!, 8)}`,
    about: 'the guest has written its interrupt command register',
    nested: true,
  },
  vlapic_init_sipi_action: {
    mode: XEN,
    name: 'vlapic_init_sipi_action',
    detail: (_, [domain, n, icr]) => `dom${domain}.${n} ICR ${hex(icr!, 8)}`,
    about: 'INIT or SIPI, carried out by a tasklet',
    nested: true,
  },
};

const TICKS: Record<string, Row> = {
  pt_timer_fn: {
    mode: XEN,
    name: 'pt_timer_fn',
    detail: inDomain,
    about: "a timer of the guest has expired in Xen's timer softirq: a tick is due",
  },
  pt_update_irq: {
    mode: XEN,
    name: 'pt_update_irq',
    detail: inDomain,
    about: 'on the way into the guest the tick that lags most becomes an interrupt',
    nested: true,
  },
  pt_intr_post: {
    mode: XEN,
    name: 'pt_intr_post',
    detail: domainVector,
    about: 'the tick was injected: the timer is set for the next one',
    nested: true,
  },
};

const PASSED: Record<string, Row> = {
  hvm_do_IRQ_dpci: {
    mode: XEN,
    name: 'hvm_do_IRQ_dpci',
    detail: pirq,
    brief: (host, args) => `hvm_do_IRQ_dpci ${pirq(host, args)}`,
    about: 'the pirq is that of a device passed through: it is noted, and its interrupt made later',
    nested: true,
  },
  hvm_dirq_assist: {
    mode: XEN,
    name: 'hvm_dirq_assist',
    detail: pirq,
    about: 'on 4.17 in a softirq, on 3.4 on the way into virtual CPU 0: the pirq becomes a virtual interrupt',
    charged: timing.dirqAssist,
  },
  vmsi_deliver_pirq: {
    mode: XEN,
    name: ({ xen }) => (xen.profile === '3.4' ? 'vmsi_deliver' : 'vmsi_deliver_pirq'),
    detail: (host, args) => `${pirq(host, args)} vector ${hex(args[2]!)}`,
    about: "the guest's own message, as its driver has written it to the device's table",
    nested: true,
  },
  pt_irq_time_out: {
    mode: XEN,
    name: 'pt_irq_time_out',
    detail: pirq,
    brief: (host, args) => `pt_irq_time_out ${pirq(host, args)}`,
    about: 'the guest has not ended it within 8 ms: the line is taken away, and the machine no longer waits',
  },
  hvm_dpci_eoi: {
    mode: XEN,
    name: 'hvm_dpci_eoi',
    detail: (_, [domain, gsi]) => `dom${domain} GSI ${gsi}`,
    about: "the guest has ended its interrupt: the line falls, and the machine's interrupt may end",
    charged: timing.dpciEoi,
    nested: true,
  },
  hvm_dpci_msi_eoi: {
    mode: XEN,
    name: 'hvm_dpci_msi_eoi',
    detail: (host, args) => `${pirq(host, args)} vector ${hex(args[2]!)}`,
    about: 'the vector that the guest has ended is a passed-through message',
    charged: timing.dpciEoi,
    nested: true,
  },
};

export const XEN_HVM_HOPS: HopTable<XenNames> = { ...EXITS, ...WIRES, ...PASSED, ...TICKS };
