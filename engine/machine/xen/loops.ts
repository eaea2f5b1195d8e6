/** What goes on in the domains of any Xen host: arrivals from outside, closed loops and housekeeping inside. */
import { ms, type Ns, seconds, us } from '../../core/clock.ts';
import type { Stream } from '../../core/rng.ts';
import { Arrivals, type Pattern } from '../../devices/workload.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { Thread } from '../../guest/linux/threads.ts';
import { FLOWS, FROM_GUEST, packetOf, WANTS_REPLY } from '../../guest/linux/xen-drivers/net.ts';
import type { WorkloadSpec } from '../../scenario/xen-schema.ts';
import type { Workshop } from '../machine.ts';
import type { Fired } from './devices.ts';
import type { Booted, Running } from './split.ts';

/** check_interval of the machine check poll. */
const MCE_POLL: Ns = seconds(300);

/** What workloads need of a host. */
export interface LoopHost {
  readonly shop: Workshop;
  readonly devices: ReadonlyMap<string, Fired>;
}

/** Workloads that any host may have. */
export type CommonWorkload = Extract<
  WorkloadSpec,
  { what: 'device' | 'packets' | 'disk' | 'xenstore' | 'console' | 'calls' | 'compute' }
>;

/** Starts one. */
export function startCommon(host: LoopHost, running: Running, spec: CommonWorkload, name: string): void {
  switch (spec.what) {
    case 'device': {
      const device = host.devices.get(spec.device)!;
      arrivals(host, name, spec.pattern, () => device.fire());
      return;
    }
    case 'packets': {
      const receive = [...running.devices.receivers.values()][0];
      if (!receive) return;
      const flows = host.shop.rng.stream(`${name}.flow`);
      const flags = spec.reply ? WANTS_REPLY : 0;
      arrivals(host, name, spec.pattern, () => receive(packetOf(spec.domain, flows.below(FLOWS), flags)));
      return;
    }
    case 'disk':
      diskLoop(host, running, running.domains[spec.domain]!, spec, name);
      return;
    case 'xenstore':
    case 'console': {
      const booted = running.domains[spec.domain]!;
      const front = spec.what === 'xenstore' ? booted.store : booted.console;
      if (front) periodically(host, booted, name, spec.rate, us(30), (cpu) => front.write(cpu));
      return;
    }
    case 'calls': {
      const booted = running.domains[spec.domain]!;
      const { kernel } = booted.parts;
      periodically(host, booted, name, spec.rate, us(5), (cpu) => kernel.calls.many(cpu));
      return;
    }
    case 'compute':
      for (const cpu of running.domains[spec.domain]!.parts.kernel.cpus) {
        compute(host, running.domains[spec.domain]!, `${name}.${cpu.cpu}`, cpu.cpu, spec.share);
      }
      return;
  }
}

export function arrivals(host: LoopHost, name: string, pattern: Pattern, happen: () => void): void {
  const { shop } = host;
  shop.parts.add(new Arrivals(name, shop.clock, shop.rng.stream(name), pattern, happen)).start();
}

/** A thread that a timer wakes at random times; on each CPU of the domain in turn. */
export function periodically(
  host: LoopHost,
  booted: Booted,
  name: string,
  rate: number,
  cost: Ns,
  act: (cpu: LinuxCpu) => void,
): void {
  const { kernel } = booted.parts;
  const rng = host.shop.rng.stream(`${kernel.id}.${name}`);
  const gap = () => Math.round(rng.exponential((1e9 / rate) * kernel.cpuCount));
  for (const { cpu } of kernel.cpus) {
    const thread = kernel.thread(`${name}/${cpu}`, cpu, {
      cost: () => cost,
      run: (on) => {
        act(on);
        kernel.time.set(timer, on.now + gap(), on);
        return false;
      },
    });
    const timer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
    timer.expires = gap();
  }
}

