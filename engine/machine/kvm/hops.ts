/**
 * Hops through KVM on x86: what each tracepoint of hv/kvm and of the board means, in the names of arch/x86/kvm
 * (x86.c, vmx/vmx.c, lapic.c, ioapic.c, irq_comm.c, virt/kvm/kvm_main.c).
 */
import { DELIVERY_MODES } from '../../abi/trace-dat.ts';
import type { TraceRecord } from '../../core/trace.ts';
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import type { KvmVcpu } from '../../hv/kvm/vcpu.ts';
import { Mode } from '../../hw/x86/apic-regs.ts';
import { Rte } from '../../hw/x86/ioapic-regs.ts';
import type { LocalApic } from '../../hw/x86/lapic.ts';
import { Exit, exitName } from '../../hw/x86/vmcs-fields.ts';
import { timing } from '../../timing.ts';
import type { EndGrade, HopRow, HopTable } from '../hops.ts';
import { hex, type Kernels, LINUX_HOPS } from '../hops-linux.ts';
import type { HopMode } from '../inspect.ts';
import type { KvmHost } from './host.ts';

/** What the rows of KVM look names up in. */
export class KvmNames implements Kernels {
  constructor(readonly host: KvmHost) {}

  kernelOf(domain: number): LinuxKernel | undefined {
    return domain === 0 ? this.host.kernel : this.host.vms[domain - 1]?.kernel;
  }

  domainName(domain: number): string {
    return domain === 0 ? 'host' : this.host.vms[domain - 1]!.name;
  }

  modeOf(domain: number): HopMode {
    return domain === 0 ? 'root' : 'guest';
  }

  /** The host's handler is the last only of what no guest waits for. */
  endOf(domain: number): EndGrade {
    return domain === 0 ? 1 : 2;
  }

  vcpu(index: number): KvmVcpu {
    return this.host.kvm.vcpus[index]!;
  }

  vcpuName(index: number): string {
    const { vm, vcpu } = this.vcpu(index);
    return `${vm.name}.${vcpu}`;
  }

  get modern(): boolean {
    return this.host.kvm.options.version === '6.1';
  }
}

type Row = HopRow<KvmNames>;
type Names = (names: KvmNames, args: readonly number[]) => string;

const bare = (n: number) => n.toString(16).padStart(2, '0');
const vcpu: Names = (names, [index]) => names.vcpuName(index!);
const vcpuVector: Names = (names, [index, vector]) => `${names.vcpuName(index!)} vector ${hex(vector!)}`;
const vm: Names = ({ host }, [index]) => host.vms[index!]!.name;

const PHYSICAL: Record<string, Row> = {
  irq_raise: {
    mode: 'device',
    name: 'raise',
    detail: ({ host }, [irq, source]) =>
      `${host.shop.books.sourceName(source!)}${irq! < 0 ? '' : `, irq ${irq} of the host`}`,
    brief: ({ host }, [, source]) => `${host.shop.books.sourceName(source!)} raises`,
    about: 'the device pulls its line or writes its message',
    charged: (_, [irq]) => (irq! < 0 ? null : timing.apicMessage),
  },
  apic_accept: {
    mode: 'device',
    name: 'apic accept',
    detail: (_, [, vector, cpu]) => `vector ${hex(vector!)} to CPU${cpu}`,
    brief: (_, [, vector, cpu]) => `vec ${bare(vector!)} -> CPU${cpu}`,
    about: "the message sets the vector's bit in the IRR of the CPU's local APIC",
  },
  main_loop_wait: {
    mode: 'root',
    name: 'QEMU main loop',
    detail: (names, args) => `${vm(names, args)}, its device model`,
    about: "QEMU's thread has been woken and runs the device, which will call into KVM",
  },
};

const kept = (args: readonly number[]) => (args[2] ? 'PBA 1' : 'dropped');

