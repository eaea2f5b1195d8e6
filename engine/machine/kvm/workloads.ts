/** What goes on on a KVM host and in its machines: arrivals from outside, closed loops and housekeeping inside. */
import { ms, type Ns, seconds, us } from '../../core/clock.ts';
import { Arrivals, type Pattern } from '../../devices/workload.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { NativeKernel } from '../../guest/linux/native.ts';
import type { NativeLinuxCpu } from '../../guest/linux/native-entry.ts';
import type { Thread } from '../../guest/linux/threads.ts';
import type { Disk } from '../../guest/linux/xen-drivers/block.ts';
import { FLOWS, packetOf, WANTS_REPLY } from '../../guest/linux/xen-drivers/net.ts';
import { BREAKPOINT, DEVICE_NOT_AVAILABLE, type KvmCpu } from '../../hv/kvm/instructions.ts';
import type { KvmWorkloadSpec } from '../../scenario/kvm-schema.ts';
import type { KvmHost } from './host.ts';

/** check_interval of the machine check poll. */
const MCE_POLL: Ns = seconds(300);

interface Kernel {
  readonly kernel: NativeKernel;
  readonly disks: readonly Disk[];
}

export function startWorkloads(host: KvmHost): void {
  const kernels: Kernel[] = [{ kernel: host.kernel, disks: [...host.devices.disks.values()] }, ...host.vms];
  for (const { kernel } of kernels) housekeeping(host, kernel);
  host.scenario.workloads.forEach((spec, i) => {
    start(host, kernels, spec, `${spec.what}${i}`);
  });
}

function start(host: KvmHost, kernels: readonly Kernel[], spec: KvmWorkloadSpec, name: string): void {
  switch (spec.what) {
    case 'device': {
      const device = host.fired(spec.device)!;
      arrivals(host, name, spec.pattern, () => device.fire());
      return;
    }
    case 'packets': {
      const { card } = host.devices.nic!;
      const flows = host.shop.rng.stream(`${name}.flow`);
      const flags = spec.reply ? WANTS_REPLY : 0;
      arrivals(host, name, spec.pattern, () => card.receive(packetOf(spec.vm, flows.below(FLOWS), flags)));
      return;
    }
    case 'disk':
      diskLoop(host, kernels[spec.vm]!, spec, name);
      return;
    case 'compute':
      for (const { cpu } of kernels[spec.vm]!.kernel.cpus) {
        compute(host, kernels[spec.vm]!.kernel, `${name}/${cpu}`, cpu, spec.share);
      }
      return;
    case 'calls':
      periodically(host, kernels[spec.vm]!.kernel, name, spec.rate, us(5), (cpu) =>
        cpu.kernel.calls.many(cpu),
      );
      return;
    case 'faults': {
      const act = faults(spec.kind);
      periodically(host, kernels[spec.vm]!.kernel, name, spec.rate, us(3), (cpu) =>
        act((cpu as NativeLinuxCpu).hardware as KvmCpu),
      );
      return;
    }
    case 'nmi': {
      const rng = host.shop.rng.stream(`${name}.cpu`);
      const lapics = spec.vm === 0 ? host.board.lapics : host.vms[spec.vm - 1]!.vm.vcpus.map((v) => v.apic);
      const pattern = { kind: 'poisson', rate: spec.rate } as const;
      arrivals(host, name, pattern, () => lapics[rng.below(lapics.length)]!.accept(4, 2, true, false));
    }
  }
}

function faults(kind: 'page' | 'cpuid' | 'breakpoint' | 'fpu'): (cpu: KvmCpu) => void {
  switch (kind) {
    case 'page':
      return (cpu) => cpu.touch();
    case 'cpuid':
      return (cpu) => cpu.cpuid();
    case 'breakpoint':
      return (cpu) => cpu.fault(BREAKPOINT);
    default:
      return (cpu) => cpu.fault(DEVICE_NOT_AVAILABLE);
  }
}

function arrivals(host: KvmHost, name: string, pattern: Pattern, happen: () => void): void {
  const { shop } = host;
  shop.parts.add(new Arrivals(name, shop.clock, shop.rng.stream(name), pattern, happen)).start();
}

/** A thread that a timer wakes at random times; on each CPU of the machine in turn. */
function periodically(
  host: KvmHost,
  kernel: NativeKernel,
  name: string,
  rate: number,
  cost: Ns,
  act: (cpu: LinuxCpu) => void,
): void {
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
function housekeeping(host: KvmHost, kernel: NativeKernel): void {
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
  host: KvmHost,
  { kernel, disks }: Kernel,
  spec: Extract<KvmWorkloadSpec, { what: 'disk' }>,
  name: string,
): void {
  const rng = host.shop.rng.stream(`${kernel.id}.${name}`);
  const disk = disks[0]!;
  const jobs: Thread[] = [];
  const owner = disk.owner((cpu, job) => {
    if (spec.think === 0) kernel.wake(jobs[job]!, cpu);
    else kernel.time.set(timers[job]!, cpu.now + Math.round(rng.exponential(spec.think * 1e6)), cpu);
  });
  const timers = Array.from({ length: spec.jobs }, (_, job) => {
    const cpu = job % kernel.cpuCount;
    const timer = kernel.time.timer(cpu, (on) => kernel.wake(jobs[job]!, on));
    timer.expires = ms(1 + rng.below(20));
    return timer;
  });
  for (let job = 0; job < spec.jobs; job++) {
    jobs.push(
      kernel.thread(`${name}.${job}`, job % kernel.cpuCount, {
        cost: () => us(8),
        run: (cpu) => {
          disk.submit(cpu, owner, job);
          return false;
        },
      }),
    );
  }
}

/** A thread that computes for a share of the time, in stretches of a few milliseconds. */
function compute(host: KvmHost, kernel: NativeKernel, name: string, cpu: number, share: number): void {
  const rng = host.shop.rng.stream(`${kernel.id}.${name}`);
  const mean = ms(3);
  let burst = mean;
  const thread = kernel.thread(name, cpu, {
    cost: () => burst,
    run: (on) => {
      const rest = share >= 1 ? 0 : Math.round((burst * (1 - share)) / share);
      burst = Math.round(rng.exponential(mean)) + us(50);
      if (rest === 0) return true;
      kernel.time.set(timer, on.now + rest, on);
      return false;
    },
  });
  const timer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
  timer.expires = us(100 + rng.below(3_000));
  host.shop.parts.add({
    id: `${kernel.id}.compute.${name}`,
    save: () => burst,
    restore: (state) => {
      burst = state as number;
    },
  });
}
