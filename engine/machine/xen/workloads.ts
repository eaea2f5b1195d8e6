/** What goes on in the domains of a Xen host: arrivals from outside, closed loops and housekeeping inside. */

import { type Ns, seconds, us } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import { NoSpace } from '../../guest/linux/irq-info.ts';
import type { NativeLinuxCpu } from '../../guest/linux/native-entry.ts';
import type { KernelTimer } from '../../guest/linux/time.ts';
import { Reopener } from '../../guest/linux/xen-drivers/reopen.ts';
import type { XenGuest } from '../../guest/linux/xen-side.ts';
import { BREAKPOINT, DEBUG, DEVICE_NOT_AVAILABLE, type HvmCpu } from '../../hv/xen/x86/hvm-cpu.ts';
import { FREE_PAGE } from '../../hv/xen/x86/vmce.ts';
import type { FAULTS, WorkloadSpec } from '../../scenario/xen-schema.ts';
import { arrivals, housekeeping, LOOK, periodically } from '../loops.ts';
import { startXenX86 } from '../microbenchmarks/xen-x86.ts';
import type { X86Running } from './boot.ts';
import { chatter } from './chatter.ts';
import { serve, startCommon } from './common-workloads.ts';
import type { XenHost } from './host.ts';
import type { Booted, Running } from './split.ts';

export function startWorkloads(host: XenHost, running: X86Running): void {
  for (const booted of running.domains) {
    housekeeping(host.shop, booted.parts.kernel, booted.parts === host.dom0 ? running.mcelog : undefined);
  }
  host.scenario.workloads.forEach((spec, i) => {
    if (spec.what === 'microbenchmark') startXenX86(host, spec.domain, { ...spec, order: i });
    else if (spec.what === 'chatter') chatter(host, running, spec, `chatter${i}`, i);
    else start(host, running, spec, `${spec.what}${i}`);
  });
  for (const booted of running.domains) serve(host, booted);
}

type PlainSpec = Exclude<WorkloadSpec, { what: 'microbenchmark' | 'chatter' }>;

function start(host: XenHost, running: Running, spec: PlainSpec, name: string): void {
  switch (spec.what) {
    case 'locks':
      locks(host, running.domains[spec.domain]!, name, spec.rate);
      return;
    case 'faults': {
      const act = faults(spec.kind);
      const what = `dom${spec.domain} faults: ${spec.kind}`;
      const { kernel } = running.domains[spec.domain]!.parts;
      periodically(host.shop, kernel, name, what, spec.rate, us(3), (cpu) =>
        act((cpu as NativeLinuxCpu).hardware as HvmCpu),
      );
      return;
    }
    case 'reopen': {
      const { kernel } = running.domains[spec.domain]!;
      if (kernel) reopen(kernel, seconds(spec.from));
      return;
    }
    case 'nmi': {
      const rng = host.shop.rng.stream(`${name}.cpu`);
      const targets = nmiTargets(host, spec.domain);
      const pattern = { kind: 'poisson', rate: spec.rate } as const;
      arrivals(
        host.shop,
        name,
        `NMIs of dom${spec.domain}`,
        pattern,
        targets[0] ? () => targets[rng.below(targets.length)]!() : () => {},
      );
      return;
    }
    case 'machine-check': {
      const pattern = { kind: 'poisson', rate: spec.rate } as const;
      arrivals(host.shop, name, `${spec.error} machine checks`, pattern, () =>
        host.xen.mce.raise(spec.error, spec.domain ?? FREE_PAGE),
      );
      return;
    }
    default:
      startCommon(host, running, spec, name);
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
    case 'int3':
      return (cpu) => cpu.fault(BREAKPOINT);
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

/** Where no channel is left its driver says so, and that is all. */
function reopen(kernel: XenGuest, from: Ns): void {
  try {
    new Reopener(kernel, from);
  } catch (error) {
    if (!(error instanceof NoSpace)) throw error;
    kernel.log.push(`reopen: ${error.message}`);
  }
}

/** A paravirtual lock is contended: one CPU polls its lock channel until the holder, on the next CPU, kicks it. */
function locks(host: XenHost, booted: Booted, name: string, rate: number): void {
  const { kernel } = booted;
  if (!kernel) return;
  if (kernel.cpuCount < 2 || kernel.profile.sharedPercpu || !kernel.profile.bootCpu.includes('spinlock'))
    return;
  const rng = host.shop.rng.stream(`${kernel.id}.${name}`);
  const source = host.shop.sources.add({
    name,
    what: `${kernel.id} contends for a lock`,
    rate,
    unit: 'a second',
  });
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
    const gap = () => Math.round(rng.exponential((1e9 / source.rate) * kernel.cpuCount));
    const thread = kernel.thread(`${name}/${cpu}`, cpu, {
      cost: () => us(1),
      run: (on) => {
        if (waiter.step(on)) return true;
        kernel.time.set(timer, on.now + (source.rate > 0 ? gap() : LOOK), on);
        return false;
      },
    });
    const timer = kernel.time.timer(cpu, (on) => {
      if (source.rate > 0) kernel.wake(thread, on);
      else kernel.time.set(timer, on.now + LOOK, on);
    });
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
