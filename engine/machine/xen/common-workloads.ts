/** Workloads that the domains of any Xen host may have. */
import { us } from '../../core/clock.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import { FLOWS, FROM_GUEST, packetOf, WANTS_REPLY } from '../../guest/linux/xen-drivers/net.ts';
import type { WorkloadSpec } from '../../scenario/xen-schema.ts';
import { arrivals, compute, diskLoop, flood, periodically } from '../loops.ts';
import type { Workshop } from '../machine.ts';
import type { Fired } from './devices.ts';
import type { Booted, Running } from './split.ts';

/** What workloads need of a host. */
export interface LoopHost {
  readonly shop: Workshop;
  readonly devices: ReadonlyMap<string, Fired>;
}

/** Workloads that any host may have. */
export type CommonWorkload = Extract<
  WorkloadSpec,
  { what: 'device' | 'packets' | 'disk' | 'xenstore' | 'console' | 'calls' | 'compute' | 'events' }
>;

/** Starts one. */
export function startCommon(host: LoopHost, running: Running, spec: CommonWorkload, name: string): void {
  switch (spec.what) {
    case 'device': {
      const device = host.devices.get(spec.device)!;
      arrivals(host.shop, name, `${spec.device} fires`, spec.pattern, () => device.fire());
      return;
    }
    case 'packets': {
      const receive = [...running.devices.receivers.values()][0];
      if (!receive) return;
      const flows = host.shop.rng.stream(`${name}.flow`);
      const flags = spec.reply ? WANTS_REPLY : 0;
      arrivals(host.shop, name, `packets for dom${spec.domain}`, spec.pattern, () =>
        receive(packetOf(spec.domain, flows.below(FLOWS), flags)),
      );
      return;
    }
    case 'disk': {
      const booted = running.domains[spec.domain]!;
      diskLoop(host.shop, booted.parts.kernel, spec, name, (completed) =>
        submitter(running, booted, completed),
      );
      return;
    }
    case 'xenstore':
    case 'console': {
      const booted = running.domains[spec.domain]!;
      const front = spec.what === 'xenstore' ? booted.store : booted.console;
      if (front) {
        const what = `dom${spec.domain} writes to ${spec.what === 'xenstore' ? 'xenstore' : 'its console'}`;
        periodically(host.shop, booted.parts.kernel, name, what, spec.rate, us(30), (cpu) =>
          front.write(cpu),
        );
      }
      return;
    }
    case 'calls': {
      const booted = running.domains[spec.domain]!;
      const { kernel } = booted.parts;
      const what = `dom${spec.domain} function calls`;
      periodically(host.shop, kernel, name, what, spec.rate, us(5), (cpu) => kernel.calls.many(cpu));
      return;
    }
    case 'events': {
      const { netfronts, parts } = running.domains[spec.domain]!;
      const [front] = netfronts;
      if (!front) return;
      flood(host.shop, parts.kernel, name, `dom${spec.domain} sends empty events`, spec, (cpu) =>
        front.notify(cpu),
      );
      return;
    }
    case 'compute': {
      const { kernel } = running.domains[spec.domain]!.parts;
      compute(host.shop, kernel, name, (cpu) => `${name}.${cpu}`, spec.share);
      return;
    }
  }
}

/** How a domain reaches its disk: a guest by its rings, dom0 by the driver. Tags are shared by all its jobs. */
function submitter(
  running: Running,
  booted: Booted,
  completed: (cpu: LinuxCpu, job: number) => void,
): (cpu: LinuxCpu, job: number) => void {
  const { blkfronts } = booted;
  const { emulated } = booted;
  if (emulated && blkfronts.length === 0) {
    const owner = emulated.owner(completed);
    return (cpu, job) => emulated.submit(cpu, owner, job);
  }
  if (blkfronts.length > 0) {
    const base = tagBase(booted, completed);
    return (cpu, job) => blkfronts[cpu.cpu % blkfronts.length]!.submit(cpu, base + job);
  }
  if (running.devices.disks.size === 0) return () => {};
  const disk = running.devices.diskNamed(undefined);
  const owner = disk.owner(completed);
  return (cpu, job) => disk.submit(cpu, owner, job);
}

const TAGS = 1_000;

/** Several loops of one domain share its rings: each gets a range of tags. */
function tagBase(booted: Booted, completed: (cpu: LinuxCpu, job: number) => void): number {
  const owners = loops.get(booted) ?? [];
  loops.set(booted, owners);
  owners.push(completed);
  for (const front of booted.blkfronts) {
    front.complete = (cpu, tag) => owners[Math.floor(tag / TAGS)]!(cpu, tag % TAGS);
  }
  return (owners.length - 1) * TAGS;
}

const loops = new WeakMap<Booted, ((cpu: LinuxCpu, job: number) => void)[]>();

/** Packets that wait for a server. */
const SOCKET_BUFFER = 256;

/** A server in each guest answers the packets that want it. */
export function serve(host: LoopHost, booted: Booted): void {
  const { netfronts, parts } = booted;
  const { kernel, domain } = parts;
  netfronts.forEach((front, q) => {
    let waiting = 0;
    const thread = kernel.thread(`server/${q}`, q % kernel.cpuCount, {
      cost: () => us(12),
      run: (cpu) => {
        if (waiting > 0) {
          waiting--;
          front.xmit(cpu, packetOf(domain.id, q, FROM_GUEST));
        }
        return waiting > 0;
      },
    });
    front.receiver = (cpu, packet) => {
      if ((packet & WANTS_REPLY) === 0) return;
      // what its socket has no room for is lost
      if (waiting < SOCKET_BUFFER) waiting++;
      kernel.wake(thread, cpu);
    };
    host.shop.parts.add({
      id: `${kernel.id}.server${q}`,
      save: () => waiting,
      restore: (state) => {
        waiting = state as number;
      },
    });
  });
}
