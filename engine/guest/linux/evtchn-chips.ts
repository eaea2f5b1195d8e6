/**
 * The interrupt chips of event channels (xen_dynamic_chip, xen_lateeoi_chip, xen_percpu_chip, xen_pirq_chip of
 * drivers/xen/events/events_base.c; dynirq_type and pirq_type of the older trees): how each is acknowledged
 * before its handlers and ended after them.
 */
import type { LinuxCpu } from './entry.ts';
import type { EventIrqs } from './evtchn.ts';
import type { IrqChip, IrqDesc } from './irq-core.ts';
import { EOI_PENDING, EXPLICIT } from './irq-info.ts';
import type { KernelProfile } from './profiles.ts';

export interface EventChips {
  readonly percpu: IrqChip;
  readonly dynamic: IrqChip;
  readonly late: IrqChip;
  readonly pirq: IrqChip;
}

export function eventChips(ports: EventIrqs, profile: KernelProfile): EventChips {
  const { chips, maskWhileHandled, spreads } = profile;
  const letThrough = (desc: IrqDesc) => {
    for (const port of desc.ports) ports.unmask(ports.infos[port]!, EXPLICIT, 0);
  };
  const base = {
    startup: letThrough,
    shutdown: (desc: IrqDesc) => {
      for (const port of desc.ports) ports.mask(ports.infos[port]!, EXPLICIT);
    },
    mask: (desc: IrqDesc) => {
      for (const port of desc.ports) ports.mask(ports.infos[port]!, EXPLICIT);
    },
    unmask: letThrough,
    retrigger: (desc: IrqDesc, cpu: LinuxCpu) => ports.retrigger(ports.infos[desc.port], cpu.cpu),
  };
  // an interrupt of one CPU stays there; others are spread where the kernel does that, or moved when root says so
  const aim = (d: IrqDesc, cpus: readonly number[]) => ports.setAffinity(d, cpus);
  const movable = { ...base, writeAffinity: aim, ...(spreads && { setAffinity: aim }) };
  // acknowledged before the handler; the older trees keep the port masked until its end
  const plain = {
    ack: (desc: IrqDesc, cpu: LinuxCpu) => {
      const info = ports.infoOf(desc, cpu.cpu);
      if (maskWhileHandled) ports.mask(info, EOI_PENDING);
      ports.consume(info);
      if (!maskWhileHandled) info.active = false;
    },
    end: (desc: IrqDesc, cpu: LinuxCpu) => {
      const info = ports.infoOf(desc, cpu.cpu);
      if (!maskWhileHandled) return;
      info.active = false;
      ports.unmask(info, EOI_PENDING, cpu.cpu);
    },
  };
  return {
    percpu: { ...base, ...plain, name: chips.percpu },
    dynamic: { ...movable, ...plain, name: chips.dynamic },
    late: {
      ...movable,
      name: chips.lateEoi,
      ack: (desc, cpu) => {
        const info = ports.infoOf(desc, cpu.cpu);
        ports.mask(info, EOI_PENDING);
        ports.consume(info);
      },
      end: () => {
        // the driver says when: LateEoi.eoi
      },
    },
    pirq: {
      ...movable,
      name: chips.pirq,
      startup: (desc) => ports.startPirq(desc),
      // eoi_pirq: Xen is told before the handlers of an edge, after those of a level interrupt
      ack: (desc, cpu) => {
        const info = ports.infoOf(desc, cpu.cpu);
        if (maskWhileHandled) {
          ports.mask(info, EOI_PENDING);
          ports.consume(info);
        } else if (isFasteoi(desc)) {
          ports.resume(info);
        } else {
          ports.consume(info);
          info.active = false;
          if (ports.needsEoi(desc)) ports.pirqEoi(desc, cpu.cpu);
        }
      },
      end: (desc, cpu) => {
        const info = ports.infoOf(desc, cpu.cpu);
        if (!maskWhileHandled && !isFasteoi(desc)) return;
        if (!maskWhileHandled) ports.consume(info);
        info.active = false;
        if (maskWhileHandled) ports.unmask(info, EOI_PENDING, cpu.cpu);
        if (ports.needsEoi(desc)) ports.pirqEoi(desc, cpu.cpu);
      },
    },
  };
}

/** pvops: the flow of a level line; its event stays pending until the handlers are through. */
function isFasteoi(desc: IrqDesc): boolean {
  return desc.flow === 'ioapic-level';
}
