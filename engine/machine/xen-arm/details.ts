/** One interrupt of a domain on ARM in full: the virtual GIC, and the physical interrupt behind it. */
import type { IrqDesc } from '../../guest/linux/irq-core.ts';
import type { XenArm } from '../../hv/xen/arm/xen.ts';
import { PRIVATE } from '../../hw/arm/gic-regs.ts';
import { type Fact, handlerRoute, type IrqDetails, kernelConfig, kernelState } from '../details.ts';
import type { ArmDomainParts } from './host.ts';

export function gicDetails(xen: XenArm, { kernel, domain, arm }: ArmDomainParts, desc: IrqDesc): IrqDetails {
  const intid = desc.hwirq!;
  const config = kernelConfig(kernel, desc);
  const state = kernelState(desc);
  const route: Fact[] = [];
  const own = intid < PRIVATE;
  config.push(['INTID', `${intid} ${own ? 'PPI, each CPU its own' : 'SPI'}`]);
  const hw = own
    ? undefined
    : xen.irqs.descs.find((d) => d.guest?.domain.domain === domain.id && d.guest.virq === intid);
  if (hw) {
    config.push(['irq of Xen', `${hw.irq} routed to CPU${hw.target}`]);
    route.push(
      ['distributor', `INTID ${hw.irq} to CPU${hw.target}`],
      ['Xen', `do_IRQ ${hw.irq}, then vgic_inject_irq ${intid}; HW: the guest's EOI deactivates it`],
    );
  } else route.push(['Xen', `vgic_inject_irq ${intid}: no physical interrupt behind it`]);
  for (const v of own ? arm.vcpus : arm.vcpus.slice(0, 1)) {
    const where = xen.whereabouts(arm, v.vcpu, intid);
    const { priority } = arm.vgic.pendingOf(arm.vgic.vcpus[v.vcpu]!, intid);
    const whose = own ? ` of vCPU ${v.vcpu}` : '';
    state.push([`virtual GIC${whose}`, where === '' ? 'not in flight' : `${where}, priority ${priority}`]);
  }
  const [v] = arm.vcpus;
  route.push(
    [
      'list register',
      `${xen.inspectVcpu(arm.vcpus[0]!).lrs.length} there are; one that is full keeps it queued in Xen`,
    ],
    [own ? 'its vCPU' : v!.name, 'virtual IRQ, gic_handle_irq reads IAR without leaving the guest'],
    ...handlerRoute(kernel, desc),
  );
  return { config, state, route };
}
