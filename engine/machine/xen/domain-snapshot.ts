/** What CPUs and domains of a Xen host tell, whatever machine it is. */
import type { Ns } from '../../core/clock.ts';
import type { IrqDesc } from '../../guest/linux/irq-core.ts';
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import type { Pcpu } from '../../hv/pcpu.ts';
import type { Vcpu } from '../../hv/vcpu.ts';
import type { Domain } from '../../hv/xen/domain.ts';
import type { DomainControl } from '../../hv/xen/domain-control.ts';
import type { EventChannels } from '../../hv/xen/evtchn.ts';
import type { ChannelInfo } from '../../hv/xen/evtchn-types.ts';
import type {
  ChannelSnapshot,
  CpuSnapshot,
  DomainSnapshot,
  IrqState,
  VcpuSnapshot,
  XlSnapshot,
} from '../inspect.ts';
import { lasting, linuxSnapshot } from '../linux-snapshot.ts';
import type { Runner } from '../machine.ts';
import type { SplitHost } from './split.ts';

/**
 * @param vcpus of all domains
 * @param levelOf how the processor runs while this one has it, or nobody, in the guest or in Xen
 */
export function cpuSnapshots(
  cpus: readonly Pcpu[],
  vcpus: readonly Vcpu[],
  now: Ns,
  levelOf: (v: Vcpu | null, inXen: boolean) => string,
): CpuSnapshot[] {
  const waiting = vcpus.filter((v) => v.state === 'runnable').sort((a, b) => a.since - b.since);
  return cpus.map((cpu) => {
    const guestNs = cpu.guestTime();
    const xenNs = cpu.xenTime();
    return {
      cpu: cpu.cpu,
      running: cpu.current ? cpu.current.name : null,
      mode: cpu.inXen ? 'xen' : cpu.current ? 'guest' : 'idle',
      guestNs,
      xenNs,
      idleNs: Math.max(0, now - guestNs - xenNs),
      level: levelOf(cpu.current, cpu.inXen || cpu.current === null),
      queue: waiting.filter((v) => v.cpu === cpu).map((v) => v.name),
      switches: cpu.switches,
      exits: cpu.exits,
    };
  });
}

/** Who has a CPU: a virtual CPU by its index, or nobody. */
export function xenRunner(vcpus: readonly Vcpu[], vcpu: number): Runner {
  const v = vcpus[vcpu];
  return v ? { domain: v.domain, name: v.name } : { domain: null, name: 'idle' };
}

/** An interrupt that is no event channel: does one wait, and is it held back? */
export type OtherState = (desc: IrqDesc) => Pick<IrqState, 'pending' | 'masked'>;

const NO_CHANNEL: OtherState = ({ depth, replay }) => ({ pending: replay, masked: depth > 0 });

/**
 * @param kind what sort of domain it is, in words
 * @param other of interrupts without an event channel
 */
export function domainSnapshot(
  domain: Domain,
  kernel: LinuxKernel,
  channels: readonly ChannelInfo[],
  kind: string,
  now: Ns,
  other: OtherState = NO_CHANNEL,
): DomainSnapshot {
  const byPort = new Map(channels.map((c) => [c.port, c]));
  const interrupts = kernel.interruptsFile();
  const descs = kernel.shownDescs();
  const irqStates: IrqState[] = interrupts.rows.map((row, i) => {
    const desc = descs[i]!;
    const own = desc.ports.map((p) => byPort.get(p)).filter((c) => c !== undefined);
    const state =
      own.length > 0
        ? { pending: own.some((c) => c.pending), masked: own.every((c) => c.masked) }
        : other(desc);
    const place = { active: desc.active > 0, port: desc.port === 0 ? null : desc.port };
    return { row, ...state, ...place, ...lasting(desc) };
  });
  const vcpus = domain.vcpus.map((v) => vcpuSnapshot(domain, v, now));
  return {
    id: domain.id,
    name: `dom${domain.id}`,
    kind,
    vcpus,
    interrupts,
    irqStates,
    ...linuxSnapshot(kernel, interrupts, vcpus, now),
    channels: channels.filter((c) => c.port !== 0).map(channelSnapshot),
  };
}

/** The queues of a guest's network interface and the rings of its disk are one device of each kind. */
export function xlSnapshot(
  { netbacks, blkbacks }: Pick<SplitHost, 'netbacks' | 'blkbacks'>,
  control: DomainControl,
  domain: number,
): XlSnapshot {
  const queues = netbacks[domain] ?? [];
  const rings = blkbacks[domain] ?? [];
  const received = queues.reduce((sum, q) => sum + q.received, 0);
  const sent = queues.reduce((sum, q) => sum + q.sent, 0);
  const requests = rings.reduce((sum, r) => sum + r.requests, 0);
  return {
    paused: control.isPaused(domain),
    end: control.endOf(domain),
    vifs: queues.length > 0 ? [{ received, sent }] : [],
    vbds: rings.length > 0 ? [{ requests }] : [],
  };
}

function vcpuSnapshot(domain: Domain, v: Domain['vcpus'][number], now: Ns): VcpuSnapshot {
  const times = v.runstate.times(now);
  const info = domain.shared.vcpus[v.vcpu]!;
  return {
    vcpu: v.vcpu,
    state: v.state,
    cpu: v.cpu.cpu,
    runNs: times.running,
    times,
    wakeUps: v.runstate.wakeUps,
    upcallPending: info.upcallPending !== 0,
    upcallMask: info.upcallMask !== 0,
    upcalls: v.upcalls,
  };
}

function channelSnapshot(c: ChannelInfo): ChannelSnapshot {
  return {
    port: c.port,
    kind: c.kind === 'reserved' ? 'unbound' : c.kind,
    vcpu: c.vcpu,
    pending: c.pending,
    masked: c.masked,
    ...(c.kept && { kept: true as const }),
    ...(c.priority !== null && { priority: c.priority }),
    peer: peer(c),
  };
}

/** Ports of a domain that the guest has closed and not let go of. */
export function closedBusyOf(channels: EventChannels, domain: number): Pick<DomainSnapshot, 'closedBusy'> {
  const closedBusy = channels.closedBusy(domain);
  return closedBusy.length > 0 ? { closedBusy } : {};
}

/** What is at the other end. */
export function peer(c: ChannelInfo): string {
  switch (c.kind) {
    case 'interdomain':
      return `dom${c.remoteDom}:${c.remotePort}`;
    case 'unbound':
      return `waits for dom${c.remoteDom}`;
    case 'pirq':
      return `pirq ${c.pirq} (irq ${c.irq})`;
    case 'virq':
      return `virq ${c.virq}`;
    default:
      return '';
  }
}
