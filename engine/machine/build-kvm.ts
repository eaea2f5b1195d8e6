/** A KVM host, from a scenario. */

import { UserError } from '../core/errors.ts';
import type { TraceRecord } from '../core/trace.ts';
import { NoSpace } from '../guest/linux/irq-info.ts';
import { vcpuFiles, vmFiles, vmFolder } from '../hv/kvm/debugfs.ts';
import type { KvmVcpu } from '../hv/kvm/vcpu.ts';
import type { Vm } from '../hv/kvm/vm.ts';
import type { TraceCapture } from '../import/capture.ts';
import { systemOf } from '../scenario/kinds.ts';
import type { KvmScenario } from '../scenario/kvm-schema.ts';
import type { IrqDetails } from './details.ts';
import { type Hop, hopOf } from './hops.ts';
import type { CpuSnapshot, DomainSnapshot, KvmVmSnapshot, LapicSnapshot, VcpuSnapshot } from './inspect.ts';
import { apicvSnapshot } from './kvm/apicv-inspect.ts';
import { KvmControls } from './kvm/controls.ts';
import { kvmDetails } from './kvm/details.ts';
import { KVM_HOPS, KvmNames, kvmWaiting } from './kvm/hops.ts';
import { KvmHost } from './kvm/host.ts';
import type { VmParts } from './kvm/vm.ts';
import { startWorkloads } from './kvm/workloads.ts';
import { type Fireable, Machine, type Platform, type Runner, Workshop } from './machine.ts';
import { replayKvm } from './replay/kvm.ts';
import { kvmTrace, tasksOf } from './trace-host.ts';
import { ioapicSnapshot, kernelSnapshot, lapicSnapshot, picSnapshot, vmcsSnapshot } from './x86-inspect.ts';

/**
 * @param recorded what its machines do and are told, in place of workloads
 * @throws UserError if the machine that the scenario asks for cannot boot
 */
export function buildKvm(scenario: KvmScenario, seed: number, recorded?: TraceCapture): Machine {
  const shop = new Workshop(seed);
  try {
    const host = new KvmHost(shop, scenario);
    if (recorded) replayKvm(host, recorded);
    else startWorkloads(host);
    return new Machine(scenario, shop, new KvmPlatform(host));
  } catch (error) {
    if (error instanceof NoSpace) throw new UserError(`${scenario.name}: ${error.message}`);
    throw error;
  }
}

class KvmPlatform implements Platform {
  readonly system: string;
  readonly fireables: readonly Fireable[];
  readonly dumps = [];
  readonly controls: KvmControls;
  private readonly names: KvmNames;
  /** of each machine: QEMU's, and those of its virtual CPUs */
  private readonly pids: readonly { readonly qemu: number; readonly vcpus: readonly number[] }[];

  constructor(private readonly host: KvmHost) {
    this.names = new KvmNames(host);
    const { scenario } = host;
    this.system = systemOf(scenario);
    this.fireables = scenario.keys.map(({ device, title }, i) => {
      const fired = host.fired(device)!;
      return { key: `${(i + 1) % 10}`, name: device, title: title ?? fired.title, fire: () => fired.fire() };
    });
    host.shop.trace.runs = (cpu) => host.board.processors[cpu]!.guest?.index ?? -1;
    this.controls = new KvmControls(host);
    this.pids = pidsOf(host);
    host.start();
  }

  cpus(): CpuSnapshot[] {
    const { now } = this.host.shop.clock;
    return this.host.board.processors.map((p) => {
      const guest = p.guest as KvmVcpu | null;
      const guestNs = p.guestTime();
      const xenNs = p.rootTime();
      const mode = p.idle ? 'idle' : guest ? 'guest' : 'host';
      return {
        cpu: p.processor,
        running: guest ? `${guest.vm.name}.${guest.vcpu}` : p.idle ? null : 'host',
        mode,
        guestNs,
        xenNs,
        idleNs: Math.max(0, now - guestNs - xenNs),
        level: guest && !guest.exited ? 'non-root' : 'root',
        task: this.host.kernel.cpus[p.processor]!.current?.name ?? null,
        queue: this.host.kernel.cpus[p.processor]!.runq.map((t) => t.name),
        switches: this.host.kernel.cpus[p.processor]!.switches,
        exits: p.exits,
      };
    });
  }

