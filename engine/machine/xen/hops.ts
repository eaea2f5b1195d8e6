/**
 * Hops through Xen on x86: what each tracepoint of hv/xen and hv/xen/x86 means, in the names of xen/arch/x86/irq.c,
 * traps.c, domain.c and xen/common/{event_channel,event_2l,event_fifo,schedule}.c. Names differ by version of Xen.
 */
import { DOMID_IDLE, VIRQ_MCA } from '../../abi/xen.ts';
import type { TraceRecord } from '../../core/trace.ts';
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import { BY_IPI, BY_ITSELF, BY_MWAIT, EVENT_CHECK_VECTOR, SOFTIRQS } from '../../hv/xen/softirq.ts';
import { CMCI_VECTOR } from '../../hv/xen/x86/apic-vectors.ts';
import { HOOK_POINTS } from '../../hv/xen/x86/hook.ts';
import { HvmVcpu } from '../../hv/xen/x86/hvm-vcpu.ts';
import { ACK_TYPES } from '../../hv/xen/x86/irq-desc.ts';
import { MCA_ERRORS } from '../../hv/xen/x86/mce.ts';
import { FREE_PAGE } from '../../hv/xen/x86/vmce.ts';
import type { Xen } from '../../hv/xen/x86/xen.ts';
import { Rte } from '../../hw/x86/ioapic-regs.ts';
import { pvHypercall, timing } from '../../timing.ts';
import type { EndGrade, HopRow, HopTable } from '../hops.ts';
import { hex, type Kernels, LINUX_HOPS } from '../hops-linux.ts';
import type { HopMode } from '../inspect.ts';
import { eventRows } from './event-hops.ts';
import { XEN_HVM_HOPS } from './hvm-hops.ts';

const VIRQ_NAMES: Readonly<Record<number, string>> = {
  ...['TIMER', 'DEBUG', 'CONSOLE', 'DOM_EXC', 'TBUF', 'DEBUGGER', 'XENOPROF', 'CON_RING'],
  [VIRQ_MCA]: 'MCA',
};

/** How a CPU hears of a softirq. */
const TOLD: Readonly<Record<number, string>> = {
  [BY_IPI]: `IPI ${hex(EVENT_CHECK_VECTOR)}`,
  [BY_MWAIT]: 'in MWAIT: no IPI',
  [BY_ITSELF]: 'this one',
};

/** What the rows of Xen look names up in. */
export interface XenNames extends Kernels {
  readonly xen: Xen;
}

/** The names of a host. Xen is ring 0 to paravirtual guests. */
export class XenHopNames implements XenNames {
  constructor(
    readonly xen: Xen,
    private readonly kernels: (domain: number) => LinuxKernel | undefined,
  ) {}

  kernelOf(domain: number): LinuxKernel | undefined {
    return this.kernels(domain);
  }

  domainName(domain: number): string {
    return `dom${domain}`;
  }

  modeOf(): HopMode {
    return 'guest';
  }

  /** dom0's handler is the last only of what no other domain waits for. */
  endOf(domain: number): EndGrade {
    return domain === 0 ? 1 : 2;
  }
}

type Row = HopRow<XenNames>;

/** The hypercall of a paravirtual guest; another's is the exit before it. */
const sendCharged = ({ xen }: XenNames, [domain]: readonly number[]) =>
  xen.hvm[domain!] ? null : pvHypercall();
type Names = (host: XenNames, args: readonly number[]) => string;

const old = ({ xen }: XenNames) => xen.profile === '3.4';
const vcpu: Names = (_, [domain, n]) => `dom${domain}.${n}`;
const source: Names = ({ xen }, [, id]) => xen.books.sourceName(id!);

/** Mode of Xen's own code. */
const XEN: HopMode = 'ring0';

