/** What goes on in the domains of a Xen host: arrivals from outside, closed loops and housekeeping inside. */

import { ms, type Ns, seconds, us } from '../../core/clock.ts';
import type { Stream } from '../../core/rng.ts';
import type { Part, Plain } from '../../core/state.ts';
import { Arrivals, type Pattern } from '../../devices/workload.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { NativeLinuxCpu } from '../../guest/linux/native-entry.ts';
import type { Thread } from '../../guest/linux/threads.ts';
import type { KernelTimer } from '../../guest/linux/time.ts';
import { FLOWS, FROM_GUEST, packetOf, WANTS_REPLY } from '../../guest/linux/xen-drivers/net.ts';
import type { XenGuest } from '../../guest/linux/xen-side.ts';
import { DEBUG, DEVICE_NOT_AVAILABLE, type HvmCpu } from '../../hv/xen/x86/hvm-cpu.ts';
import type { FAULTS, WorkloadSpec } from '../../scenario/xen-schema.ts';
import type { Booted, Running } from './boot.ts';
import type { XenHost } from './host.ts';

/** check_interval of the machine check poll. */
const MCE_POLL: Ns = seconds(300);

export function startWorkloads(host: XenHost, running: Running): void {
  for (const booted of running.domains) housekeeping(host, booted);
  host.scenario.workloads.forEach((spec, i) => {
    start(host, running, spec, `${spec.what}${i}`);
  });
  for (const booted of running.domains) serve(host, booted);
}

function start(host: XenHost, running: Running, spec: WorkloadSpec, name: string): void {
  switch (spec.what) {
    case 'device': {
      const device = fired(host, spec.device);
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
    case 'locks':
      locks(host, running.domains[spec.domain]!, name, spec.rate);
      return;
    case 'faults': {
      const act = faults(spec.kind);
      periodically(host, running.domains[spec.domain]!, name, spec.rate, us(3), (cpu) =>
        act((cpu as NativeLinuxCpu).hardware as HvmCpu),
      );
      return;
    }
    case 'nmi': {
      const rng = host.shop.rng.stream(`${name}.cpu`);
      const targets = nmiTargets(host, spec.domain);
      const pattern = { kind: 'poisson', rate: spec.rate } as const;
      arrivals(host, name, pattern, targets[0] ? () => targets[rng.below(targets.length)]!() : () => {});
    }
  }
}

function faults(kind: (typeof FAULTS)[number]): (cpu: HvmCpu) => void {
  switch (kind) {
    case 'page':
      return (cpu) => cpu.touch();
    case 'cpuid':
      return (cpu) => cpu.cpuid();
    case 'debug':
      return (cpu) => cpu.fault(DEBUG);
    case 'fpu':
      return (cpu) => cpu.fault(DEVICE_NOT_AVAILABLE);
    case 'cr':
      return (cpu) => cpu.movCr(0);
    case 'cr3':
      return (cpu) => cpu.movCr(3);
    case 'dr':
      return (cpu) => cpu.movDr();
    case 'task':
      return (cpu) => cpu.taskSwitch();
    case 'rdtsc':
      return (cpu) => cpu.rdtsc();
    case 'invlpg':
      return (cpu) => cpu.invlpg();
    case 'triple':
      return (cpu) => cpu.tripleFault();
  }
}

/** Each makes an NMI at a processor of the host, or sends one to a virtual CPU (XEN_DOMCTL_SENDTRIGGER_NMI). */
function nmiTargets(host: XenHost, domain: number): (() => void)[] {
  if (domain === 0) return host.xen.cpus.map((cpu) => () => cpu.nmi());
  return host.xen.hvm[domain]!.chips.vcpus.map((v) => () => v.pendNmi());
}

function fired(host: XenHost, name: string) {
  return host.devices.get(name)!;
}

function arrivals(host: XenHost, name: string, pattern: Pattern, happen: () => void): void {
  const { shop } = host;
  shop.parts.add(new Arrivals(name, shop.clock, shop.rng.stream(name), pattern, happen)).start();
}

/** A thread that a timer wakes at random times; on each CPU of the domain in turn. */
function periodically(
  host: XenHost,
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

/** What every kernel does: workers once a second on each CPU, machine check polls every five minutes. */
function housekeeping(host: XenHost, booted: Booted): void {
  const { kernel } = booted.parts;
  const rng = host.shop.rng.stream(`${kernel.id}.kworker`);
  for (const { cpu } of kernel.cpus) {
    const worker = kernel.thread(`kworker/${cpu}:1`, cpu, {
      cost: () => us(10 + rng.below(40)),
      run: (on) => {
        kernel.time.set(timer, on.now + seconds(1) - ms(rng.below(20)), on);
        return false;
      },
    });
    const timer = kernel.time.timer(cpu, (on) => kernel.wake(worker, on));
    timer.expires = ms(20 + rng.below(980));
    // timers of subsystems that run now and then and wake nobody
    const quiet = kernel.time.timer(cpu, (on) => {
      kernel.time.set(quiet, on.now + Math.round(rng.exponential(ms(45))), on);
    });
    quiet.expires = ms(rng.below(45) + 1);
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
  host: XenHost,
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
  const emulated = booted.parts.hvm?.pc?.disks[0];
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
function compute(host: XenHost, booted: Booted, name: string, cpu: number, share: number): void {
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

/** A paravirtual lock is contended: one CPU polls its lock channel until the holder, on the next CPU, kicks it. */
function locks(host: XenHost, booted: Booted, name: string, rate: number): void {
  const { kernel } = booted;
  if (!kernel) return;
  if (kernel.cpuCount < 2 || kernel.profile.sharedPercpu || !kernel.profile.bootCpu.includes('spinlock'))
    return;
  const rng = host.shop.rng.stream(`${kernel.id}.${name}`);
  for (const { cpu } of kernel.cpus) {
    const holder = (cpu + 1) % kernel.cpuCount;
    const release = kernel.time.timer(holder, (on) => kernel.sendIpi('spinlock', cpu, on));
    const waiter = new LockWaiter(
      `${kernel.id}.${name}.${cpu}`,
      kernel,
      cpu,
      () => us(20 + rng.below(180)),
      release,
    );
    host.shop.parts.add(waiter);
    const gap = () => Math.round(rng.exponential((1e9 / rate) * kernel.cpuCount));
    const thread = kernel.thread(`${name}/${cpu}`, cpu, {
      cost: () => us(1),
      run: (on) => {
        if (waiter.step(on)) return true;
        kernel.time.set(timer, on.now + gap(), on);
        return false;
      },
    });
    const timer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
    timer.expires = gap();
  }
}

/** xen_qlock_wait: clears a stale kick, then polls. */
class LockWaiter implements Part {
  private waiting = false;

  constructor(
    readonly id: string,
    private readonly kernel: XenGuest,
    private readonly cpu: number,
    private readonly held: () => Ns,
    private readonly release: KernelTimer,
  ) {}

  /** True while the lock is wanted. */
  step(on: LinuxCpu): boolean {
    if (this.waiting) {
      this.waiting = false;
      return false;
    }
    const port = this.kernel.events.ipi('spinlock', this.cpu);
    this.kernel.events.clearPolled(port);
    this.waiting = true;
    this.kernel.time.set(this.release, on.now + this.held(), on);
    on.pollFor(port);
    return true;
  }

  save(): Plain {
    return this.waiting;
  }

  restore(state: Plain): void {
    this.waiting = state as boolean;
  }
}

/** Packets that wait for a server. */
const SOCKET_BUFFER = 256;

/** A server in each guest answers the packets that want it. */
function serve(host: XenHost, booted: Booted): void {
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
