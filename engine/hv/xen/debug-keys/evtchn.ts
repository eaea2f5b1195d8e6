/** Xen's debug key `e`: the event channels of all domains as text. After domain_dump_evtchn_info. */
import { ECS_INTERDOMAIN, ECS_PIRQ, ECS_UNBOUND, ECS_VIRQ } from '../../../abi/xen.ts';
import type { EventChannels } from '../evtchn.ts';
import type { EvtchnProfile } from '../evtchn-profile.ts';
import type { ChannelInfo } from '../evtchn-types.ts';
import { bit, bitmap, consoleText, number, ranges } from './printk.ts';

/** How a version of Xen words it. */
interface Wording {
  heading(dom: number, polling: readonly number[]): string[];
  channel(c: ChannelInfo): string;
}

const WORDING: { readonly [profile in EvtchnProfile]: Wording } = {
  '4.17': {
    heading: (dom, polling) => [
      `Event channel information for domain ${dom}:`,
      `Polling vCPUs: {${ranges(polling)}}`,
      '    port [p/m/s]',
    ],
    channel: (c) => {
      const bits = `[${bit(c.pending)}/${bit(c.masked)}/${c.link}]`;
      const irq = c.state === ECS_PIRQ ? ` i=${c.irq}` : '';
      return `    ${number(c.port, 4)} ${bits}: s=${c.state} n=${c.vcpu} x=${c.xenConsumer}${peer(c)}${irq}`;
    },
  },
  '3.4': {
    heading: (dom, polling) => [
      `Domain ${dom} polling vCPUs: ${bitmap(polling, 32)}`,
      `Event channel information for domain ${dom}:`,
    ],
    channel: (c) => {
      const bits = `[${bit(c.pending)}/${bit(c.masked)}]`;
      return `    ${number(c.port, 4)}${bits}: s=${c.state} n=${c.vcpu}${peer(c)} x=${c.xenConsumer}`;
    },
  },
};

/** The text as it comes on Xen's console. @param domains ids, in the order they were made */
export function debugKeyE(evtchn: EventChannels, domains: readonly number[]): string {
  const { heading, channel } = WORDING[evtchn.rules.profile];
  const lines = ["'e' pressed -> dumping event-channel info"];
  for (const dom of domains) {
    lines.push(...heading(dom, evtchn.polling(dom)), ...evtchn.channels(dom).map(channel));
  }
  return consoleText(lines);
}

/** What the port is bound to. */
function peer(c: ChannelInfo): string {
  switch (c.state) {
    case ECS_UNBOUND:
      return ` d=${c.remoteDom}`;
    case ECS_INTERDOMAIN:
      return ` d=${c.remoteDom} p=${c.remotePort}`;
    case ECS_PIRQ:
      return ` p=${c.pirq}`;
    case ECS_VIRQ:
      return ` v=${c.virq}`;
    default:
      return '';
  }
}