const RAISES: Record<string, Row> = {
  irq_raise: {
    mode: 'device',
    name: 'raise',
    detail: (host, args) => {
      const type = host.xen.irqs.descs[args[0]!]?.type;
      return `${source(host, args)}, irq ${args[0]}${type ? ` ${type}` : ''}`;
    },
    brief: (host, args) => `${source(host, args)} raises irq ${args[0]}`,
    about: 'the device pulls its line or writes its message',
    charged: timing.apicMessage,
  },
  apic_accept: {
    mode: 'device',
    name: 'apic accept',
    detail: (_, [irq, vector, cpu]) => `vector ${hex(vector!)} to CPU${cpu}, irq ${irq}`,
    brief: (_, [, vector, cpu]) => `vec ${vector!.toString(16)} -> CPU${cpu}`,
    about: "the message sets the vector's bit in the IRR of the CPU's local APIC",
  },
  send_timer_event: {
    mode: XEN,
    name: 'send_timer_event',
    detail: (host, args) => `${vcpu(host, args)} VIRQ_TIMER`,
    brief: (host, args) => `timer of ${vcpu(host, args)}`,
    about: "the virtual CPU's singleshot timer has expired in the timer softirq",
  },
};

const DO_IRQ: Record<string, Row> = {
  do_IRQ: {
    mode: XEN,
    name: 'do_IRQ',
    detail: (_, [irq, vector]) => `vector ${hex(vector!)} irq ${irq}`,
    brief: (_, [irq]) => `do_IRQ ${irq}`,
    about: 'the vector is looked up, its descriptor locked and acknowledged',
    charged: timing.doIrq,
    vector: (_, [, vector]) => vector!,
  },
  do_IRQ_guest: {
    mode: XEN,
    name: (host) => (old(host) ? '__do_IRQ_guest' : 'do_IRQ_guest'),
    detail: (_, [irq, guests, ack]) =>
      `irq ${irq}, ${guests === 1 ? '1 guest' : `${guests} guests`}, ACKTYPE_${ACK_TYPES[ack!]}`,
    about: 'the line is bound to guests: each of them is told',
    charged: timing.doIrqGuest,
    nested: true,
  },
  send_guest_pirq: {
    mode: XEN,
    name: 'send_guest_pirq',
    detail: (_, [domain, pirq]) => `dom${domain} pirq ${pirq}`,
    brief: (_, [domain, pirq]) => `send_guest_pirq dom${domain} ${pirq}`,
    about: 'the pirq of the guest has an event channel: the interrupt goes on as an event',
    nested: true,
  },
  ns16550_interrupt: {
    mode: XEN,
    name: 'ns16550_interrupt',
    detail: () => 'action of Xen: serial_rx_interrupt',
    about: "the line is Xen's own: its handler takes the characters from the UART",
    nested: true,
  },
  timer_interrupt: {
    mode: XEN,
    name: 'timer_interrupt',
    detail: () => "action of Xen: the 8254's counter is read",
    about: "the platform timer's interrupt is Xen's own, and ends here",
    nested: true,
    end: () => 2,
  },
  send_guest_global_virq: {
    mode: XEN,
    name: (host) => (old(host) ? 'send_guest_global_virq' : 'send_global_virq'),
    detail: (_, [virq]) => `VIRQ_${VIRQ_NAMES[virq!] ?? virq}`,
    brief: (_, [virq]) => `virq ${virq}`,
    about: 'Xen tells the domain that handles this virtual interrupt',
    nested: true,
  },
  hook: {
    mode: XEN,
    name: 'hook',
    detail: (_, [point, vector, domain, n]) =>
      `${HOOK_POINTS[point!]} vector ${hex(vector!)}, ${domain === DOMID_IDLE ? `idle on CPU${n}` : `dom${domain}.${n}`}`,
    brief: (_, [, vector]) => `hook ${hex(vector!)}`,
    about: 'the interrupt hook writes its record, before anything else is done',
    charged: timing.hookRecord,
  },
  handle_keypress: {
    mode: XEN,
    name: 'handle_keypress',
    detail: (_, [key]) => `key ${hex(key!)}`,
    brief: (_, [key]) => `debug key ${hex(key!)}`,
    about: "input is Xen's: a debug key, handled in a tasklet",
    nested: true,
  },
  irq_guest_eoi_pending: {
    mode: XEN,
    name: 'IRQ_GUEST_EOI_PENDING',
    detail: (_, [irq, vector]) => `irq ${irq} vector ${hex(vector!)}`,
    brief: (_, [irq]) => `irq ${irq} disabled, pending everywhere`,
    about: 'pending in every guest: the line is disabled until one says EOI, or for 1 ms',
  },
  irq_ratelimit: {
    mode: XEN,
    name: 'irq_ratelimit',
    detail: (_, [irq, vector]) => `irq ${irq} vector ${hex(vector!)}`,
    brief: (_, [irq]) => `irq ${irq} disabled, too many`,
    about: 'too many within 10 ms: this one is lost, and the line disabled for 10 ms',
  },
  pirq_guest_eoi: {
    mode: XEN,
    name: 'pirq_guest_eoi',
    detail: (_, [domain, pirq]) => `PHYSDEVOP_eoi dom${domain} pirq ${pirq}`,
    about: 'the guest is done with it; when all that share the line are, it may go',
    charged: sendCharged,
  },
  irq_guest_eoi_timer: {
    mode: XEN,
    name: 'irq_guest_eoi_timer_fn',
    detail: (_, [irq, guests]) => `irq ${irq}, ${guests} of its guests late`,
    brief: (_, [irq]) => `irq ${irq} EOI forced`,
    about: '1 ms is over, and a guest has not ended it: it is not waited for any longer',
  },
  flush_ready_eoi: {
    mode: XEN,
    name: 'flush_ready_eoi',
    detail: (_, [irq, vector]) => `irq ${irq} vector ${hex(vector!)}`,
    about: 'the CPU that took the interrupt writes EOI to its local APIC',
    nested: true,
  },
  do_nmi: {
    mode: XEN,
    name: 'do_nmi',
    detail: () => '',
    brief: () => 'do_nmi',
    about: 'a non-maskable interrupt',
    end: () => 2,
  },
};

