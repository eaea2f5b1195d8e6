/** Event channels, xen/common/event_channel.c. The types stand; the behaviour follows in the next commits. */
import type { Part, Plain } from '../../core/state.ts';
import type { ChannelInfo, EvtchnDomainInit, EvtchnOutput, EvtchnStatus } from './evtchn-types.ts';

export type * from './evtchn-types.ts';

export declare class EventChannels implements Part {
  readonly id: string;
  constructor(output: EvtchnOutput, options: { profile: '4.17' | '3.4' });
  addDomain(init: EvtchnDomainInit): void;
  allocUnbound(d: number, dom: number, remoteDom: number, at?: number): number;
  bindInterdomain(d: number, remoteDom: number, remotePort: number, at?: number): number;
  bindVirq(d: number, virq: number, vcpu: number, at?: number): number;
  bindIpi(d: number, vcpu: number): number;
  bindPirq(d: number, pirq: number): number;
  close(d: number, port: number): number;
  send(d: number, port: number): number;
  status(d: number, dom: number, port: number): EvtchnStatus;
  bindVcpu(d: number, port: number, vcpu: number): number;
  unmask(d: number, port: number): number;
  reset(d: number, dom: number, preempt?: () => boolean): number;
  resetCont(d: number, dom: number, preempt?: () => boolean): number;
  initControl(d: number, vcpu: number, gfn: number, offset: number): number;
  expandArray(d: number, gfn: number): number;
  setPriority(d: number, port: number, priority: number): number;
  poll(d: number, vcpu: number, ports: readonly number[]): { r: number; blocks: boolean };
  pollTimeout(dom: number, vcpu: number): void;
  vcpuVirq(dom: number, vcpu: number, virq: number): void;
  globalVirq(virq: number): void;
  setGlobalVirqHandler(dom: number, virq: number): number;
  guestPirq(dom: number, pirq: number): void;
  movePirqs(dom: number, vcpu: number): void;
  xenAlloc(dom: number, vcpu: number, remoteDom: number): number;
  xenFree(dom: number, port: number): void;
  xenNotify(dom: number, port: number): void;
  destroy(dom: number): void;
  portIsPending(dom: number, port: number): boolean;
  portIsMasked(dom: number, port: number): boolean;
  channels(dom: number): ChannelInfo[];
  save(): Plain;
  restore(state: Plain): void;
}
