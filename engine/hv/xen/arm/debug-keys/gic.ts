/** What the debug key `q` tells of a virtual CPU on ARM: gic_dump_info (xen/arch/arm/gic.c), gic_dump_vgic_info (gic-vgic.c). */
import type { GicCpu, GicHw } from '../gic-hw.ts';
import type { VgicVcpu } from '../vgic-domain.ts';
import { savedLr } from '../vgic-inspect.ts';

/**
 * arch_dump_vcpu_info.
 * @param hw the machine's virtual interface
 * @param here the CPU that prints. Of the virtual CPU it runs, if it runs one, the registers are the machine's; all others'
 *   are as they were saved last, and so is, of each, the mask.
 */
export function archDumpVcpuInfo(v: VgicVcpu, hw: GicHw, here: GicCpu | null): string[] {
  const live = here !== null && here.current === v;
  const lines = [`GICH_LRs (vcpu ${v.id}) mask=${v.lrMask.toString(16)}`];
  for (let lr = 0; lr < hw.nrLrs; lr++) {
    const [high, low] = live ? here.hw.peekLr(lr) : savedLr(v, lr);
    lines.push(`   ${live ? 'HW_LR' : 'VCPU_LR'}[${lr}]=${hexOf(high, low)}`);
  }
  for (const { irq, lr } of v.inflight()) lines.push(`Inflight irq=${irq} lr=${lr}`);
  for (const { irq } of v.lrPending()) lines.push(`Pending irq=${irq}`);
  return lines;
}

/** %x, %lx */
function hexOf(high: number, low: number): string {
  return high === 0 ? low.toString(16) : high.toString(16) + low.toString(16).padStart(8, '0');
}
