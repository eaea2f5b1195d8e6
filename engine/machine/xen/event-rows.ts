/** Rows that are event channels, on any Xen host: what is at their other end raises them. */
import type { Books } from '../../core/books.ts';
import type { Ns } from '../../core/clock.ts';
import type { Trace, Tracepoint } from '../../core/trace.ts';
import type { IrqDesc } from '../../guest/linux/irq-core.ts';
import type { Domain } from '../../hv/xen/domain.ts';
import type { EventChannels } from '../../hv/xen/evtchn.ts';
import type { ChannelInfo } from '../../hv/xen/evtchn-types.ts';
import type { Outcome } from '../commands.ts';
import { raised, refuse } from '../controls.ts';

export interface EventRowsHost {
  readonly books: Books;
  readonly trace: Trace;
  readonly channels: EventChannels;
  readonly now: Ns;
  domain(id: number): Domain;
  beginOwn(): void;
}

export class EventRows {
  private readonly tpSend: Tracepoint;

  constructor(private readonly host: EventRowsHost) {
    this.tpSend = host.trace.point('evtchn_send', 'dom', 'port');
  }

  /** The channel of a row; of one that serves every CPU that CPU's. Undefined: it is none. */
  channelOf(domain: number, { port, ports }: IrqDesc, cpu: number): ChannelInfo | undefined {
    const its = ports.length > 1 ? ports[cpu] : port;
    return its ? this.host.channels.channel(domain, its) : undefined;
  }

  /** Of any kind but a pirq, which is a device's. */
  raise(domain: number, channel: ChannelInfo): Outcome {
    const { channels, books } = this.host;
    const { port, kind, virq, vcpu, remoteDom, remotePort } = channel;
    switch (kind) {
      case 'ipi':
        return this.send(domain, port);
      case 'interdomain':
        if (!channels.channel(remoteDom, remotePort)?.xenConsumer) return this.send(remoteDom, remotePort);
        // Xen itself is the other end
        this.host.beginOwn();
        channels.xenNotify(remoteDom, remotePort);
        return raised(books.journey);
      case 'virq':
        this.host.beginOwn();
        if (channels.virqIsGlobal(virq)) channels.globalVirq(virq);
        else channels.vcpuVirq(domain, vcpu, virq);
        return raised(books.journey);
      default:
        return refuse(
          `nobody is bound to the other end of dom${domain}'s port ${port} (it waits for dom${remoteDom})`,
        );
    }
  }

  /** EVTCHNOP_send of the domain that the port belongs to; no virtual CPU of it pays. */
  send(domain: number, port: number): Outcome {
    const { books, trace, channels, now } = this.host;
    const journey = books.begin(this.host.domain(domain).source(port));
    trace.emit(this.tpSend, now, journey, -1, domain, port);
    channels.send(domain, port);
    return raised(journey);
  }
}
