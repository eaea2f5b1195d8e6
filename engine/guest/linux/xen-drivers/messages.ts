/**
 * The frontends of xenstore (drivers/xen/xenbus/xenbus_comms.c) and of the console (drivers/tty/hvc/hvc_xen.c):
 * one message ring and one event channel each.
 */
import type { MessageRing } from '../../../abi/ring.ts';
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { XenGuest } from '../xen-side.ts';

export class MessageFront implements Part {
  readonly id: string;
  port = 0;
  /** messages that came in */
  received = 0;

  constructor(
    private readonly kernel: XenGuest,
    name: string,
    private readonly ring: MessageRing,
    /** its channel is let through by late EOI */
    private readonly lateEoi: boolean,
  ) {
    this.id = `${kernel.id}.${name}`;
    kernel.init.parts.add(this);
  }

  readonly interrupt: Work = {
    cost: () => timing.shortHandler,
    run: (cpu) => {
      const spurious = this.ring.toFront === 0;
      this.received += this.ring.toFront;
      this.ring.toFront = 0;
      if (this.lateEoi) this.kernel.events.late.eoi(this.port, spurious, cpu.cpu);
    },
  };

  /** Writes a message and notifies the daemon. */
  write(cpu: LinuxCpu): void {
    this.ring.toBack++;
    this.kernel.hypercalls(cpu.cpu).send(this.port);
  }

  save(): Plain {
    return this.received;
  }

  restore(state: Plain): void {
    this.received = state as number;
  }
}
