/** What people do to the interrupts of a Xen host on ARM. */
import type { IrqDesc } from '../../guest/linux/irq-core.ts';
import { GIC_SGI_EVENT_CHECK } from '../../hv/xen/arm/irq.ts';
import { Ppi, Spi } from '../../hw/arm/board-virt.ts';
import { PRIVATE, SGIS } from '../../hw/arm/gic-regs.ts';
import type { Outcome } from '../commands.ts';
import { noDomain, noRow, ownRow, raised, refuse, rowOf, wrongCpus } from '../controls.ts';
import { DomainControls, XEN } from '../xen/domain-controls.ts';
import { EventRows } from '../xen/event-rows.ts';
import type { ArmDevices } from './devices.ts';
import type { ArmDomainParts, XenArmHost } from './host.ts';

/** IPI_RESCHEDULE of arch/arm64/kernel/smp.c */
const RESCHEDULE_SGI = 0;
/** each CPU's own, by what raises them */
const OWN: Readonly<Record<number, string>> = {
  [Ppi.MAINTENANCE]: 'the virtual interface raises it when list registers run low',
  [Ppi.CNTHP]: "Xen's timer raises it when it is due",
  [Ppi.CNTV]: 'the virtual timer raises it when it is due',
  [Ppi.CNTP]: 'the physical timer raises it when it is due',
};

export class ArmControls extends DomainControls<ArmDomainParts> {
  private readonly events: EventRows;

  constructor(
    private readonly host: XenArmHost,
    private readonly devices: ArmDevices,
  ) {
    super(host.domains);
    this.events = new EventRows(host.xen);
  }

  /** What has ended Xen or the domain, as a refusal. */
  protected override over(parts?: ArmDomainParts): Outcome | undefined {
    const { panic, control } = this.host.xen;
    if (panic.why) return refuse(`Xen runs no more: ${panic.why}`);
    const end = parts ? control.endOf(parts.domain.id) : '';
    return end === '' ? undefined : refuse(`dom${parts!.domain.id} runs no more: ${end}`);
  }

  // raise

  override raise(domain: string, irq: number | string, cpu: number): Outcome {
    if (irq === 'NMI') return this.nmi(domain);
    if (typeof irq === 'string') return ownRow(irq);
    if (domain === XEN) return this.over() ?? this.raiseIntid(irq, cpu);
    const parts = this.find(domain);
    if (!parts) return noDomain(domain);
    const desc = rowOf(parts.kernel, irq);
    if (!desc) return noRow(domain, irq);
    const wrong = wrongCpus(domain, [cpu], parts.arm.vcpus.length);
    if (wrong) return refuse(wrong);
    return this.over(parts) ?? this.raiseRow(parts, desc, cpu);
  }

  private raiseRow(parts: ArmDomainParts, desc: IrqDesc, cpu: number): Outcome {
    const { domain, arm } = parts;
    const channel = this.events.channelOf(domain.id, desc, cpu);
    if (channel) {
      let outcome: Outcome = {};
      this.host.xen.fromOutside(arm.vcpus[channel.vcpu]!, () => {
        outcome = this.events.raise(domain.id, channel);
      });
      return outcome;
    }
    const virq = desc.hwirq!;
    const own = OWN[virq];
    if (own) return refuse(own);
    const v = arm.vcpus[cpu]!;
    if (virq < PRIVATE) return this.inject(arm.upcallSource, v, virq);
    const physical = arm.vgic.spis[virq - PRIVATE]?.desc?.irq;
    if (physical !== undefined) return this.raiseSpi(physical);
    // a device that Xen emulates
    return this.inject(this.host.xen.sourceOf('xen'), v, virq);
  }

  private inject(source: number, v: ArmDomainParts['arm']['vcpus'][number], virq: number): Outcome {
    const { xen } = this.host;
    xen.injectOwn(v, virq, source);
    return raised(xen.books.journey);
  }

  private raiseSpi(intid: number): Outcome {
    if (intid === Spi.UART) return raised(this.host.devices.get('uart')!.fire());
    const raise = this.devices.raises.get(intid);
    return raise ? raised(raise()) : refuse(`no device is connected to INTID ${intid}`);
  }

  /** A row of Xen: by INTID. */
  private raiseIntid(intid: number, cpu: number): Outcome {
    const { xen } = this.host;
    const wrong = wrongCpus(XEN, [cpu], xen.cpus.length);
    if (wrong) return refuse(wrong);
    if (!xen.irqs.descs[intid]) return noRow(XEN, intid);
    if (intid === GIC_SGI_EVENT_CHECK) return this.eventCheck(cpu);
    if (intid < SGIS) return refuse(`SGI ${intid} is a call of another CPU, which has something to call`);
    const own = OWN[intid];
    if (own) return refuse(own);
    if (intid < PRIVATE) return refuse(`nothing is connected to PPI ${intid}`);
    return this.raiseSpi(intid);
  }

  private eventCheck(cpu: number): Outcome {
    const { xen } = this.host;
    xen.eventCheck.send(xen.cpus[cpu]!);
    return {};
  }

  // by the domain itself

  /** Of Xen: an event check, which is its reschedule. */
  override ipi(domain: string, from: number, to: number): Outcome {
    if (domain !== XEN) {
      const offline = this.find(domain)?.arm.vcpus.find(
        (v) => (v.vcpu === from || v.vcpu === to) && !v.online,
      );
      if (offline) return refuse(`${domain}.${offline.vcpu} has not been brought up`);
      return this.inside(domain, (guest) => guest.ipi(from, to));
    }
    const wrong = wrongCpus(XEN, [from, to], this.host.xen.cpus.length);
    return wrong ? refuse(wrong) : (this.over() ?? this.eventCheck(to));
  }

  protected override wake({ arm }: ArmDomainParts, cpu: number): void {
    const { xen } = this.host;
    xen.injectOwn(arm.vcpus[cpu]!, RESCHEDULE_SGI, xen.sourceOf('user'));
  }

  override nmi(domain: string): Outcome {
    if (domain !== XEN && !this.find(domain)) return noDomain(domain);
    return refuse('this ARM has no NMI: XEN_DOMCTL_sendtrigger is not there (-ENOSYS)');
  }
}
