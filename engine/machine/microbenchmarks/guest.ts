/** Microbenchmarks in a guest: what they have in common, whatever it runs on. */
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import { computeOn } from '../loops.ts';
import type { Workshop } from '../machine.ts';
import { type MicrobenchmarkSpec, marked } from './program.ts';

/** What each system does in its own way: two instructions, and programs that are more than one. */
export interface Own<Cpu extends LinuxCpu> {
  hypercall(cpu: Cpu): void;
  /** reads a register of an emulated interrupt controller */
  trap(cpu: Cpu): void;
  completion(): void;
  'io-out'(): void;
  'io-in'(): void;
}

export function startInGuest<Cpu extends LinuxCpu>(
  shop: Workshop,
  kernel: LinuxKernel,
  spec: MicrobenchmarkSpec,
  own: Own<Cpu>,
): void {
  const { run, vcpu } = spec;
  const guest = (act: (cpu: Cpu) => void) => marked(shop, kernel, vcpu, spec, (on) => act(on as Cpu));
  switch (run) {
    case 'hypercall':
    case 'trap':
      guest(own[run]);
      return;
    case 'ipi':
      // both execute code of the guest
      computeOn(shop, kernel, `${run}.target`, vcpu + 1, () => 1);
      guest((cpu) => kernel.sendIpi('resched', vcpu + 1, cpu));
      return;
    case 'switch':
      // behind it the guest waits for an interrupt
      guest(() => {});
      return;
    default:
      own[run]();
  }
}
