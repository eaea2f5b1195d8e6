/**
 * Hops through Xen on ARM: what each tracepoint of hv/xen/arm means, in the names of xen/arch/arm/{gic,gic-vgic,irq,traps,
 * vgic,vtimer}.c and arm64/entry.S.
 */
import { DOMID_XEN } from '../../abi/xen.ts';
import type { TraceRecord } from '../../core/trace.ts';
import type { Arm64Kernel } from '../../guest/linux/arm64.ts';
import { OUTCOMES } from '../../hv/xen/arm/injection.ts';
import { GIC_SGI_EVENT_CHECK } from '../../hv/xen/arm/irq.ts';
import { armExitName, EXIT_FIQ, EXIT_IRQ, IN_WINDOW } from '../../hv/xen/arm/traps.ts';
import type { XenArm } from '../../hv/xen/arm/xen.ts';
import { BY_ITSELF, SOFTIRQS } from '../../hv/xen/softirq.ts';
import { Ec, From, Kind, vectorOffset } from '../../hw/arm/exceptions.ts';
import { timing } from '../../timing.ts';
import type { EndGrade, HopRow, HopTable } from '../hops.ts';
import { hex, type Kernels, LINUX_HOPS } from '../hops-linux.ts';
import type { HopMode } from '../inspect.ts';
import { eventRows } from '../xen/event-hops.ts';

export class ArmHopNames implements Kernels {
  constructor(
    readonly xen: XenArm,
    private readonly kernels: (domain: number) => Arm64Kernel | undefined,
  ) {}

  kernelOf(domain: number): Arm64Kernel | undefined {
    return this.kernels(domain);
  }

  domainName(domain: number): string {
    return `dom${domain}`;
  }

  modeOf(): HopMode {
    return 'el1';
  }

  /** dom0's handler is the last only of what no other domain waits for; that of event channels is not one. */
  endOf(domain: number, irq: number): EndGrade {
    if (this.kernels(domain)?.eventsIrq === irq) return 0;
    return domain === 0 ? 1 : 2;
  }
}

type Row = HopRow<ArmHopNames>;

const EL2: HopMode = 'el2';
/** The entry of the vector table that an exit has come by. */
function entryOf(reason: number): { readonly name: string; readonly kind: Kind } {
  switch (reason) {
    case EXIT_IRQ:
      return { name: 'guest_irq', kind: Kind.IRQ };
    case EXIT_FIQ:
      return { name: 'guest_fiq_invalid', kind: Kind.FIQ };
    case Ec.SERROR:
      return { name: 'guest_error', kind: Kind.SERROR };
    default:
      return { name: 'guest_sync', kind: Kind.SYNC };
  }
}

const nameOf = ({ xen }: ArmHopNames, index: number) => xen.vcpus[index]?.name ?? 'idle';

/** Of a list register that is written: with HW, its physical interrupt. */
function intoLr({ xen }: ArmHopNames, [domain, vcpu, virq, lr]: readonly number[]): string {
  const { vgic } = xen.armDomain(domain!);
  const { desc } = vgic.pendingOf(vgic.vcpus[vcpu!]!, virq!);
  return `LR${lr} = ${virq} pending${desc ? `, HW ${desc.irq}` : ''}`;
}

