/** An event channel to look at. */
import type { ChannelInfo } from '../../hv/xen/evtchn-types.ts';
import type { ChannelSnapshot } from '../inspect.ts';

export function channelSnapshot(c: ChannelInfo): ChannelSnapshot {
  return {
    port: c.port,
    kind: c.kind === 'reserved' ? 'unbound' : c.kind,
    vcpu: c.vcpu,
    pending: c.pending,
    masked: c.masked,
    peer: peer(c),
  };
}

function peer(c: ChannelInfo): string {
  switch (c.kind) {
    case 'interdomain':
      return `dom${c.remoteDom}:${c.remotePort}`;
    case 'unbound':
      return `waits for dom${c.remoteDom}`;
    case 'pirq':
      return `pirq ${c.pirq} (irq ${c.irq})`;
    case 'virq':
      return `virq ${c.virq}`;
    default:
      return '';
  }
}