const RAISES: Record<string, Row> = {
  kvm_set_irq: {
    mode: 'root',
    name: 'kvm_set_irq',
    detail: (names, args) => `${vm(names, args)} source ${args[3]}, gsi ${args[1]}, level ${args[2]}`,
    brief: (names, args) => `kvm_set_irq ${vm(names, args)} gsi ${args[1]} level ${args[2]}`,
    about: "the line of a device of QEMU's changes: every route of its GSI is driven",
  },
  kvm_msi_set_irq: {
    mode: 'root',
    name: 'kvm_set_msi',
    detail: (names, args) => `${vm(names, args)} address ${hex(args[1]!, 8)}, data ${hex(args[2]!, 4)}`,
    brief: (names, args) => `kvm_set_msi ${vm(names, args)} vec ${bare(args[2]! & 0xff)}`,
    about: 'the message of a device: address and data name processor and vector',
  },
  msix_notify: {
    mode: 'root',
    name: 'msix_notify',
    detail: (names, args) => `${vm(names, args)} message ${args[1]} masked, ${kept(args)}`,
    brief: (names, args) => `msix_notify ${vm(names, args)} masked, ${kept(args)}`,
    about:
      'the entry of the MSI-X table is masked: the bit in the Pending Bit Array keeps it, or nothing does',
  },
  ioapic_set_irq: {
    mode: 'root',
    name: (names) => (names.modern ? 'ioapic_set_irq' : 'kvm_ioapic_set_irq'),
    detail: (_, [, pin, low, high]) => {
      if (Rte.masked.has(low!)) return `pin ${pin} masked`;
      const trigger = Rte.level.has(low!) ? 'level' : 'edge';
      const inService = Rte.remoteIrr.has(low!) ? ', remote IRR' : '';
      return `pin ${pin} vector ${hex(Rte.vector.get(low!))} ${trigger} to APIC ${high! >>> 24}${inService}`;
    },
    about: 'the route to the IOAPIC: ioapic_service sends what the redirection entry says',
    nested: true,
  },
  pic_set_irq1: {
    mode: 'root',
    name: 'kvm_pic_set_irq',
    detail: (_, [, pin, masked]) => `pin ${pin}${masked === 1 ? ' masked (IMR)' : ''}`,
    about: 'the route to the 8259s',
    nested: true,
  },
  kvm_ioapic_update_eoi: {
    mode: 'root',
    name: (names) => (names.modern ? 'kvm_ioapic_update_eoi_one' : '__kvm_ioapic_update_eoi'),
    detail: (_, [, vector]) => `vector ${hex(vector!)}`,
    about: 'remote IRR of the level pin goes; a line still up is sent again',
    nested: true,
  },
  kvm_apic_accept_irq: {
    mode: (_, __, cpu) => (cpu < 0 ? 'device' : 'root'),
    name: '__apic_accept_irq',
    detail: (names, args) => {
      const [, , mode, level] = args;
      const how = mode === Mode.FIXED ? '' : ` ${DELIVERY_MODES[mode!]}`;
      return `${vcpuVector(names, args)}${how}${level ? ' level' : ''}`;
    },
    brief: (names, args) => `${vcpu(names, args)} vec ${bare(args[1]!)}`,
    about: 'the virtual local APIC takes it: into IRR, or the descriptor if posted',
    nested: true,
  },
  self_ipi_virtualization: {
    mode: 'guest',
    name: 'self-IPI virtualization',
    detail: vcpuVector,
    about: 'the processor sets the bit in the virtual IRR by itself: no exit',
    nested: true,
  },
  posted_interrupt: {
    mode: (_, __, cpu) => (cpu < 0 ? 'device' : 'root'),
    name: (_, __, cpu) => (cpu < 0 ? 'VT-d posting' : 'vmx_deliver_posted_interrupt'),
    detail: (names, args) => `${vcpuVector(names, args)}: PIR${args[2] ? ', ON, notification' : ''}`,
    brief: (names, args) => `post ${vcpu(names, args)} vec ${bare(args[1]!)}`,
    about: 'PIR has the vector; if ON was clear it is set, and the notification is sent',
    nested: true,
  },
  kvm_vcpu_wake_up: {
    mode: 'root',
    name: 'kvm_vcpu_wake_up',
    detail: (names, args) => `${vcpu(names, args)} from HLT`,
    brief: (names, args) => `wake ${vcpu(names, args)}`,
    about: "the virtual CPU's thread slept in kvm_vcpu_block and gets a processor",
    nested: true,
  },
  kvm_vcpu_kick: {
    mode: 'root',
    name: 'kvm_vcpu_kick',
    detail: (names, args) => `${vcpu(names, args)}, reschedule vector 0xfd to CPU${args[1]}`,
    brief: (names, args) => `kick ${vcpu(names, args)} on CPU${args[1]}`,
    about: 'it is in guest mode elsewhere: an IPI makes it leave',
    nested: true,
  },
};