const ROWS: Record<string, Row> = {
  gic_set_irq: {
    mode: 'device',
    name: 'raise',
    detail: ({ xen }, [irq]) => {
      const { guest, target } = xen.irqs.descs[irq!]!;
      return `irq ${irq} to CPU${target}${guest ? `, dom${guest.domain.domain}` : ', Xen'}`;
    },
    brief: (_, [irq]) => `irq ${irq} raised`,
    about: 'the device pulls its wire: pending at the distributor',
  },
  store_fails: {
    mode: 'device',
    name: 'store fails',
    detail: (host, [domain]) => (domain === DOMID_XEN ? 'of Xen' : `of ${host.domainName(domain!)}`),
    about: 'a store finds nobody who answers; the CPU has gone on and learns by an SError',
  },
  fiq: {
    mode: 'device',
    name: 'FIQ',
    detail: (_, [cpu]) => `CPU${cpu}`,
    about: 'an interrupt of group 0 is signalled as FIQ: Xen has it masked, a guest cannot',
  },
  guest_exit: {
    mode: 'exit',
    name: (_, [, reason]) => entryOf(reason!).name,
    detail: (host, [v, reason, esr]) => {
      const { compat } = host.xen.vcpus[v!]!;
      const entry = vectorOffset(compat ? From.LOWER_32 : From.LOWER_64, entryOf(reason!).kind);
      const why = esr === 0 ? '' : ` ${armExitName(reason!)} ESR ${hex(esr!, 8)}`;
      return `${nameOf(host, v!)}, vector ${hex(entry, 3)}${why}`;
    },
    brief: (host, [v, reason]) => `${armExitName(reason!)} ${nameOf(host, v!)}`,
    about: 'the guest is left for EL2: the entry macro saves registers in cpu_user_regs',
    charged: timing.armEntry,
  },
  hyp_error: {
    mode: EL2,
    name: 'hyp_error',
    detail: (host, [v, window]) =>
      window === IN_WINDOW ? `in check_pending_guest_serror, of ${nameOf(host, v!)}` : 'in Xen',
    about: "an SError while Xen runs: at its entry, where it looks, it is the guest's",
    charged: timing.armHypEntry,
  },
  inject_vabt_exception: {
    mode: EL2,
    name: 'inject_vabt_exception',
    detail: (host, [v]) => `${nameOf(host, v!)}, HCR_EL2.VSE`,
    about: 'serrors=diverse: what the guest has done goes back to it as a virtual SError',
    nested: true,
  },
  el1_serror: {
    mode: 'el1',
    name: 'el1h_64_error',
    detail: (host, [v]) => nameOf(host, v!),
    about: 'the guest takes the virtual SError, which its kernel does not survive',
    end: () => 2,
  },
  panic: {
    mode: EL2,
    name: 'panic',
    detail: (_, [kind]) => (kind === Kind.FIQ ? 'bad mode' : 'Unexpected Trap'),
    about: 'Xen prints registers, tells all CPUs to halt and ends',
    end: () => 2,
  },
  enter_hypervisor_from_guest: {
    mode: EL2,
    name: 'enter_hypervisor_from_guest',
    detail: (_, [, lrs]) => `LRs in use ${hex(lrs!, 1)}, vgic_sync_from_lrs`,
    about: 'UIE is cleared and the list registers in use are read back',
    nested: true,
  },
  do_IRQ: {
    mode: EL2,
    name: 'do_IRQ',
    detail: (_, [irq, domain]) => `IAR ${irq}, ${domain! >= 0 ? `EOIR, dom${domain}` : 'Xen'}`,
    brief: (_, [irq]) => `do_IRQ ${irq}`,
    about: "gic_interrupt has read IAR; after EOIR a guest's interrupt stays active",
    charged: timing.armDoIrq,
    vector: (_, [irq]) => irq!,
  },
  vgic_inject_irq: {
    mode: EL2,
    name: 'vgic_inject_irq',
    detail: (_, [domain, vcpu, virq]) => `dom${domain}.${vcpu} irq ${virq}`,
    brief: (_, [domain, vcpu, virq]) => `inject ${virq} dom${domain}.${vcpu}`,
    about: 'queued for the virtual CPU: into a list register now, or on the way in',
    charged: timing.vgicInject,
  },
  vgic_inject_outcome: {
    mode: EL2,
    name: 'gic_raise_inflight_irq',
    detail: (_, [domain, vcpu, virq, outcome]) => `dom${domain}.${vcpu} irq ${virq}, ${OUTCOMES[outcome!]}`,
    brief: (_, [, , virq, outcome]) => `${virq} ${OUTCOMES[outcome!]}`,
    about: 'in flight already: both are one, or the second of a physical one is lost',
    nested: true,
  },
  gic_set_lr: {
    mode: EL2,
    name: 'gic_set_lr',
    detail: intoLr,
    brief: (_, [, , virq, lr]) => `LR${lr} = ${virq}`,
    about: 'a free list register is written; with HW, EOI deactivates the physical one too',
    nested: true,
  },
  gic_restore_pending_irqs: {
    mode: EL2,
    name: 'gic_restore_pending_irqs',
    detail: intoLr,
    brief: (_, [, , virq, lr]) => `LR${lr} = ${virq}`,
    about: 'on the way out: what has waited goes into a list register, by gic_set_lr',
  },
  gic_update_one_lr: {
    mode: EL2,
    name: 'gic_update_one_lr',
    detail: (_, [, , virq, lr]) => `LR${lr} = ${virq} pending once more`,
    brief: (_, [, , virq, lr]) => `LR${lr} = ${virq} again`,
    about: 'an active one becomes pending too; a pending one takes in the raise',
    nested: true,
  },
  pl011_interrupt: {
    mode: EL2,
    name: 'pl011_interrupt',
    detail: () => 'action of Xen: serial_rx_interrupt',
    about: "the line is Xen's own: its handler takes the characters from the UART",
    nested: true,
  },
  send_guest_global_virq: {
    mode: EL2,
    name: 'send_global_virq',
    detail: (_, [virq]) => `VIRQ ${virq}`,
    brief: (_, [virq]) => `virq ${virq}`,
    about: 'Xen tells the domain that handles this virtual interrupt',
    nested: true,
  },
  handle_keypress: {
    mode: EL2,
    name: 'handle_keypress',
    detail: (_, [key]) => `key ${hex(key!)}`,
    brief: (_, [key]) => `debug key ${hex(key!)}`,
    about: "input is Xen's: a debug key, handled in a tasklet",
    nested: true,
  },
  cpu_raise_softirq: {
    mode: EL2,
    name: 'cpu_raise_softirq',
    detail: (_, [cpu, nr, how]) =>
      `${SOFTIRQS['4.17'][nr!]} on CPU${cpu}, ${how === BY_ITSELF ? 'this one' : 'SGI 0'}`,
    about: 'the CPU is to look at its softirqs',
    nested: true,
  },
  event_check_interrupt: {
    mode: EL2,
    name: 'do_sgi',
    detail: () => 'GIC_SGI_EVENT_CHECK',
    about: 'the SGI has no work of its own: its CPU is in Xen now and looks on the way out',
    charged: timing.armSgi,
    vector: () => GIC_SGI_EVENT_CHECK,
  },
  sched_switch: {
    mode: EL2,
    name: 'context_switch',
    detail: (host, [prev, next]) => `${nameOf(host, prev!)} to ${nameOf(host, next!)}`,
    about: "the virtual CPU's registers, list registers and timer are restored",
    charged: (_, [prev, next]) => (prev! >= 0 && next! >= 0 ? 2 * timing.armSwitch : timing.armSwitch),
  },
  leave_hypervisor_to_guest: {
    mode: EL2,
    name: 'leave_hypervisor_to_guest',
    detail: (_, [, lrs]) => `LRs in use ${hex(lrs!, 1)}, vgic_sync_to_lrs`,
    about: 'softirqs are done, and what waited is in list registers as far as they go',
  },
  eret: {
    mode: 'entry',
    name: 'eret',
    detail: (host, [v]) => nameOf(host, v!),
    brief: (host, [v]) => `eret ${nameOf(host, v!)}`,
    about: 'the frame is restored, the guest goes on at EL1',
  },
  el1_irq: {
    mode: 'el1',
    name: 'el1h_64_irq',
    detail: (host, [v]) => nameOf(host, v!),
    brief: (host, [v]) => `irq ${nameOf(host, v!)}`,
    about: "the virtual IRQ is signalled and PSTATE.I is clear: the guest's own vector",
    charged: timing.kernelEntry,
  },
};

