/** Microbenchmarks in a virtual machine of KVM. */
import type { Work } from '../../guest/linux/irq-core.ts';
import type { NativeLinuxCpu } from '../../guest/linux/native-entry.ts';
import type { KvmCpu } from '../../hv/kvm/instructions.ts';
import { timing } from '../../timing.ts';
import type { KvmHost } from '../kvm/host.ts';
import { ownMessage } from '../kvm/own-devices.ts';
import type { VmParts } from '../kvm/vm.ts';
import { computeOn } from '../loops.ts';
import { Marks, type MicrobenchmarkSpec, program } from './program.ts';

const IOAPIC = 0xfec0_0000;
const QUIET: Work = { cost: () => timing.shortHandler, run: () => {} };

export function startKvm(host: KvmHost, vm: VmParts, spec: MicrobenchmarkSpec): void {
  const { kernel } = vm;
  const { run, vcpu } = spec;
  const marks = new Marks(host.shop, run);
  const guest = (act: (cpu: NativeLinuxCpu, hardware: KvmCpu) => void) =>
    program(host.shop, kernel, vcpu, spec, (on) => {
      marks.begins(on);
      const cpu = on as NativeLinuxCpu;
      act(cpu, cpu.hardware as KvmCpu);
      return false;
    });
  switch (run) {
    case 'hypercall':
      guest((_, hardware) => hardware.vmcall());
      return;
    case 'trap':
      guest((_, hardware) => {
        hardware.load(IOAPIC);
      });
      return;
    case 'ipi':
      // both execute code of the guest
      computeOn(host.shop, kernel, `${run}.target`, vcpu + 1, () => 1);
      guest((cpu) => kernel.sendIpi('resched', vcpu + 1, cpu));
      return;
    case 'completion':
      guest((cpu) => kernel.sendIpi('resched', vcpu, cpu));
      return;
    case 'switch':
      // behind it the guest halts
      guest(() => {});
      return;
    case 'io-out': {
      const [doorbell] = vm.vm.ioeventfds.keys();
      guest((_, hardware) => hardware.store(doorbell!, 0, 2));
      return;
    }
    case 'io-in': {
      const signal = ownMessage(host, vm, 'bench', vcpu, QUIET);
      program(host.shop, host.kernel, host.kernel.cpuCount > 1 ? 1 : 0, spec, (on) => {
        marks.begins(on);
        signal();
        return false;
      });
    }
  }
}
