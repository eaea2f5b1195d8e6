/**
 * Hops through KVM on x86: what each tracepoint of hv/kvm and of the board means, in the names of arch/x86/kvm
 * (x86.c, vmx/vmx.c, lapic.c, ioapic.c, irq_comm.c, virt/kvm/kvm_main.c).
 */
import type { TraceRecord } from '../../core/trace.ts';
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import type { KvmVcpu } from '../../hv/kvm/vcpu.ts';
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

const RAISES: Record<string, Row> = {
  kvm_set_irq: {
    mode: 'root',
    name: 'kvm_set_irq',
    detail: (names, args) => `${vm(names, args)} source ${args[3]}, gsi ${args[1]}, level ${args[2]}`,
    brief: (names, args) => `kvm_set_irq ${vm(names, args)} gsi ${args[1]} level ${args[2]}`,
    about: "the line of a device of QEMU's changes: every route of its GSI is driven",
    charged: timing.setIrq,
  },
  kvm_msi_set_irq: {
    mode: 'root',
    name: 'kvm_set_msi',
    detail: (names, args) => `${vm(names, args)} address ${hex(args[1]!, 8)}, data ${hex(args[2]!, 4)}`,
    brief: (names, args) => `kvm_set_msi ${vm(names, args)} vec ${bare(args[2]! & 0xff)}`,
    about: 'the message of a device of the guest: address and data name processor and vector',
    charged: timing.setIrq,
  },
  kvm_apic_accept_irq: {
    mode: ({ host }) => (host.kvm.options.posted ? 'device' : 'root'),
    name: '__apic_accept_irq',
    detail: vcpuVector,
    brief: (names, args) => `${vcpu(names, args)} vec ${bare(args[1]!)}`,
    about: 'the virtual local APIC takes the vector, to its IRR or posted to the descriptor',
    nested: true,
  },
  posted_interrupt: {
    mode: 'device',
    name: 'posted interrupt',
    detail: (names, args) => `${vcpuVector(names, args)}: PIR, ON, notification`,
    brief: (names, args) => `post ${vcpu(names, args)} vec ${bare(args[1]!)}`,
    about: 'the request is in the posted-interrupt descriptor, and its notification vector is sent',
    nested: true,
  },
  kvm_vcpu_wakeup: {
    mode: 'root',
    name: 'kvm_vcpu_wake_up',
    detail: (names, args) => `${vcpu(names, args)} from HLT`,
    brief: (names, args) => `wake ${vcpu(names, args)}`,
    about: 'the thread of the virtual CPU slept in kvm_vcpu_block: the scheduler finds it a processor',
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
  kvm_entry: {
    mode: 'entry',
    name: (names) => (names.modern ? 'vmx_vcpu_enter_exit' : 'vmx_vcpu_run'),
    detail: vcpu,
    brief: (names, args) => `vmentry ${vcpu(names, args)}`,
    about: 'VM entry: what stands in the entry interruption-information is delivered',
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
  virtual_interrupt_delivery: {
    mode: 'guest',
    name: 'virtual-interrupt delivery',
    detail: (_, [, vector]) => `RVI ${hex(vector!)} to SVI, no exit`,
    brief: (names, args) => `virtual delivery ${vcpu(names, args)} vec ${bare(args[1]!)}`,
    about: 'the processor itself takes the vector from the virtual IRR to the virtual ISR and the gate',
  },
  kvm_eoi: {
    mode: 'root',
    name: 'apic_set_eoi',
    detail: vcpuVector,
    brief: (names, args) => `EOI ${vcpu(names, args)} vec ${bare(args[1]!)}`,
    about: "the guest's EOI: the ISR bit goes, a level line is looked at again",
    charged: timing.emulateEoi,
    nested: true,
  },
};

/** A KVM host on x86. */
export const KVM_HOPS: HopTable<KvmNames> = { ...RAISES, ...RUN, ...LINUX_HOPS };

/** What waits for the destination of a journey: bits of the local APIC, descriptor, VMCS, the pins that lead there. */
export function kvmWaiting(names: KvmNames, records: readonly TraceRecord[]): string {
  const accepted = records.findLast((r) => r.point.name === 'kvm_apic_accept_irq')?.args;
  if (!accepted) return '';
  const [index, vector] = accepted as [number, number];
  const v = names.vcpu(index);
  const out = [`${names.vcpuName(index)} ${hex(vector)} ${bitsOf(v.apic, vector) || '-'}`];
  if (v.apicv?.posted) {
    const { requests, outstanding } = v.apicv.posted;
    out.push(`PIR ${Number(requests.has(vector))} ON ${Number(outstanding)}`);
  }
  const pin = v.vm.chip.ioapic.low.findIndex((low) => Rte.vector.get(low) === vector && !Rte.masked.has(low));
  if (pin >= 0) {
    const low = v.vm.chip.ioapic.low[pin]!;
    const line = (v.vm.chip.ioapic.irr & (1 << pin)) !== 0 ? 'up' : 'down';
    out.push(`pin ${pin} ${line}${Rte.remoteIrr.has(low) ? ' remote IRR' : ''}`);
  }
  const { entryInfo } = v.vmcs;
  const window = v.vmx.interruptWindow ? ' window' : '';
  out.push(`entry-info ${entryInfo >>> 31 ? hex(entryInfo, 8) : '-'}${window}`);
  return out.join(', ');
}

function bitsOf({ irr, isr }: LocalApic, vector: number): string {
  return [irr.has(vector) && 'IRR', isr.has(vector) && 'ISR'].filter((bit) => bit).join(' ');
}
