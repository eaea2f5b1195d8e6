/**
 * Xen's debug key `i`: physical interrupts and whose they are, then the pins of the IOAPICs. After dump_irqs
 * (xen/arch/x86/irq.c) and dump_ioapic_irq_info (io_apic.c): by interrupt on 4.17, by vector on 3.4.
 */
import { consoleText, hex, number, ranges } from '../../debug-keys/printk.ts';
import type { EvtchnDomain } from '../../evtchn-domain.ts';
import type { XenProfile } from '../../softirq.ts';
import { APIC_VECTORS } from '../apic-vectors.ts';
import type { PhysicalIrqs } from '../do-irq.ts';
import type { IrqDesc, Pirq } from '../irq-desc.ts';
import { irqStatusWord } from '../irq-status.ts';
import { pinLines34, pinLines417 } from './io-apic.ts';

export interface DumpedIrqs {
  readonly profile: XenProfile;
  readonly irqs: PhysicalIrqs;
  /** event channels of a domain */
  channels(domain: number): EvtchnDomain;
}

export function debugKeyI(host: DumpedIrqs): string {
  return consoleText(host.profile === '3.4' ? lines34(host) : lines417(host));
}

function descsOf({ irqs }: DumpedIrqs): IrqDesc[] {
  return irqs.descs.filter((desc) => desc !== undefined);
}

// 4.17

/** Where Xen's own actions are, as %ps names functions of one file. */
const SYMBOLS: { readonly [name: string]: string } = {
  ns16550_interrupt: 'drivers/char/ns16550.c#ns16550_interrupt',
  timer_interrupt: 'arch/x86/time.c#timer_interrupt',
};

function lines417(host: DumpedIrqs): string[] {
  return [
    'IRQ information:',
    ...descsOf(host).map((desc) => descLine(desc, host)),
    'Direct vector information:',
    ...APIC_VECTORS['4.17'].map(([vector, handler]) => `   0x${hex(vector)} -> ${handler}()`),
    ...pinLines417(host.irqs),
  ];
}

function descLine(desc: IrqDesc, host: DumpedIrqs): string {
  const { irq, vector, type, status, affinity, cpu0Only } = desc;
  const valid = cpu0Only ? '0' : ranges(Array.from({ length: host.irqs.ioapics.cpus }, (_, cpu) => cpu));
  return (
    `   IRQ:${number(irq, 4)} vec:${hex(vector)} ${type.padEnd(15)} ` +
    `status=${hex(irqStatusWord('4.17', status), 3)} aff:{${ranges(affinity)}}/{${valid}} ${whose(desc, host)}`
  );
}

function whose({ action, own }: IrqDesc, host: DumpedIrqs): string {
  if (own !== null) return `${SYMBOLS[own] ?? own}()`;
  if (!action) return 'mapped, unbound';
  const guests = action.guests.map((pirq) => guest417(pirq, host));
  return `in-flight=${action.inFlight} ${guests.join(',')}`;
}

/** Is the event channel pending and masked, and is the guest to say EOI? */
function guest417(pirq: Pirq, host: DumpedIrqs): string {
  const channels = host.channels(pirq.domain);
  const chn = channels.ports[channels.pirqToEvtchn[pirq.pirq] ?? 0]!;
  const flags =
    flag('P', channels.isPending(chn)) + flag('M', channels.isMasked(chn)) + flag('M', pirq.masked);
  return `d${pirq.domain}:${number(pirq.pirq, 3)}(${flags})`;
}

function flag(letter: string, on: boolean): string {
  return on ? letter : '-';
}

// 3.4

/** Both kinds of messages have one controller. */
const MESSAGE = 'PCI-MSI';
/** AUTO_ASSIGN_IRQ: a message's vector has no interrupt number */
const NO_NUMBER = -1;

function lines34(host: DumpedIrqs): string[] {
  const { gsis } = host.irqs;
  const byVector = descsOf(host).sort((a, b) => a.vector - b.vector);
  return [
    'Guest interrupt information:',
    ...byVector.map((desc) => {
      const irq = desc.irq < gsis ? desc.irq : NO_NUMBER;
      const type = desc.irq < gsis ? desc.type : MESSAGE;
      const status = hex(irqStatusWord('3.4', desc.status), 8);
      return (
        `   Vec${number(desc.vector, 3)} IRQ${number(irq, 3)}: type=${type.padEnd(15)} status=${status} ` +
        guests34(desc, host)
      );
    }),
    ...pinLines34(host.irqs),
  ];
}

function guests34({ action }: IrqDesc, host: DumpedIrqs): string {
  if (!action) return 'mapped, unbound';
  const guests = action.guests.map((pirq) => guest34(pirq, host));
  return `in-flight=${action.inFlight} domain-list=${guests.join('')}`;
}

/** The bits of the port that the domain shares with Xen, the selector's for its word, and the pirq's own. */
function guest34({ domain, pirq, masked }: Pirq, host: DumpedIrqs): string {
  const { shared, pirqToEvtchn, vcpus } = host.channels(domain);
  const port = pirqToEvtchn[pirq] ?? 0;
  const word = Math.floor(port / shared.wordBits);
  const flags = [
    flag('P', shared.evtchnPending.has(port)),
    flag('S', vcpus[0]!.info.pendingSel.has(word)),
    flag('M', shared.evtchnMask.has(port)),
    flag('M', masked),
  ];
  return `${domain}:${number(pirq, 3)}(${flags.join('')}),`;
}