const MACHINE_CHECKS: Record<string, Row> = {
  mca_error: {
    mode: 'device',
    name: 'MCi_STATUS',
    detail: (_, [bank, domain, count]) => {
      const page = domain === FREE_PAGE ? 'a free page' : `a page of dom${domain}`;
      return `${MCA_ERRORS[bank!]} error in ${page}${count! > 1 ? `, ${count} so far` : ''}`;
    },
    brief: (_, [bank]) => `${MCA_ERRORS[bank!]} error`,
    about:
      'the memory controller logs an error: all CPUs get #MC; of a corrected one CPU0 gets CMCI, or nobody does',
  },
  do_machine_check: {
    mode: XEN,
    name: (host) => (old(host) ? 'intel_machine_check' : 'mcheck_cmn_handler'),
    detail: (_, [errors]) => (errors! > 0 ? 'reads the bank with the error' : 'finds no error'),
    brief: (_, [errors]) => (errors! > 0 ? '#MC, has the error' : '#MC'),
    about: 'each CPU reads all banks; all wait for the last, then go on to the MACHINE_CHECK softirq',
    charged: timing.mcaLogout,
  },
  mce_softirq: {
    mode: XEN,
    name: 'mce_softirq',
    detail: (_, [domain]) => (domain === FREE_PAGE ? 'the page was free' : `the page was dom${domain}'s`),
    brief: () => 'mce_softirq',
    about: 'all CPUs wait while one of them that has no error of its own deals with those of the others',
    charged: (host) => (old(host) ? timing.mceAction : timing.offlinePage),
  },
  cmci_interrupt: {
    mode: XEN,
    name: (host) => (old(host) ? 'smp_cmci_interrupt' : 'cmci_interrupt'),
    detail: ({ xen }) => `vector ${hex(CMCI_VECTOR[xen.profile])}`,
    about: 'corrected errors have reached the threshold of their bank',
    charged: timing.mcaPoll,
  },
  mce_checkregs: {
    mode: XEN,
    name: 'mce_checkregs',
    detail: () => '',
    about: 'a timer has all CPUs read the banks that do not interrupt',
    charged: timing.mcaPoll,
  },
  inject_vmce: {
    mode: XEN,
    name: (host) => (old(host) ? 'vcpu_set_affinity' : 'inject_vmce'),
    detail: (host, args) => `${vcpu(host, args)}, mce_pending${old(host) ? ' and to this CPU' : ''}`,
    brief: (host, args) => `#MC for ${vcpu(host, args)}`,
    about:
      'the virtual CPU is to take a machine check of its own; on 3.4 dom0 is always told, on the CPU that works',
    nested: true,
  },
};

