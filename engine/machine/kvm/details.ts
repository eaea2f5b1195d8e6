/** One interrupt of the host or of a virtual machine in full. */
import type { KvmVcpu } from '../../hv/kvm/vcpu.ts';
import type { Fact, IrqDetails } from '../details.ts';
import { apicText, nativeDetails } from '../details-x86.ts';
import { hex } from '../hops-linux.ts';
import type { KvmHost } from './host.ts';

/** @param placeOf where a virtual CPU is, in words */
export function kvmDetails(
  { kernel, board, vms }: KvmHost,
  domain: number,
  irq: number,
  placeOf: (v: KvmVcpu) => string,
): IrqDetails | undefined {
  if (domain === 0) {
    const desc = kernel.irqs.descs[irq];
    const { ioapic, lapics } = board;
    const delivery = (cpu: number, vector: number): Fact[] => {
      const { guest } = board.processors[cpu]!;
      const found = guest ? 'a guest runs: VM exit EXTERNAL_INTERRUPT first' : 'in root mode';
      return [
        [`local APIC of CPU${cpu}`, apicText(lapics[cpu]!, vector)],
        [`CPU${cpu}`, found],
      ];
    };
    return desc && nativeDetails(kernel, desc, { ioapic, lapics, delivery });
  }
  const parts = vms[domain - 1];
  const desc = parts?.kernel.irqs.descs[irq];
  if (!desc) return undefined;
  const { vm } = parts;
  return nativeDetails(parts.kernel, desc, {
    ioapic: vm.chip.ioapic,
    lapics: vm.bus.apics,
    msix: (device) => parts.tables.get(device)?.msix,
    delivery(cpu, vector) {
      const v = vm.vcpus[cpu]!;
      const { entryInfo } = v.vmcs;
      const pending = entryInfo >>> 31 ? `, entry-info ${hex(entryInfo, 8)} now` : '';
      return [
        [`local APIC of ${vm.name}.${cpu}`, apicText(v.apic, vector)],
        [`${vm.name}.${cpu}`, placeOf(v)],
        ['delivery', `${wayIn(v)}${pending}`],
      ];
    },
  });
}

/** How a vector gets into the guest. */
function wayIn(v: KvmVcpu): string {
  if (v.blocking) return 'wakes its thread, injected at VM entry';
  if (v.apicv) {
    return v.kvm.options.posted
      ? 'posted: PIR, ON and the notification vector, no exit'
      : 'virtual-interrupt delivery: RVI at VM entry';
  }
  if (v.on.guest === v && !v.exited) {
    return `kicked by vector 0xfd on CPU${v.on.processor}, then ${window(v)}`;
  }
  return `at its next VM entry: ${window(v)}`;
}

function window(v: KvmVcpu): string {
  return v.vmx.interruptFlag ? 'injected' : 'interrupt window: RFLAGS.IF is 0';
}
