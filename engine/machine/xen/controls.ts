/** What people do to the interrupts of a Xen host on x86. */

import type { IrqDesc } from '../../guest/linux/irq-core.ts';
import { NativeKernel } from '../../guest/linux/native.ts';
import { EVENT_CHECK_VECTOR } from '../../hv/xen/softirq.ts';
import { apicHandler } from '../../hv/xen/x86/apic-vectors.ts';
import { SERIAL_IRQ, TIMER_IRQ } from '../../hv/xen/x86/irq-desc.ts';
import type { PvVcpu } from '../../hv/xen/x86/pv-vcpu.ts';
import type { Outcome } from '../commands.ts';
import { noDomain, noRow, ownRow, raised, refuse, rowOf, wrongCpus } from '../controls.ts';
import { DomainControls, XEN } from './domain-controls.ts';
import { EventRows } from './event-rows.ts';
import type { DomainParts, XenHost } from './host.ts';

const RESCHEDULE_VECTOR = 0xfd;

export class XenControls extends DomainControls<DomainParts> {
  private readonly events: EventRows;

  constructor(private readonly host: XenHost) {
    super(host.domains);
    this.events = new EventRows(host.xen);
  }

  /** What has ended the domain, as a refusal. */
  protected override over({ domain: { id } }: DomainParts): Outcome | undefined {
    const end = this.host.xen.control.endOf(id);
    return end === '' ? undefined : refuse(`dom${id} runs no more: ${end}`);
  }

  // raise

  override raise(domain: string, irq: number | string, cpu: number): Outcome {
    if (irq === 'NMI') return this.nmi(domain, cpu);
    if (domain === XEN) return this.raiseVector(irq, cpu);
    const parts = this.find(domain);
    if (!parts) return noDomain(domain);
    if (typeof irq === 'string') return ownRow(irq);
    const desc = rowOf(parts.kernel, irq);
    if (!desc) return noRow(domain, irq);
    return this.over(parts) ?? this.raiseRow(parts, desc, cpu);
  }

  private raiseRow(parts: DomainParts, desc: IrqDesc, cpu: number): Outcome {
    const { id } = parts.domain;
    const channel = this.events.channelOf(id, desc, cpu);
    if (!channel) return this.raiseNative(parts, desc);
    if (channel.kind !== 'pirq') return this.events.raise(id, channel);
    if (parts.hvm) return this.raiseEmulated(parts, desc);
    return this.raiseIrq(this.host.xen.irqOf(id, channel.pirq), desc.actions[0]?.name ?? `irq ${desc.irq}`);
  }

  /** A physical interrupt, by what is on its line or has its message. */
  private raiseIrq(irq: number, name: string): Outcome {
    const { xen, levels, edges } = this.host;
    const desc = xen.irqs.descs[irq];
    if (!desc) return refuse(`no physical interrupt is behind it`);
    if (desc.type === 'IO-APIC-level') {
      const device = levels.on(irq);
      return device ? raised(device.fire()) : refuse(`no device is on line ${irq}`);
    }
    const edge = edges.find((e) => e.irq() === irq);
    return raised(edge ? edge.raise() : xen.irqs.pulse(irq, this.host.source(name)));
  }

  /** Of a guest on VMX, by its IOAPIC or local APIC. */
  private raiseNative(parts: DomainParts, desc: IrqDesc): Outcome {
    const { kernel, hvm } = parts;
    const message = kernel instanceof NativeKernel ? kernel.controllers.messageOf(desc.irq) : undefined;
    if (!message) return this.raiseEmulated(parts, desc);
    const irq = hvm?.pc?.passedMessage(message) ?? -1;
    if (irq < 0) return refuse('its device has not been told where its message goes');
    return this.raiseIrq(irq, `dom${parts.domain.id}.${desc.actions[0]!.name}`);
  }

  private raiseEmulated({ hvm, domain }: DomainParts, desc: IrqDesc): Outcome {
    const event = hvm?.pc?.eventOn(desc.irq);
    if (!event) return refuse(`nothing is on line ${desc.irq} of dom${domain.id} that could raise it`);
    const { books } = this.host.shop;
    const { begun } = books;
    event();
    return books.begun === begun ? {} : raised(begun + 1);
  }

  /** A row of Xen: by vector. */
  private raiseVector(vector: number | string, cpu: number): Outcome {
    const { xen, devices } = this.host;
    if (typeof vector === 'string') return ownRow(vector);
    const wrong = wrongCpus(XEN, [cpu], xen.cpus.length);
    if (wrong) return refuse(wrong);
    const handler = apicHandler(xen.profile, vector);
    if (vector === EVENT_CHECK_VECTOR) {
      xen.eventCheck.send(xen.cpus[cpu]!);
      return {};
    }
    if (handler !== undefined)
      return refuse(`${handler}: the CPU's own local APIC or another CPU's call raises it`);
    const irq = xen.irqs.table.vectors.irqOf(vector);
    const desc = xen.irqs.descs[irq];
    if (!desc) return noRow(XEN, `0x${vector.toString(16)}`);
    if (irq === SERIAL_IRQ) return raised(devices.get('uart')!.fire());
    if (irq === TIMER_IRQ) return raised(xen.irqs.pulse(irq, this.host.source('8254')));
    if (!desc.action) return refuse(`irq ${irq} is nobody's`);
    return this.raiseIrq(irq, `irq ${irq}`);
  }

  // by the domain itself

  /** Of Xen: an event-check IPI, which is its reschedule. */
  override ipi(domain: string, from: number, to: number): Outcome {
    if (domain !== XEN) return this.inside(domain, (guest) => guest.ipi(from, to));
    const { xen } = this.host;
    const wrong = wrongCpus(XEN, [from, to], xen.cpus.length);
    if (wrong) return refuse(wrong);
    xen.eventCheck.send(xen.cpus[to]!);
    return {};
  }

  protected override wake({ kernel, domain, hvm }: DomainParts, cpu: number): void {
    const { books } = this.host.shop;
    if ('events' in kernel) {
      const port = kernel.events.ipi('resched', cpu);
      if (port !== 0) this.events.send(domain.id, port);
    } else {
      books.begin(this.host.source('user'));
      hvm!.hvm.chips.vcpus[cpu]!.apic.setIrq(RESCHEDULE_VECTOR, false);
    }
  }

  // NMI

  /** XEN_DOMCTL_SENDTRIGGER_NMI; of Xen, at a physical CPU. */
  override nmi(domain: string, vcpu: number): Outcome {
    const { xen } = this.host;
    const parts = this.find(domain);
    if (!parts && domain !== XEN) return noDomain(domain);
    const wrong = wrongCpus(domain, [vcpu], parts ? parts.domain.vcpus.length : xen.cpus.length);
    if (wrong) return refuse(wrong);
    if (!parts) {
      xen.cpus[vcpu]!.nmi();
      return {};
    }
    const over = this.over(parts);
    if (over) return over;
    if (parts.hvm) parts.hvm.hvm.chips.vcpus[vcpu]!.pendNmi();
    else xen.upcalls.pendNmi(parts.domain.vcpus[vcpu] as PvVcpu);
    return {};
  }
}