const EVENTS: Record<string, Row> = {
  ...eventRows(XEN, sendCharged),
  cpu_raise_softirq: {
    mode: XEN,
    name: 'cpu_raise_softirq',
    detail: ({ xen }, [cpu, nr, how]) => `${SOFTIRQS[xen.profile][nr!]} on CPU${cpu}, ${TOLD[how!]}`,
    about: 'the CPU is to look at its softirqs, or once more at what waits for its guest',
    nested: true,
  },
  event_check_interrupt: {
    mode: XEN,
    name: (host) => (old(host) ? 'smp_event_check_interrupt' : 'event_check_interrupt'),
    detail: () => `vector ${hex(EVENT_CHECK_VECTOR)}`,
    about: 'the IPI has no work of its own: its CPU is in Xen now and looks on the way out',
    charged: timing.apicVector,
    vector: () => EVENT_CHECK_VECTOR,
  },
  sched_switch: {
    mode: XEN,
    name: 'context_switch',
    detail: ({ xen }, [prev, next]) => {
      const name = (index: number) => xen.vcpus[index]?.name ?? 'idle';
      return `${name(prev!)} to ${name(next!)}`;
    },
    about: "the schedule softirq has chosen: the virtual CPU's state is loaded",
    charged: ({ xen }, [prev, next, anew]) => {
      const load = anew && xen.vcpus[next!] instanceof HvmVcpu ? timing.hvmSwitch : 0;
      return load + (prev! >= 0 && next! >= 0 ? 2 * timing.xenSwitch : timing.xenSwitch);
    },
  },
  upcall: {
    mode: XEN,
    name: 'test_all_events',
    detail: (host, args) => `${vcpu(host, args)}, bounce frame`,
    brief: (host, args) => `upcall ${vcpu(host, args)}`,
    about: 'on the way out: an upcall is pending and not masked, a frame for it is made',
    charged: timing.irqEntry,
  },
};

/** Xen x86. */
export const XEN_HOPS: HopTable<XenNames> = {
  ...RAISES,
  ...DO_IRQ,
  ...MACHINE_CHECKS,
  ...EVENTS,
  ...XEN_HVM_HOPS,
  ...LINUX_HOPS,
};

/** What waits for the destination of a journey: the local APIC's bits, the pin, the event channel, the upcall. */
export function xenWaiting({ xen }: XenNames, records: readonly TraceRecord[]): string {
  const out: string[] = [];
  const last = (name: string) => records.findLast((r) => r.point.name === name)?.args;
  const accepted = last('apic_accept');
  if (accepted) {
    const [irq, vector, cpu] = accepted as [number, number, number];
    const { irr, isr } = xen.lapics[cpu]!;
    const bits = `${irr.has(vector) ? 'IRR' : ''}${isr.has(vector) ? ' ISR' : ''}`.trim();
    out.push(`CPU${cpu} ${hex(vector)} ${bits || '-'}`);
    if (irq < xen.irqs.gsis) {
      const low = xen.irqs.ioapics.peek(irq);
      const state = Rte.remoteIrr.has(low) ? 'rirr' : Rte.masked.has(low) ? 'masked' : '-';
      out.push(`pin ${irq} ${state}`);
    }
  }
  const virtual = last('vlapic_set_irq');
  if (virtual) {
    const [domain, n, vector] = virtual as [number, number, number];
    const { irr, isr } = xen.hvm[domain]!.chips.vcpus[n]!.apic;
    const { entryInfo } = xen.hvm[domain]!.vcpus[n]!.vmcs;
    const bits = `${irr.has(vector) ? 'IRR' : ''}${isr.has(vector) ? ' ISR' : ''}`.trim();
    out.push(`dom${domain}.${n} ${hex(vector)} ${bits || '-'}`);
    if (entryInfo >>> 0 >= 0x8000_0000) out.push(`entry-info ${hex(entryInfo, 8)}`);
  }
  const event = last('evtchn_set_pending') ?? last('evtchn_already_pending');
  if (event) {
    const [domain, n] = event as [number, number];
    const info = xen.channels.channel(domain, n);
    if (info) {
      const { vcpus } = xen.domain(domain).shared;
      const { upcallPending, upcallMask } = vcpus[info.vcpu]!;
      out.push(`dom${domain} port ${n} p${Number(info.pending)} m${Number(info.masked)}`);
      out.push(`vCPU${info.vcpu} upcall p${Number(upcallPending !== 0)} m${Number(upcallMask !== 0)}`);
    }
  }
  return out.join(', ');
}