const RUN: Record<string, Row> = {
  kvm_exit: {
    mode: 'exit',
    name: 'vmexit',
    detail: ({ host }, [, reason, info]) => {
      const how = `info ${info ? hex(info, 8) : 'invalid'}, ack ${Number(host.kvm.options.ackOnExit)}`;
      return `${exitName(reason!)}${reason === Exit.EXTERNAL_INTERRUPT ? `, ${how}` : ''}`;
    },
    brief: (_, [, reason, info]) => `vmexit ${exitName(reason!)}${info ? ` info ${bare(info >>> 0)}` : ''}`,
    about: 'the processor leaves the guest: guest state to the VMCS, host state from it',
    charged: timing.vmExit,
  },
  handle_external_interrupt: {
    mode: 'root',
    name: (names, [, , acked]) => {
      if (acked === 0) return 'local_irq_enable';
      return names.modern ? 'handle_external_interrupt_irqoff' : 'vmx_handle_external_intr';
    },
    detail: (_, [, vector, acked]) =>
      acked === 0
        ? `vector ${hex(vector!)} still in IRR: through the host's IDT`
        : `gate ${hex(vector!)} of host_idt_base by hand`,
    about: 'the interrupt that made the guest leave goes to the handler of the host',
    charged: timing.hostGate,
  },
  vcpu_load: {
    mode: 'root',
    name: 'kvm_arch_vcpu_load',
    detail: (names, args) => `${vcpu(names, args)} on CPU${args[1]}`,
    about: "the virtual CPU's thread runs: its state is loaded, KVM_RUN goes on",
    charged: timing.vcpuLoad,
  },
  kvm_vcpu_wakeup: {
    mode: 'root',
    name: (names) => (names.modern ? 'kvm_vcpu_halt' : 'kvm_vcpu_block'),
    detail: (names, args) => `${vcpu(names, args)} ${args[2] ? 'slept' : 'polled'}, ${args[1]} ns in all`,
    brief: (names, args) => (args[2] ? '' : `${vcpu(names, args)} polled`),
    about: 'the HLT is over: something was found in the poll loop, or woke the thread',
    nested: true,
  },
  kvm_halt_poll_ns: {
    mode: 'root',
    name: (_, [, grow]) => (grow ? 'grow_halt_poll_ns' : 'shrink_halt_poll_ns'),
    detail: (names, args) => `${vcpu(names, args)} from ${args[3]} to ${args[2]} ns`,
    about: 'how long the next HLT polls: more after a short halt, less after a long one',
    nested: true,
  },
  posted_interrupt_processing: {
    mode: 'guest',
    name: 'posted-interrupt processing',
    detail: (_, [, vector]) => `PIR to virtual IRR, RVI ${hex(vector!)}`,
    about: 'the notification comes in guest mode: the descriptor is emptied, no exit',
  },
  kvm_entry: {
    mode: 'entry',
    name: (names) => (names.modern ? 'vmx_vcpu_enter_exit' : 'vmx_vcpu_run'),
    detail: vcpu,
    brief: (names, args) => `vmentry ${vcpu(names, args)}`,
    about: 'VM entry: what stands in the entry interruption-information is delivered',
  },
  ioeventfd_write: {
    mode: 'root',
    name: 'ioeventfd_write',
    detail: (names, [index, address]) => `${names.vcpuName(index!)} address ${hex(address!, 8)}`,
    brief: (names, args) => `ioeventfd ${vcpu(names, args)}`,
    about: 'a store that only signals an event, which QEMU or vhost waits for: no instruction is decoded',
    charged: timing.ioeventfd,
  },
  kvm_inj_virq: {
    mode: 'root',
    name: 'vmx_inject_irq',
    detail: (_, [, vector, again]) =>
      `entry-info ${hex(0x8000_0000 + vector!, 8)}${again ? ', once more' : ''}`,
    brief: (names, args) =>
      `inject ${vcpu(names, args)} vec ${bare(args[1]!)}${args[2] === 0 ? '' : ' again'}`,
    about: 'the vector goes from IRR to ISR and to the VM-entry interruption-information',
    charged: timing.injectEvent,
  },
  kvm_inj_nmi: {
    mode: 'root',
    name: 'vmx_inject_nmi',
    detail: () => 'entry-info 0x80000202',
    brief: (names, args) => `inject NMI ${vcpu(names, args)}`,
    about: 'an NMI goes to the VM-entry interruption-information',
    charged: timing.injectEvent,
  },
  vmx_refresh_apicv_exec_ctrl: {
    mode: 'root',
    name: 'vmx_refresh_apicv_exec_ctrl',
    detail: (names, [index, active, svi]) =>
      `${names.vcpuName(index!)} APICv ${active ? `on, SVI ${hex(svi!)}` : 'off'}`,
    about: 'APICv is inhibited in the machine now, or no more: the controls of the virtual CPU follow',
  },
  virtual_interrupt_delivery: {
    mode: 'guest',
    name: 'virtual-interrupt delivery',
    detail: (_, [, vector]) => `RVI ${hex(vector!)} to SVI, no exit`,
    brief: (names, args) => `virtual delivery ${vcpu(names, args)} vec ${bare(args[1]!)}`,
    about: 'the processor itself moves the vector from IRR to ISR and enters the gate',
  },
  kvm_eoi: {
    mode: 'root',
    name: 'apic_set_eoi',
    detail: vcpuVector,
    brief: (names, args) => `EOI ${vcpu(names, args)} vec ${bare(args[1]!)}`,
    about: "the guest's EOI: the ISR bit goes, a level line is looked at again",
    charged: (_, [, , pv]) => (pv ? null : timing.emulateApic),
    nested: true,
  },
  kvm_pv_eoi: {
    mode: 'root',
    name: 'apic_sync_pv_eoi_from_guest',
    detail: vcpuVector,
    brief: (names, args) => `PV EOI ${vcpu(names, args)} vec ${bare(args[1]!)}`,
    about: 'at an exit for another reason: the guest has cleared the bit of its PV EOI',
    charged: timing.pvEoi,
    nested: true,
  },
};

