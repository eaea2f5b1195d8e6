/** Chatter: a driver of dom0 is at the other end of further channels of a guest, and sends events as a pattern has it. */
import { type Ns, us } from '../../core/clock.ts';
import type { Plain } from '../../core/state.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import { NoSpace } from '../../guest/linux/irq-info.ts';
import type { KernelTimer } from '../../guest/linux/time.ts';
import type { WorkloadSpec } from '../../scenario/xen-schema.ts';
import { LOOK, QUIET } from '../loops.ts';
import type { XenHost } from './host.ts';
import type { Booted, Running } from './split.ts';

export type ChatterSpec = Extract<WorkloadSpec, { what: 'chatter' }>;

/** The channels of a domain that chatter uses. */
export function usedBy(workloads: readonly WorkloadSpec[], domain: number): Map<number, number | undefined> {
  const used = new Map<number, number | undefined>();
  for (const w of workloads) {
    if (w.what !== 'chatter' || w.domain !== domain) continue;
    for (let i = 0; i < w.channels; i++) used.set(w.first + i, w.vcpu);
  }
  return used;
}

/** Between two events that are no further apart dom0's thread does not sleep. */
const SPIN: Ns = us(50);
/** what it takes to send one */
const SEND: Ns = us(1);

/** @param order of the workload in its scenario: threads of several are spread over dom0's CPUs */
export function chatter(
  host: XenHost,
  { domains }: Running,
  spec: ChatterSpec,
  name: string,
  order: number,
): void {
  const ports = connect(host, domains[spec.domain]!, spec);
  if (ports.length === 0) return; // the guest had no room for them
  const { kernel } = host.dom0;
  const { shop } = host;
  const { pattern } = spec;
  const rng = shop.rng.stream(name);
  const source = shop.sources.add({
    name,
    what: `events for channels of dom${spec.domain}`,
    rate: pattern.rate,
    unit: 'a second',
  });
  const flow = { wait: 0, burstEnd: 0 };
  const gap = (now: Ns): Ns => {
    const next = Math.round(
      pattern.kind === 'periodic' ? 1e9 / source.rate : rng.exponential(1e9 / source.rate),
    );
    if (pattern.kind !== 'bursts' || now + next <= flow.burstEnd) return next;
    const off = Math.round(rng.exponential(pattern.off * 1e9));
    flow.burstEnd = now + off + Math.round(rng.exponential(pattern.on * 1e9));
    return off;
  };
  const sleep = (on: LinuxCpu, ns: Ns): boolean => {
    flow.wait = 0;
    kernel.time.set(timer, on.now + ns, on);
    return false;
  };
  const cpu = order % kernel.cpuCount;
  const thread = kernel.thread(name, cpu, {
    cost: () => SEND + flow.wait,
    run: (on) => {
      if (source.rate <= 0) return sleep(on, LOOK);
      kernel.hypercalls(cpu).send(ports[rng.below(ports.length)]!);
      const next = gap(on.now);
      if (next > SPIN) return sleep(on, next);
      flow.wait = Math.max(0, next - SEND);
      return true;
    },
  });
  const timer: KernelTimer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
  timer.expires = gap(0);
  shop.parts.add({
    id: `${kernel.id}.${name}.flow`,
    save: (): Plain => [flow.wait, flow.burstEnd],
    restore: (state) => {
      [flow.wait, flow.burstEnd] = state as [number, number];
    },
  });
}

/** dom0's ends, as far as it has interrupts for them; the answer is their ports. */
function connect(host: XenHost, { further }: Booted, spec: ChatterSpec): number[] {
  const { kernel } = host.dom0;
  const all = kernel.cpus.map((c) => c.cpu);
  const ports: number[] = [];
  for (const [i, channel] of further.slice(spec.first, spec.first + spec.channels).entries()) {
    const name = `channel${spec.domain}.${spec.first + i}`;
    try {
      const desc = kernel.events.bindInterdomain(spec.domain, channel.port, false);
      kernel.irqs.request(desc, { name, work: QUIET }, all);
      ports.push(desc.port);
    } catch (error) {
      if (!(error instanceof NoSpace)) throw error;
      kernel.log.push(`${name}: ${error.message}`);
      break;
    }
    channel.takes = us(spec.handler);
  }
  return ports;
}