  domains(): DomainSnapshot[] {
    return [this.hostDomain(), ...this.host.vms.map((vm) => this.machine(vm))];
  }

  hop(record: TraceRecord): Hop {
    return hopOf(KVM_HOPS, this.names, record);
  }

  runner(vcpu: number): Runner {
    if (vcpu < 0) return { domain: 0, name: 'host' };
    return { domain: this.host.kvm.vcpus[vcpu]!.vm.index + 1, name: this.names.vcpuName(vcpu) };
  }

  details(domain: number, irq: number): IrqDetails | undefined {
    return kvmDetails(this.host, domain, irq, placeOf);
  }

  exitSpan(domain: number, reason: number) {
    const first = this.host.vms[domain - 1]?.vm.vcpus[0];
    return first && this.host.kvm.exits.spanOf(first.index, reason);
  }

  waiting(records: readonly TraceRecord[]): string {
    return kvmWaiting(this.names, records);
  }

  totals() {
    const kernels = [this.host.kernel, ...this.host.vms.map((vm) => vm.kernel)];
    const interrupts = kernels.reduce((n, k) => n + k.interrupts, 0);
    return { interrupts, upcalls: 0, exits: this.host.kvm.exits.total };
  }

  trace() {
    return kvmTrace(this.host);
  }

  dump(): undefined {
    return undefined;
  }

  pendingMismatch(): string[] {
    const { board, kvm, shop } = this.host;
    const wrong: string[] = [];
    const compare = (what: string, chip: boolean, slot: number) => {
      if (chip !== shop.books.holds(slot))
        wrong.push(`${what}: ${chip ? 'pending' : 'not pending'} in the chip`);
    };
    board.lapics.forEach((lapic, cpu) => {
      for (let vector = 16; vector < 256; vector++) {
        compare(`CPU${cpu} vec ${vector.toString(16)}`, lapic.irr.has(vector), board.slot(cpu, vector));
      }
    });
    for (const v of kvm.vcpus) {
      for (let vector = 16; vector < 256; vector++) {
        compare(`${v.id} vec ${vector.toString(16)}`, v.holds(vector), v.slot(vector));
      }
    }
    for (const { name, tables } of this.host.vms) {
      for (const [devfn, { msix, bits }] of tables) {
        for (let n = 0; n < msix.vectors; n++) {
          compare(`${name} PBA ${devfn >> 3}.${n}`, msix.isPending(n), bits.slotOf(n));
        }
      }
    }
    return wrong;
  }

  private hostDomain(): DomainSnapshot {
    const { kernel, board, shop } = this.host;
    const vcpus = board.processors.map(
      (p): VcpuSnapshot => ({
        vcpu: p.processor,
        state: p.idle ? 'blocked' : 'running',
        cpu: p.processor,
        runNs: p.guestTime() + p.rootTime(),
        guestNs: p.guestTime(),
        upcallPending: false,
        upcallMask: !p.interruptFlag,
        upcalls: 0,
      }),
    );
    const lapics = board.lapics.map((lapic, cpu) => ({
      ...lapicSnapshot(lapic, cpu),
      interruptFlag: board.processors[cpu]!.interruptFlag,
      posted: null,
      vmcs: null,
    }));
    return {
      id: 0,
      name: 'host',
      kind: `KVM host, ${kernel.profile.title}`,
      vcpus,
      ...kernelSnapshot(kernel, vcpus, shop.clock.now, board.ioapic, board.lapics),
      x86: {
        lapics,
        ioapic: ioapicSnapshot(board.ioapic),
        pic: [picSnapshot(board.pic.master), picSnapshot(board.pic.slave)],
        vectors: kernel.cpus.map((c) => kernel.controllers.names(c.cpu)),
      },
    };
  }

