/** Microbenchmarks in a guest on VMX, whose kernel knows Xen. */
import { RESCHEDULE_VECTOR } from '../../guest/linux/native.ts';
import type { NativeLinuxCpu } from '../../guest/linux/native-entry.ts';
import type { XenHvmKernel } from '../../guest/linux/xen-hvm.ts';
import type { HvmCpu } from '../../hv/xen/x86/hvm-cpu.ts';
import { computeOn } from '../loops.ts';
import type { XenHost } from '../xen/host.ts';
import { Marks, type MicrobenchmarkSpec, program } from './program.ts';
import { startIoIn, startIoOut } from './xen.ts';

/** the local APIC's ID, in x2APIC mode */
const MSR_APIC_ID = 0x802;

export function startXenX86(host: XenHost, domain: number, spec: MicrobenchmarkSpec): void {
  const kernel = host.domains[domain]!.kernel as XenHvmKernel;
  const { run, vcpu } = spec;
  const ends = { shop: host.shop, dom0: host.dom0.kernel, guest: kernel, domain };
  const marks = new Marks(host.shop, run);
  const guest = (act: (cpu: NativeLinuxCpu, hardware: HvmCpu) => void) =>
    program(host.shop, kernel, vcpu, spec, (on) => {
      marks.begins(on);
      const cpu = on as NativeLinuxCpu;
      act(cpu, cpu.hardware as HvmCpu);
      return false;
    });
  switch (run) {
    case 'hypercall':
      guest((_, hardware) => hardware.vmcall());
      return;
    case 'trap':
      guest((_, hardware) => {
        hardware.rdmsr(MSR_APIC_ID);
      });
      return;
    case 'ipi':
      // both execute code of the guest
      computeOn(host.shop, kernel, `${run}.target`, vcpu + 1, () => 1);
      guest((cpu) => kernel.sendIpi('resched', vcpu + 1, cpu));
      return;
    case 'completion': {
      // events are not ended at the local APIC, an IPI of its own is
      const source = host.shop.books.sourceOf(`${kernel.id} bench`);
      guest((cpu) => {
        host.shop.books.begin(source);
        kernel.sendVector(RESCHEDULE_VECTOR, vcpu, cpu);
      });
      return;
    }
    case 'switch':
      // behind it the guest halts
      guest(() => {});
      return;
    case 'io-out':
      startIoOut(ends, spec);
      return;
    case 'io-in':
      startIoIn(ends, spec);
  }
}
