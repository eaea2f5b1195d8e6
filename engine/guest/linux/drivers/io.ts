/**
 * How a driver reaches its device: the instructions of the processor it runs on. Each may leave a guest for its
 * hypervisor, so drivers do the accesses that Linux does, one by one.
 */
import type { Width } from '../../../core/registers.ts';
import type { NativeCpu } from '../../../hw/x86/cpu.ts';
import type { LinuxCpu } from '../entry.ts';

export interface Io {
  in(port: number, width: Width): number;
  out(port: number, value: number, width: Width): void;
  load(address: number, width: Width): number;
  store(address: number, value: number, width: Width): void;
}

/** The processor under a CPU of a native kernel: only such kernels have these drivers. */
export function ioOf(cpu: LinuxCpu): Io {
  return cpu.vcpu as NativeCpu;
}
