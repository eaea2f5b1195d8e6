/** Where a physical CPU is, in the heading of its interrupt controller. */
import type { CpuSnapshot } from '../../engine/index.ts';
import { sanitize } from '../format.ts';

/** `in Xen, dom1.0`, `host, CPU 0/KVM`, `guest, vm1.0`, `idle` */
export function cpuPlace({ mode, running, task }: CpuSnapshot, ascii: boolean): string {
  const who = running === 'host' ? task : running;
  return sanitize(`${mode === 'xen' ? 'in Xen' : mode}${who ? `, ${who}` : ''}`, ascii);
}
