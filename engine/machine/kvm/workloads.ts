/** What goes on on a KVM host and in its machines: arrivals from outside, loops and housekeeping inside. */
import { MSR_SINT0, sint } from '../../abi/hyperv.ts';
import { us } from '../../core/clock.ts';
import type { NativeKernel } from '../../guest/linux/native.ts';
import type { NativeLinuxCpu } from '../../guest/linux/native-entry.ts';
import type { Disk } from '../../guest/linux/xen-drivers/block.ts';
import { FLOWS, packetOf, WANTS_REPLY } from '../../guest/linux/xen-drivers/net.ts';
import { BREAKPOINT, DEVICE_NOT_AVAILABLE, type KvmCpu } from '../../hv/kvm/instructions.ts';
import type { KvmWorkloadSpec } from '../../scenario/kvm-schema.ts';
import { arrivals, compute, diskLoop, housekeeping, periodically } from '../loops.ts';
import { startKvm } from '../microbenchmarks/kvm.ts';
import type { KvmHost } from './host.ts';

interface Kernel {
  readonly kernel: NativeKernel;
  readonly disks: readonly Disk[];
}

export function startWorkloads(host: KvmHost): void {
  const kernels: Kernel[] = [{ kernel: host.kernel, disks: [...host.devices.disks.values()] }, ...host.vms];
  for (const { kernel } of kernels) housekeeping(host.shop, kernel);
  host.scenario.workloads.forEach((spec, i) => {
    if (spec.what === 'microbenchmark') startKvm(host, host.vms[spec.vm - 1]!, { ...spec, order: i });
    else start(host, kernels, spec, `${spec.what}${i}`);
  });
}

type PlainSpec = Exclude<KvmWorkloadSpec, { what: 'microbenchmark' }>;

function start(host: KvmHost, kernels: readonly Kernel[], spec: PlainSpec, name: string): void {
  switch (spec.what) {
    case 'device': {
      const device = host.fired(spec.device)!;
      arrivals(host.shop, name, `${spec.device} fires`, spec.pattern, () => device.fire());
      return;
    }
    case 'packets': {
      const { card } = host.devices.nic!;
      const flows = host.shop.rng.stream(`${name}.flow`);
      const flags = spec.reply ? WANTS_REPLY : 0;
      const what = `packets for ${spec.vm === 0 ? 'the host' : kernels[spec.vm]!.kernel.id}`;
      arrivals(host.shop, name, what, spec.pattern, () =>
        card.receive(packetOf(spec.vm, flows.below(FLOWS), flags)),
      );
      return;
    }
    case 'disk': {
      const { kernel, disks } = kernels[spec.vm]!;
      diskLoop(host.shop, kernel, spec, name, (completed) => {
        const owner = disks[0]!.owner(completed);
        return (cpu, job) => disks[0]!.submit(cpu, owner, job);
      });
      return;
    }
    case 'compute':
      compute(host.shop, kernels[spec.vm]!.kernel, name, (cpu) => `${name}/${cpu}`, spec.share);
      return;
    case 'calls':
      calls(host, kernels[spec.vm]!.kernel, name, spec.rate);
      return;
    case 'faults': {
      const act = faults(spec.kind);
      const { kernel } = kernels[spec.vm]!;
      const what = `${kernel.id} faults: ${spec.kind}`;
      periodically(host.shop, kernel, name, what, spec.rate, us(3), (cpu) =>
        act((cpu as NativeLinuxCpu).hardware as KvmCpu),
      );
      return;
    }
    case 'autoeoi': {
      const { kernel } = host.vms[spec.vm - 1]!;
      autoEoi(host, kernel, spec, name);
      return;
    }
    case 'nmi': {
      const rng = host.shop.rng.stream(`${name}.cpu`);
      const lapics = spec.vm === 0 ? host.board.lapics : host.vms[spec.vm - 1]!.vm.vcpus.map((v) => v.apic);
      const pattern = { kind: 'poisson', rate: spec.rate } as const;
      const what = `NMIs of ${kernels[spec.vm]!.kernel.id}`;
      arrivals(host.shop, name, what, pattern, () =>
        lapics[rng.below(lapics.length)]!.accept(4, 2, true, false),
      );
    }
  }
}

/** Every second time it is taken back. */
function autoEoi(
  host: KvmHost,
  kernel: NativeKernel,
  spec: { readonly rate: number; readonly vcpu: number },
  name: string,
): void {
  let on = false;
  periodically(
    host.shop,
    kernel,
    name,
    `${kernel.id} sets AutoEOI`,
    spec.rate * kernel.cpuCount,
    us(2),
    (cpu) => {
      if (cpu.cpu !== spec.vcpu) return;
      on = !on;
      (cpu as NativeLinuxCpu).hardware.wrmsr(MSR_SINT0, sint(on));
    },
  );
  host.shop.parts.add({
    id: `${kernel.id}.${name}`,
    save: () => Number(on),
    restore: (state) => {
      on = state === 1;
    },
  });
}

function calls(host: KvmHost, kernel: NativeKernel, name: string, rate: number): void {
  const what = `${kernel.id} function calls`;
  periodically(host.shop, kernel, name, what, rate, us(5), (cpu) => cpu.kernel.calls.many(cpu));
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
