/**
 * The first CPU starts the others, one after the other, by INIT, SIPI and SIPI again through its local APIC
 * (wakeup_secondary_cpu_via_init of arch/x86/kernel/smpboot.c). A kernel's boot takes no time here, so that neither do the
 * loops in which it waits between the commands: 10 ms and 0.5 ms in 2.6.36, some microseconds since 4.4.
 */
import { Icr, Mode } from '../../hw/x86/apic-regs.ts';
import type { NativeKernel } from './native.ts';

/** page of the real-mode code that a CPU begins at */
const TRAMPOLINE_PAGE = 0x99;

const INIT = (Mode.INIT << 8) | Icr.level.mask;
const SIPI = (Mode.SIPI << 8) | TRAMPOLINE_PAGE;

/** smp_init: each of the other CPUs comes up and sets its local APIC. */
export function startOthers(kernel: NativeKernel): void {
  const [first, ...others] = kernel.cpus;
  for (const cpu of others) {
    for (const command of [INIT | Icr.assert.mask, INIT, SIPI, SIPI]) {
      kernel.writeIcr(command, kernel.apicId(cpu.cpu), first!);
    }
    kernel.startCpu(cpu);
  }
}