const GUEST: Record<string, Row> = {
  kvm_guest_apic_eoi_write: {
    mode: 'guest',
    name: 'kvm_guest_apic_eoi_write',
    detail: (_, [, , vector]) => `vector ${hex(vector!)}: bit of kvm_apic_eoi cleared, no exit`,
    about: 'PV EOI: the guest clears a bit in its memory, which KVM looks at later',
  },
};

/** A KVM host on x86. */
export const KVM_HOPS: HopTable<KvmNames> = { ...PHYSICAL, ...RAISES, ...RUN, ...GUEST, ...LINUX_HOPS };

/** A vector of a virtual processor is requested. */
function requestsVector({ point, args }: TraceRecord): boolean {
  if (point.name === 'kvm_apic_accept_irq') return args[2]! <= Mode.LOWEST;
  return point.name === 'posted_interrupt' || point.name === 'self_ipi_virtualization';
}

/** What waits for the destination of a journey: bits of the local APIC, descriptor, VMCS, the pins that lead there. */
export function kvmWaiting(names: KvmNames, records: readonly TraceRecord[]): string {
  const last = (name: string) => records.findLast((r) => r.point.name === name)?.args;
  const physical = last('apic_accept');
  const virtual = records.findLast(requestsVector)?.args;
  const out: string[] = [];
  if (physical) {
    const [, vector, cpu] = physical as [number, number, number];
    const bits = bitsOf(names.host.board.lapics[cpu]!, vector);
    if (bits !== '' || !virtual) out.push(`CPU${cpu} ${hex(vector)} ${bits || '-'}`);
  }
  if (virtual) out.push(virtualState(names, virtual[0]!, virtual[1]!));
  return out.join(', ');
}

function virtualState(names: KvmNames, index: number, vector: number): string {
  const v = names.vcpu(index);
  const out = [`${names.vcpuName(index)} ${hex(vector)} ${bitsOf(v.apic, vector) || '-'}`];
  if (v.apicv && names.host.kvm.options.posted) {
    const { requests, outstanding } = v.apicv.posted;
    out.push(`PIR ${Number(requests.has(vector))} ON ${Number(outstanding)}`);
  }
  const { ioapic } = v.vm.chip;
  const pin = ioapic.low.findIndex((low) => Rte.vector.get(low) === vector && !Rte.masked.has(low));
  if (pin >= 0) {
    const line = (ioapic.irr & (1 << pin)) !== 0 ? 'up' : 'down';
    out.push(`pin ${pin} ${line}${Rte.remoteIrr.has(ioapic.low[pin]!) ? ' rirr' : ''}`);
  }
  const { entryInfo } = v.vmcs;
  const window = v.vmx.interruptWindow ? ' window' : '';
  out.push(`entry-info ${entryInfo >>> 31 ? hex(entryInfo, 8) : '-'}${window}`);
  return out.join(', ');
}

function bitsOf({ irr, isr }: LocalApic, vector: number): string {
  return [irr.has(vector) && 'IRR', isr.has(vector) && 'ISR'].filter((bit) => bit).join(' ');
}