  private machine({ vm, kernel, name, number, tables }: VmParts): DomainSnapshot {
    const { shop, kvm } = this.host;
    const vcpus = vm.vcpus.map((v): VcpuSnapshot => {
      const { runstate, cpu } = this.host.threads[v.index]!;
      const times = runstate.times(shop.clock.now);
      return {
        vcpu: v.vcpu,
        state: runstate.state,
        cpu,
        runNs: times.running,
        times,
        wakeUps: runstate.wakeUps,
        upcallPending: v.apic.deliverable() >= 0,
        upcallMask: !v.vmx.interruptFlag,
        upcalls: 0,
      };
    });
    const lapics = vm.vcpus.map(
      (v): LapicSnapshot => ({
        ...lapicSnapshot(v.apic, v.vcpu),
        interruptFlag: v.vmx.interruptFlag,
        posted: v.apicv
          ? {
              pir: Array.from(v.apicv.posted.requests.words, (w) => w >>> 0),
              on: v.apicv.posted.outstanding,
              sn: v.apicv.posted.suppress,
              nv: v.apicv.posted.notificationVector,
            }
          : null,
        ...pvEoiSnapshot(v),
        vmcs: { ...vmcsSnapshot(v, placeOf(v)), ...apicvSnapshot(v) },
      }),
    );
    const indices = vm.vcpus.map((v) => v.index);
    const stats = kvm.stats.sums(indices);
    return {
      id: number,
      name,
      kind: `KVM guest, ${kernel.profile.title}`,
      vcpus,
      ...kernelSnapshot(
        kernel,
        vcpus,
        shop.clock.now,
        vm.chip.ioapic,
        vm.bus.apics,
        (d) => tables.get(d)?.msix,
      ),
      exits: { rows: kvm.exits.totals(indices), stats },
      kvm: this.process(vm, stats),
      x86: {
        lapics,
        ioapic: ioapicSnapshot(vm.chip.ioapic),
        pic: [picSnapshot(vm.pic.master), picSnapshot(vm.pic.slave)],
        vectors: kernel.cpus.map((c) => kernel.controllers.names(c.cpu)),
        rises: Array.from(vm.lines.rises),
      },
    };
  }

  /** @param stats of its virtual CPUs */
  private process(vm: Vm, stats: KvmVmSnapshot['files']): KvmVmSnapshot {
    const { version } = this.host.kvm.options;
    const { qemu, vcpus } = this.pids[vm.index]!;
    return {
      pid: qemu,
      folder: vmFolder(version, qemu),
      files: vmFiles(version, stats),
      vcpus: vcpus.map(vcpuFiles),
    };
  }
}

function pidsOf({ kernel, vms, threads }: KvmHost) {
  const names = vms.map((vm) => vm.name);
  const tasks = tasksOf(kernel, names);
  const pids = new Map(kernel.threads.map(({ name, index }) => [name, tasks[index]!.pid]));
  return vms.map(({ name, vm }) => ({
    qemu: pids.get(`qemu-${name}`)!,
    vcpus: vm.vcpus.map((v) => pids.get(threads[v.index]!.name)!),
  }));
}

function pvEoiSnapshot({ pvEoi }: KvmVcpu): Pick<LapicSnapshot, 'pvEoi'> {
  const { shared } = pvEoi;
  return shared === undefined ? {} : { pvEoi: shared };
}

function placeOf(v: KvmVcpu): string {
  const cpu = `CPU${v.on.processor}`;
  if (v.blocking) return `halted, last on ${cpu}`;
  if (v.halt.polling) return `halted, polls on ${cpu}`;
  if (v.pages.waiting) return 'waits for a page';
  if (v.on.guest === v) return `running on ${cpu}, ${v.exited ? 'root' : 'guest'} mode`;
  return v.loaded ? `running on ${cpu}, root mode` : `waits for ${cpu}`;
}
