/**
 * Xen's debug key `d`: registers of each CPU, of Xen if an interrupt finds it there, and of the guest (dump_registers and
 * dump_execstate of xen/common/keyhandler.c). The CPU that has the key is the first, the others follow one by one.
 */
import type { Pcpu } from '../../../pcpu.ts';
import { consoleText } from '../../debug-keys/printk.ts';
import type { ArmVcpu } from '../arm-vcpu.ts';
import { showGuest, showXen, type XenPlace } from '../registers.ts';
import type { XenArm } from '../xen.ts';

const IDLE: XenPlace = { at: 'idle_loop', from: 'idle_loop' };
/** interrupts are let in where it runs for long */
const BUSY: XenPlace = { at: '__do_softirq', from: 'do_softirq' };

export function debugKeyD(xen: XenArm): string {
  const { here } = xen.wiring;
  const others = xen.cpus.filter((cpu) => cpu !== here);
  const cpus = here ? [here, ...others] : others;
  return consoleText(["'d' pressed -> dumping registers", '', ...cpus.flatMap((cpu) => execstate(xen, cpu))]);
}

/** dump_execstate. Who has the key was in its guest, or idle. */
function execstate({ traps, wiring }: XenArm, cpu: Pcpu): string[] {
  const v = cpu.current as ArmVcpu | null;
  const lines: string[] = [];
  if (v === null || (cpu.inXen && cpu !== wiring.here)) {
    lines.push(`*** Dumping CPU${cpu.cpu} host state: ***`, ...showXen(traps, cpu, v ? BUSY : IDLE));
  }
  if (v) {
    const name = `d${v.domain}v${v.vcpu}`;
    lines.push(`*** Dumping CPU${cpu.cpu} guest state (${name}): ***`, ...showGuest(traps, cpu, v), '');
  }
  return lines;
}