/** Work of a driver's that the kernel's worker on a CPU does (schedule_work). */
export interface Scheduled {
  /** wakes the worker of this CPU */
  wakeWorker: (cpu: LinuxCpu) => void;
  /** @returns false: there was none */
  work(cpu: LinuxCpu): boolean;
}

/** What every kernel does: workers once a second on each CPU; on x86 machine check polls every five minutes. */
export function housekeeping(host: LoopHost, booted: Booted, scheduled?: Scheduled): void {
  const { kernel } = booted.parts;
  const rng = host.shop.rng.stream(`${kernel.id}.kworker`);
  const workers: Thread[] = [];
  if (scheduled) scheduled.wakeWorker = (on) => kernel.wake(workers[on.cpu]!, on);
  for (const { cpu } of kernel.cpus) {
    const worker = kernel.thread(`kworker/${cpu}:1`, cpu, {
      cost: () => us(10 + rng.below(40)),
      run: (on) => {
        if (scheduled?.work(on)) return false;
        kernel.time.set(timer, on.now + seconds(1) - ms(rng.below(20)), on);
        return false;
      },
    });
    workers.push(worker);
    const timer = kernel.time.timer(cpu, (on) => kernel.wake(worker, on));
    timer.expires = ms(20 + rng.below(980));
    // timers of subsystems that run now and then and wake nobody
    const quiet = kernel.time.timer(cpu, (on) => {
      kernel.time.set(quiet, on.now + Math.round(rng.exponential(ms(45))), on);
    });
    quiet.expires = ms(rng.below(45) + 1);
    if (kernel.profile.arch.endsWith('arm64')) continue;
    kernel.countArch('MCP', cpu);
    const poll = kernel.time.timer(cpu, (on) => {
      kernel.countArch('MCP', on.cpu);
      kernel.time.set(poll, on.now + MCE_POLL, on);
    });
    poll.expires = MCE_POLL;
  }
}

/** Closed loop: each job submits, waits for the disk, thinks, and submits again. */
function diskLoop(
  host: LoopHost,
  running: Running,
  booted: Booted,
  spec: Extract<WorkloadSpec, { what: 'disk' }>,
  name: string,
): void {
  const { kernel } = booted.parts;
  const rng: Stream = host.shop.rng.stream(`${kernel.id}.${name}`);
  const jobs: Thread[] = [];
  const think = (): Ns => Math.round(rng.exponential(spec.think * 1e6));
  const completed = (cpu: LinuxCpu, job: number) => {
    const timer = timers[job]!;
    if (spec.think === 0) kernel.wake(jobs[job]!, cpu);
    else kernel.time.set(timer, cpu.now + think(), cpu);
  };
  const submit = submitter(running, booted, completed);
  const timers = Array.from({ length: spec.jobs }, (_, job) => {
    const cpu = job % kernel.cpuCount;
    const thread = kernel.thread(`${name}.job${job}`, cpu, {
      cost: () => us(8 + rng.below(12)),
      run: (on) => {
        submit(on, job);
        return false;
      },
    });
    jobs.push(thread);
    // completions arrive on the ring's CPU; the job's own timer brings it back to its CPU
    const timer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
    timer.expires = think() + us(job);
    return timer;
  });
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

/** A thread on one CPU that computes in slices of up to 5 ms and sleeps in between. */
function compute(host: LoopHost, booted: Booted, name: string, cpu: number, share: number): void {
  const { kernel } = booted.parts;
  const rng = host.shop.rng.stream(`${kernel.id}.${name}`);
  let slice = 0;
  const thread = kernel.thread(name, cpu, {
    cost: () => {
      slice = us(200 + rng.below(4_800));
      return slice;
    },
    run: (on) => {
      if (share >= 1) return true;
      kernel.time.set(timer, on.now + Math.round((slice * (1 - share)) / share), on);
      return false;
    },
  });
  const timer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
  timer.expires = us(rng.below(5_000));
  host.shop.parts.add({
    id: `${kernel.id}.${name}.slice`,
    save: () => slice,
    restore: (state) => {
      slice = state as number;
    },
  });
}

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
