/**
 * EVTCHNOP_* as the virtual CPU of a guest calls them (do_event_channel_op of xen/common/event_channel.c). Each is a
 * trip into Xen; events sent on the way are done in the name of the channel they were sent on.
 */
import { DOMID_SELF } from '../../abi/xen.ts';
import type { Books } from '../../core/books.ts';
import type { Ns } from '../../core/clock.ts';
import type { Trace, Tracepoint } from '../../core/trace.ts';
import type { Vcpu } from '../vcpu.ts';
import type { Domain } from './domain.ts';
import type { EventChannels } from './evtchn.ts';

/** What they need of Xen. */
export interface EvtchnCallsHost {
  readonly trace: Trace;
  readonly books: Books;
  readonly channels: EventChannels;
  /** what the trace says of the time */
  readonly stamp: Ns;
  /** Who asks for an interrupt from now on is Xen itself. */
  beginOwn(): void;
}

export abstract class EvtchnCalls {
  private readonly tpSend: Tracepoint;

  constructor(
    private readonly host: EvtchnCallsHost,
    protected readonly domain: Domain,
    protected readonly v: Vcpu,
  ) {
    this.tpSend = host.trace.point('evtchn_send', 'dom', 'port');
  }

  /** The trip into Xen. @param op number of the hypercall, if it is not HYPERVISOR_event_channel_op */
  protected abstract enter(op?: number, command?: number): void;

  allocUnbound(remote: number): number {
    this.enter();
    return this.host.channels.allocUnbound(this.domain.id, DOMID_SELF, remote);
  }

  bindInterdomain(remote: number, remotePort: number): number {
    this.enter();
    this.host.beginOwn();
    return this.host.channels.bindInterdomain(this.domain.id, remote, remotePort);
  }

  bindVirq(virq: number, vcpu: number): number {
    this.enter();
    return this.host.channels.bindVirq(this.domain.id, virq, vcpu);
  }

  bindIpi(vcpu: number): number {
    this.enter();
    return this.host.channels.bindIpi(this.domain.id, vcpu);
  }

  bindPirq(pirq: number, willShare = false): number {
    this.enter();
    return this.host.channels.bindPirq(this.domain.id, pirq, willShare);
  }

  close(port: number): number {
    this.enter();
    return this.host.channels.close(this.domain.id, port);
  }

  send(port: number): number {
    this.enter();
    const { host, domain } = this;
    const journey = host.books.begin(domain.source(port));
    host.trace.emit(this.tpSend, host.stamp, journey, this.v.processor, domain.id, port);
    return host.channels.send(domain.id, port);
  }

  bindVcpu(port: number, vcpu: number): number {
    this.enter();
    return this.host.channels.bindVcpu(this.domain.id, port, vcpu);
  }

  unmask(port: number): number {
    this.enter();
    this.host.beginOwn();
    return this.host.channels.unmask(this.domain.id, port);
  }

  initControl(vcpu: number, gfn: number, offset: number): number {
    this.enter();
    return this.host.channels.initControl(this.domain.id, vcpu, gfn, offset);
  }

  expandArray(gfn: number): number {
    this.enter();
    this.host.beginOwn();
    return this.host.channels.expandArray(this.domain.id, gfn);
  }

  setPriority(port: number, priority: number): number {
    this.enter();
    return this.host.channels.setPriority(this.domain.id, port, priority);
  }
}
