/**
 * Event channels that have an interrupt, while they are used (drivers/xen/events/events_base.c): the upcall's loop over those
 * that are pending, masks and the reasons for them, acknowledging, raising again.
 */
import type { LinuxCpu } from './entry.ts';
import type { EventAbi } from './events-abi.ts';
import type { IrqDesc } from './irq-core.ts';
import { type EventsHost, type IrqInfo, TEMPORARY } from './irq-info.ts';
import { LateEoi } from './late-eoi.ts';

export abstract class EventPorts {
  /** by port */
  readonly infos: (IrqInfo | undefined)[] = [];
  readonly late: LateEoi;

  constructor(
    protected readonly host: EventsHost,
    readonly abi: EventAbi,
  ) {
    this.late = new LateEoi(host, this);
  }

  /** Is its port let through by LateEoi alone? */
  abstract isLate(desc: IrqDesc): boolean;

  // the upcall

  /** xen_evtchn_do_upcall: the flag goes first, then the ports are looked at. */
  beginUpcall(cpu: LinuxCpu): void {
    this.host.setUpcall(cpu.cpu, false, undefined);
    this.abi.begin(cpu.cpu);
  }

  /** The next interrupt to handle; undefined when the upcall is over. */
  next(cpu: LinuxCpu): IrqDesc | undefined {
    for (;;) {
      const port = this.abi.next(cpu.cpu);
      if (port === 0) {
        if (!this.host.upcallPending(cpu.cpu)) {
          this.late.endUpcall(cpu.cpu);
          return undefined;
        }
        this.beginUpcall(cpu);
        continue;
      }
      const info = this.infos[port];
      if (!info) {
        // a channel without a handler: nobody clears it (xen_evtchn_handle_irq answers none)
        this.abi.mask(port);
        continue;
      }
      if (info.active) continue;
      info.active = true;
      this.late.begin(info, cpu.cpu);
      return info.desc;
    }
  }

  /** iret or local_irq_enable: upcalls are let in again. */
  unmaskUpcalls(cpu: LinuxCpu): void {
    this.host.setUpcall(cpu.cpu, undefined, false);
  }

  // the ports of a descriptor

  mask(info: IrqInfo, reason: number): void {
    if (info.maskReason === 0) this.abi.mask(info.port);
    info.maskReason |= reason;
  }

  unmask(info: IrqInfo, reason: number, cpu: number): void {
    if (info.maskReason === 0) return;
    info.maskReason &= ~reason;
    if (info.maskReason === 0) this.abi.unmask(info.port, cpu);
  }

  /** The pending bit is cleared because a handler runs for it: the raise is delivered. */
  consume(info: IrqInfo): void {
    const { books } = this.host;
    const slot = this.host.slot(info.port);
    this.abi.clearPending(info.port);
    books.resume(slot);
    books.deliver(slot);
  }

  /** What follows is done in the name of the raise that is pending on the port. */
  resume(info: IrqInfo): void {
    this.host.books.resume(this.host.slot(info.port));
  }

  /** test and clear of a pending port without a handler, as a poller does; true if it was pending. */
  clearPolled(port: number): boolean {
    const pending = this.abi.isPending(port);
    this.abi.clearPending(port);
    if (pending) this.host.books.deliver(this.host.slot(port));
    return pending;
  }

  /** resend_irq_on_evtchn: the kernel sets the pending bit itself; unmasking makes Xen raise it. */
  retrigger(info: IrqInfo | undefined, cpu: number): boolean {
    if (!info) return false;
    const { books } = this.host;
    books.begin(books.sourceOf(`${this.host.id} retrigger`));
    const masked = info.maskReason !== 0;
    this.mask(info, TEMPORARY);
    this.abi.setPending(info.port);
    books.pend(this.host.slot(info.port), this.host.destination(info.port));
    this.unmask(info, TEMPORARY, cpu);
    return !masked;
  }

  /** A row that serves all CPUs has a port for each. */
  infoOf(desc: IrqDesc, cpu: number): IrqInfo {
    return this.infos[desc.ports.length > 1 ? desc.ports[cpu]! : desc.port]!;
  }
}
