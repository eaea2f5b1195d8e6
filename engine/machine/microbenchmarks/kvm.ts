/** Microbenchmarks in a virtual machine of KVM. */
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { NativeLinuxCpu } from '../../guest/linux/native-entry.ts';
import type { KvmCpu } from '../../hv/kvm/instructions.ts';
import type { KvmHost } from '../kvm/host.ts';
import { ownMessage } from '../kvm/own-devices.ts';
import type { VmParts } from '../kvm/vm.ts';
import { QUIET } from '../loops.ts';
import { startInGuest } from './guest.ts';
import { type MicrobenchmarkSpec, marked } from './program.ts';

const IOAPIC = 0xfec0_0000;

export function startKvm(host: KvmHost, vm: VmParts, spec: MicrobenchmarkSpec): void {
  const { shop } = host;
  const { kernel } = vm;
  const { vcpu } = spec;
  startInGuest(shop, kernel, spec, {
    hypercall: (cpu) => kvmCpu(cpu).vmcall(),
    trap(cpu) {
      kvmCpu(cpu).load(IOAPIC);
    },
    completion: () => marked(shop, kernel, vcpu, spec, (cpu) => kernel.sendIpi('resched', vcpu, cpu)),
    'io-out'() {
      const [doorbell] = vm.vm.ioeventfds.keys();
      marked(shop, kernel, vcpu, spec, (cpu) => kvmCpu(cpu).store(doorbell!, 0, 2));
    },
    'io-in'() {
      const cpu = host.kernel.cpuCount > 1 ? 1 : 0;
      marked(shop, host.kernel, cpu, spec, ownMessage(host, vm, 'bench', vcpu, QUIET));
    },
  });
}

function kvmCpu(cpu: LinuxCpu): KvmCpu {
  return (cpu as NativeLinuxCpu).hardware as KvmCpu;
}
