/**
 * Xen's debug key `q`: domains and their virtual CPUs. After dump_domains (xen/common/keyhandler.c).
 *
 * Left out, because no domain here has it: pages and their counts, I/O memory and ports, the handle and the VM
 * assists. The key also sends each virtual CPU a VIRQ_DEBUG; its text says so, and who looks here sends nothing.
 */
import { VIRQ_DEBUG } from '../../../abi/xen.ts';
import type { Ns } from '../../../core/clock.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { Vcpu } from '../../vcpu.ts';
import type { Domain } from '../domain.ts';
import type { EvtchnDomain } from '../evtchn-domain.ts';
import type { XenProfile } from '../softirq.ts';
import { bit, consoleText, hex, ranges } from './printk.ts';

/** What the text tells of a domain. */
export interface DumpedDomain {
  readonly domain: Domain;
  readonly channels: EvtchnDomain;
  /** physical interrupts it has access to, ascending */
  readonly irqs: readonly number[];
  /** device models it runs for other domains; each holds a reference to it */
  readonly deviceModels: number;
  /** held back as a whole; absent: no */
  readonly paused?: boolean;
  /** arch_dump_domain_info, arch_dump_vcpu_info */
  readonly archDomain: readonly string[];
  archVcpu(v: Vcpu): readonly string[];
  /** rangesets of a domain of this kind, beside its interrupts */
  readonly rangesets: readonly string[];
  /** vcpu_event_delivery_is_enabled */
  takesEvents(v: Vcpu): boolean;
}

export interface DumpedHost {
  /** Xen notes which CPUs hold registers of whom; on ARM none ever does while somebody else runs */
  readonly dirtyMasks: boolean;
  readonly profile: XenProfile;
  readonly now: Ns;
  readonly cpus: readonly Pcpu[];
  readonly domains: readonly DumpedDomain[];
}

export function debugKeyQ(host: DumpedHost): string {
  return consoleText(host.profile === '3.4' ? lines34(host) : lines417(host));
}

/** itself, its pages, those it shares with Xen, and its device models */
function references({ deviceModels }: DumpedDomain): number {
  return 3 + deviceModels;
}

/** Physical CPUs that hold registers of the domain (dirty_cpumask). */
function dirtyCpus({ domain }: DumpedDomain, dirtyMasks: boolean): string {
  if (!dirtyMasks) return '{}';
  const dirty = domain.vcpus.filter((v) => v.cpu.holds(v)).map((v) => v.cpu.cpu);
  return `{${ranges(dirty.sort((a, b) => a - b))}}`;
}

/** _VPF_blocked, _VPF_down, _VPF_blocked_in_xen */
function pauseFlags(v: Vcpu): number {
  const waits = v.blockedInXen ? 4 : Number(v.blocked);
  return waits | (v.state === 'offline' ? 2 : 0);
}

function interrupts({ irqs }: DumpedDomain): string {
  return `    Interrupts {${irqs.length > 0 ? ` ${ranges(irqs, ', ')}` : ''} }`;
}

/** `VCPU0: CPU3 [has=T]` */
function place(v: Vcpu): string {
  return `    VCPU${v.vcpu}: CPU${v.processor} [has=${v.cpu.current === v ? 'T' : 'F'}]`;
}

// 4.17