const EVENTS = eventRows(EL2, undefined);

/** Xen on ARM. */
export const ARM_HOPS: HopTable<ArmHopNames> = {
  ...EVENTS,
  vcpu_kick: {
    ...EVENTS.vcpu_kick!,
    about: 'vgic_inject_irq has put it in flight: its virtual CPU is told',
  },
  ...ROWS,
  ...LINUX_HOPS,
};

/** What waits for the destination of a journey: the distributor's bits, the list register, the event channel. */
export function armWaiting({ xen }: ArmHopNames, records: readonly TraceRecord[]): string {
  const out: string[] = [];
  const last = (name: string) => records.findLast((r) => r.point.name === name)?.args;
  const raised = last('gic_set_irq');
  if (raised) {
    const [irq] = raised as [number];
    out.push(`irq ${irq} ${xen.irqs.stateOf(irq)}`);
  }
  const injected = last('vgic_inject_irq');
  if (injected) {
    const [domain, vcpu, virq] = injected as [number, number, number];
    out.push(`dom${domain}.${vcpu} ${virq} ${xen.whereabouts(xen.armDomain(domain), vcpu, virq) || '-'}`);
  }
  const event = last('evtchn_set_pending') ?? last('evtchn_already_pending');
  if (event) {
    const [domain, n] = event as [number, number];
    const info = xen.channels.channel(domain, n);
    if (info) out.push(`dom${domain} port ${n} p${Number(info.pending)} m${Number(info.masked)}`);
  }
  return out.join(', ');
}
