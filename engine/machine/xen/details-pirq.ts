/** The physical interrupt behind a pirq, as Xen x86 has it. */
import { irqStatusNames } from '../../hv/xen/x86/irq-status.ts';
import type { Xen } from '../../hv/xen/x86/xen.ts';
import { cpuList, type Fact, type IrqDetails } from '../details.ts';
import { apicText, pinText } from '../details-x86.ts';
import { hex } from '../hops-linux.ts';

export function pirqDetails(xen: Xen, domain: number, pirq: number): IrqDetails | undefined {
  const irq = xen.irqOf(domain, pirq);
  const desc = irq > 0 ? xen.irqs.descs[irq] : undefined;
  if (!desc) return undefined;
  const { action, vector, cpu } = desc;
  const guests = action?.guests.map((g) => `dom${g.domain}:${g.pirq}`).join(', ') ?? '';
  const config: Fact[] = [
    ['irq of Xen', `${irq} ${desc.type}, vector ${hex(vector)} on CPU${cpu}`],
    ['aimed at', `CPU ${cpuList(desc.affinity)}`],
  ];
  if (action) config.push(['bound to', `${guests}, ACKTYPE_${action.ackType}`]);
  const waiting = action?.guests.filter((g) => g.masked).map((g) => `dom${g.domain}`) ?? [];
  const state: Fact[] = [
    ['status', irqStatusNames(desc.status).join(' ') || '0'],
    [
      'in flight',
      `${action?.inFlight ?? 0}${waiting.length > 0 ? `, EOI missing of ${waiting.join(', ')}` : ''}`,
    ],
    [`APIC of CPU${cpu}`, apicText(xen.lapics[cpu]!, vector)],
  ];
  if (irq >= xen.irqs.gsis) state.push(['message', desc.msiMasked ? 'masked' : 'not masked']);
  const entry: Fact =
    irq < xen.irqs.gsis
      ? [`IOAPIC GSI ${irq}`, pinText(xen.irqs.ioapics.peek(irq), xen.irqs.ioapics.peekHigh(irq))]
      : ['message', `vector ${hex(vector)} to CPU${cpu}`];
  const route: Fact[] = [entry, [`CPU${cpu}`, `do_IRQ, vector ${hex(vector)} is irq ${irq}`]];
  return { config, state, route };
}
