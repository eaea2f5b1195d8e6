/** Microbenchmarks in a guest on VMX, whose kernel knows Xen. */
import { RESCHEDULE_VECTOR } from '../../guest/linux/native.ts';
import type { NativeLinuxCpu } from '../../guest/linux/native-entry.ts';
import type { XenHvmKernel } from '../../guest/linux/xen-hvm.ts';
import type { HvmCpu } from '../../hv/xen/x86/hvm-cpu.ts';
import type { XenHost } from '../xen/host.ts';
import { startInGuest } from './guest.ts';
import { type MicrobenchmarkSpec, marked } from './program.ts';
import { startIoIn, startIoOut } from './xen.ts';

/** the local APIC's ID, in x2APIC mode */
const MSR_APIC_ID = 0x802;

export function startXenX86(
  { shop, dom0, domains }: XenHost,
  domain: number,
  spec: MicrobenchmarkSpec,
): void {
  const kernel = domains[domain]!.kernel as XenHvmKernel;
  const { vcpu } = spec;
  const ends = { shop, dom0: dom0.kernel, guest: kernel, domain };
  startInGuest<NativeLinuxCpu>(shop, kernel, spec, {
    hypercall: ({ hardware }) => (hardware as HvmCpu).vmcall(),
    trap({ hardware }) {
      (hardware as HvmCpu).rdmsr(MSR_APIC_ID);
    },
    completion() {
      // events are not ended at the local APIC, an IPI of its own is
      const source = shop.books.sourceOf(`${kernel.id} bench`);
      marked(shop, kernel, vcpu, spec, (on) => {
        shop.books.begin(source);
        kernel.sendVector(RESCHEDULE_VECTOR, vcpu, on as NativeLinuxCpu);
      });
    },
    'io-out': () => startIoOut(ends, spec),
    'io-in': () => startIoIn(ends, spec),
  });
}
