/** What a Linux kernel tells of itself beside its interrupts: softirqs, its line of /proc/stat, its log. */
import type { Ns } from '../core/clock.ts';
import type { IrqDesc } from '../guest/linux/irq-core.ts';
import type { LinuxKernel } from '../guest/linux/kernel.ts';
import { statOf } from '../proc/stat-of.ts';
import type { Interrupts } from '../proc/types.ts';
import type { DomainSnapshot, IrqState, VcpuSnapshot } from './inspect.ts';
import { latencySnapshot } from './latency.ts';

export function linuxSnapshot(
  kernel: LinuxKernel,
  interrupts: Interrupts,
  vcpus: readonly VcpuSnapshot[],
  now: Ns,
): Pick<DomainSnapshot, 'softirqs' | 'stat' | 'messages' | 'latency'> {
  const softirqs = kernel.softirqsFile();
  return {
    softirqs,
    stat: {
      ...statOf({ interrupts, softirqs, vcpus, nrIrqs: kernel.irqs.nrIrqs }, now),
      ctxt: kernel.switches,
      processes: kernel.threads.length,
      procsRunning: kernel.threads.filter((t) => t.ready).length,
    },
    messages: kernel.log,
    latency: latencySnapshot(kernel.latency, (irq) => kernel.rowOf(irq)),
  };
}

/** What somebody has told the kernel of a row, for good. */
export function lasting({ depth, affinity }: IrqDesc): Pick<IrqState, 'disabled' | 'affinity'> {
  return { ...(depth > 0 && { disabled: true as const }), ...(affinity && { affinity: [...affinity] }) };
}
