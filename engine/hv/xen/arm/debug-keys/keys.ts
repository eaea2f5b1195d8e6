/** The debug keys of Xen on ARM that its state can be read by: two that every Xen has, and `q` with its virtual GIC. */
import { type DumpedDomain, debugKeyQ } from '../../debug-keys/domains.ts';
import { debugKeyE } from '../../debug-keys/evtchn.ts';
import { debugKeyR } from '../../debug-keys/runq.ts';
import type { Domain } from '../../domain.ts';
import type { ArmVcpu } from '../arm-vcpu.ts';
import { type ArmIrqDesc, V2M } from '../irq.ts';
import type { XenArm } from '../xen.ts';
import { archDumpVcpuInfo } from './gic.ts';
import { debugKeyD } from './registers.ts';

export const ARM_DEBUG_KEYS: readonly string[] = ['d', 'e', 'q', 'r'];

/** SPSR_EL2: PSTATE.I of the guest */
const PSR_IRQ_MASK = 0x80;

/** The text as it comes on Xen's console; undefined: there is no such key. @param domains by id */
export function armDebugKey(xen: XenArm, key: string, domains: readonly Domain[]): string | undefined {
  const { profile, now, cpus } = xen;
  switch (key) {
    case 'd':
      return debugKeyD(xen);
    case 'e':
      return debugKeyE(
        xen.channels,
        domains.map((d) => d.id),
      );
    case 'q':
      return debugKeyQ({
        dirtyMasks: false,
        profile,
        now,
        cpus,
        domains: domains.map((d) => dumped(xen, d)),
      });
    case 'r':
      return debugKeyR(xen.sched);
    default:
      return undefined;
  }
}

function isPermitted({ guest, action }: ArmIrqDesc, domain: number): boolean {
  return guest?.domain.domain === domain && action !== V2M;
}

/** Who prints is the CPU whose Xen runs the key's handler; who only looks is none. */
function dumped(xen: XenArm, domain: Domain): DumpedDomain {
  const { hw } = xen.gicCpus[0]!;
  const here = xen.wiring.here ? xen.here : null;
  return {
    domain,
    channels: xen.channels.domain(domain.id),
    irqs: xen.irqs.descs.filter((d) => isPermitted(d, domain.id)).map((d) => d.irq),
    deviceModels: 0,
    takesEvents: (v) => ((v as ArmVcpu).regs.cpsr & PSR_IRQ_MASK) === 0,
    archDomain: [],
    archVcpu: (v) => archDumpVcpuInfo((v as ArmVcpu).vgic, hw, here),
    rangesets: [],
  };
}