function lines417({ now, cpus, domains, dirtyMasks }: DumpedHost): string[] {
  const all = ranges(cpus.map((cpu) => cpu.cpu));
  const lines = [`'q' pressed -> dumping domain info (now = ${now})`];
  for (const dumped of domains) {
    const { domain, channels } = dumped;
    const { id } = domain;
    lines.push(
      `General information for domain ${id}:`,
      `    refcnt=${references(dumped)} dying=${bit(channels.isDying)} pause_count=${bit(dumped.paused === true)}`,
      `    dirty_cpus=${dirtyCpus(dumped, dirtyMasks)}`,
      ...dumped.archDomain,
      `Rangesets belonging to domain ${id}:`,
      ...dumped.rangesets,
      interrupts(dumped),
      `NODE affinity for domain ${id}: [0]`,
      `VCPU information and callbacks for domain ${id}:`,
      ...domain.vcpus.flatMap((v) => [
        `  UNIT${v.vcpu} affinities: hard={${ranges(v.affinity)}} soft={${all}}`,
        `${place(v)} ${events417(v, dumped)} ${dirtyMasks && v.cpu.holds(v) ? `dirty_cpu=${v.processor}` : ''}`,
        `    pause_count=${v.paused - Number(dumped.paused === true)} pause_flags=${hex(pauseFlags(v), 1)}`,
        ...dumped.archVcpu(v),
        'No periodic timer',
      ]),
    );
  }
  for (const { domain, channels } of domains) {
    for (const { vcpu } of domain.vcpus) {
      const port = channels.vcpus[vcpu]!.virqToEvtchn[VIRQ_DEBUG]!;
      lines.push(`Notifying guest ${domain.id}:${vcpu} (virq ${VIRQ_DEBUG}, port ${port})`);
    }
  }
  return lines;
}

function events417(v: Vcpu, dumped: DumpedDomain): string {
  const { pollEvtchn, info } = dumped.channels.vcpus[v.vcpu]!;
  const mask = Number(!dumped.takesEvents(v));
  return `poll=${pollEvtchn} upcall_pend=${hex(info.upcallPending)} upcall_mask=${hex(mask)}`;
}

// 3.4

function lines34({ now, domains, dirtyMasks }: DumpedHost): string[] {
  const high = Math.floor(now / 2 ** 32).toString(16);
  const low = hex(now % 2 ** 32, 8);
  const lines = [`'q' pressed -> dumping domain info (now=0x${high.toUpperCase()}:${low.toUpperCase()})`];
  for (const dumped of domains) {
    const { domain, channels } = dumped;
    lines.push(
      `General information for domain ${domain.id}:`,
      `    refcnt=${references(dumped)} dying=${bit(channels.isDying)} dirty_cpus=${dirtyCpus(dumped, dirtyMasks)}`,
      ...dumped.archDomain,
      `Rangesets belonging to domain ${domain.id}:`,
      interrupts(dumped),
      `VCPU information and callbacks for domain ${domain.id}:`,
      ...domain.vcpus.flatMap((v) => [
        vcpu34(v, channels),
        ...dumped.archVcpu(v),
        '    No periodic timer',
        `    Notifying guest (${debugVirq34(v, channels)})`,
      ]),
    );
  }
  return lines;
}

function vcpu34(v: Vcpu, channels: EvtchnDomain): string {
  const { pollEvtchn, info } = channels.vcpus[v.vcpu]!;
  const dirty = v.cpu.holds(v) ? `${v.processor}` : '';
  return (
    `${place(v)} flags=${hex(pauseFlags(v), 1)} poll=${pollEvtchn} ` +
    `upcall_pend = ${hex(info.upcallPending)}, upcall_mask = ${hex(info.upcallMask)} ` +
    `dirty_cpus={${dirty}} cpu_affinity={${ranges(v.affinity)}}`
  );
}

/** The port's bits: pending, masked, and that of its word in the selector. */
function debugVirq34(v: Vcpu, channels: EvtchnDomain): string {
  const { virqToEvtchn, info } = channels.vcpus[v.vcpu]!;
  const { evtchnPending, evtchnMask, wordBits } = channels.shared;
  const port = virqToEvtchn[VIRQ_DEBUG]!;
  const stat = [
    evtchnPending.has(port),
    evtchnMask.has(port),
    info.pendingSel.has(Math.floor(port / wordBits)),
  ];
  return `virq ${VIRQ_DEBUG}, port ${port}, stat ${stat.map(bit).join('/')}`;
}
