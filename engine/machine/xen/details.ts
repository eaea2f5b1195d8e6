/** One interrupt of a domain in full: its event channel, and what lies before it in Xen. */

import type { SharedInfo } from '../../abi/xen.ts';
import type { IrqDesc } from '../../guest/linux/irq-core.ts';
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import type { XenGuest } from '../../guest/linux/xen-side.ts';
import type { Vcpu } from '../../hv/vcpu.ts';
import type { EventChannels } from '../../hv/xen/evtchn.ts';
import type { ChannelInfo } from '../../hv/xen/evtchn-types.ts';
import {
  type Fact,
  handlerRoute,
  type IrqDetails,
  kernelConfig,
  kernelState,
  portState,
  unmaskMode,
  yesNo,
} from '../details.ts';

/** What an event channel's interrupt is looked up in. */
export interface ChannelHost {
  readonly kernel: XenGuest;
  readonly domain: number;
  readonly channels: EventChannels;
  readonly shared: SharedInfo;
  readonly vcpus: readonly Vcpu[];
  readonly jiffies: number;
  /** the kernel's entry: `xen_pv_evtchn_do_upcall`, a vector, a PPI */
  readonly upcall: string;
  /** the physical interrupt behind a pirq */
  pirq?(pirq: number): Pick<IrqDetails, 'config' | 'state' | 'route'> | undefined;
}

/** ECS_* with the other end. */
export function peerText(c: ChannelInfo): string {
  switch (c.kind) {
    case 'interdomain':
      return `ECS_INTERDOMAIN, dom${c.remoteDom} port ${c.remotePort}`;
    case 'unbound':
      return `ECS_UNBOUND, waits for dom${c.remoteDom}`;
    case 'pirq':
      return `ECS_PIRQ, pirq ${c.pirq}, irq ${c.irq} of Xen`;
    case 'virq':
      return `ECS_VIRQ, virq ${c.virq}`;
    case 'ipi':
      return 'ECS_IPI';
    default:
      return 'ECS_RESERVED';
  }
}

/** Who makes the port pending. */
function senderOf(c: ChannelInfo): Fact {
  switch (c.kind) {
    case 'interdomain':
      return [`dom${c.remoteDom}`, `EVTCHNOP_send on its port ${c.remotePort}`];
    case 'virq':
      return ['Xen', `virq ${c.virq}${c.virq === 0 ? ': timer of the virtual CPU' : ''}`];
    case 'ipi':
      return ['its kernel', `EVTCHNOP_send on port ${c.port}`];
    case 'pirq':
      return ['Xen', `send_guest_pirq, pirq ${c.pirq}`];
    default:
      return ['nobody', 'the channel has no other end'];
  }
}

export function channelDetails(host: ChannelHost, desc: IrqDesc): IrqDetails {
  const { kernel, channels, domain, shared, vcpus } = host;
  const found = desc.ports.flatMap((port) => channels.channel(domain, port) ?? []);
  const config = kernelConfig(kernel, desc);
  const state = kernelState(desc);
  const route: Fact[] = [];
  config.push(['event channels', `${channels.abiOf(domain)} ABI`], ['unmask', unmaskMode(kernel, desc)]);
  const [first] = found;
  if (first?.kind === 'pirq' && host.pirq) {
    const physical = host.pirq(first.pirq);
    config.push(...(physical?.config ?? []));
    state.push(...(physical?.state ?? []));
    route.push(...(physical?.route ?? []));
  }
  for (const c of found) {
    const on = found.length > 1 ? ` of vCPU ${c.vcpu}` : '';
    config.push([`port ${c.port}${on}`, `${peerText(c)}, notifies vCPU ${c.vcpu}`]);
    state.push([
      `port ${c.port}${on}`,
      `pending: ${yesNo(c.pending)}, masked: ${yesNo(c.masked)}, s column of dump e: ${c.link.trim()}`,
    ]);
  }
  const info = kernel.events.infos[desc.port];
  if (info && found.length === 1) state.push(...portState(kernel, info, host.jiffies));
  if (first) {
    route.push(senderOf(first));
    const { upcallPending, upcallMask } = shared.vcpus[first.vcpu]!;
    const v = vcpus[first.vcpu]!;
    const masked = first.masked ? 'masked: pending, and nobody is notified' : `notifies vCPU ${first.vcpu}`;
    route.push([`port ${first.port}`, masked]);
    route.push([v.name, `${stateOf(v)}, upcall pending ${upcallPending} mask ${upcallMask}`]);
    route.push(['upcall', host.upcall]);
  }
  route.push(...handlerRoute(kernel, desc));
  return { config, state, route };
}

function stateOf(v: Vcpu): string {
  const cpu = `CPU${v.cpu.cpu}`;
  switch (v.state) {
    case 'running':
      return `runs on ${cpu}`;
    case 'runnable':
      return `waits for ${cpu}`;
    case 'blocked':
      return `blocked, will be woken; last on ${cpu}`;
    default:
      return v.state;
  }
}

export function isXenGuest(kernel: LinuxKernel): kernel is LinuxKernel & XenGuest {
  return 'events' in kernel;
}
