/** KVM hosts from a few lines of scenario, with a look at every trace record as it is written. */

import { KvmHost } from '../../engine/machine/kvm/host.ts';
import { startWorkloads } from '../../engine/machine/kvm/workloads.ts';
import { Workshop } from '../../engine/machine/machine.ts';
import type { KvmScenario } from '../../engine/scenario/kvm-schema.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

export const ONE_VM = `
name: t
title: t
cpus: 1
host:
  devices:
    - {driver: nvme, name: nvme0, queues: 1, as: disk}
    - {driver: e1000e, name: eth0, as: nic}
vms:
  - vcpus: 1
    devices:
      - {driver: i8042}
      - {driver: virtio-net}
      - {driver: virtio-blk, disk: disk}
`;

export interface Seen {
  readonly name: string;
  readonly time: number;
  readonly cpu: number;
  readonly args: readonly number[];
}

/** @param text YAML; `kvm` and others may come on top */
export function kvmHost(text: string, more = "kvm: '6.1'\n", seed = 1): KvmHost {
  const scenario = parseScenario(more + text, 't.yaml') as KvmScenario;
  const host = new KvmHost(new Workshop(seed), scenario);
  startWorkloads(host);
  host.start();
  return host;
}

/** Calls `look` at each record, while what it tells of has just happened. */
export function watch(host: KvmHost, look: (seen: Seen) => void): void {
  const { trace } = host.shop;
  const emit = trace.emit.bind(trace);
  trace.emit = (point, time, journey, cpu, ...args) => {
    emit(point, time, journey, cpu, ...args);
    look({ name: point.name, time, cpu, args: args.map((n) => n ?? 0) });
  };
}

/** Sums of the rows below the numbered ones. */
export function archRow(host: KvmHost, label: string): number {
  const row = host.kernel.interruptsFile().arch.find((r) => r.label === label)!;
  return row.counts.reduce((a, b) => a + b, 0);
}

/** Exits by reason, over all of a machine's virtual CPUs. */
export function exits(host: KvmHost, vm = 0): Record<string, number> {
  const indices = host.vms[vm]!.vm.vcpus.map((v) => v.index);
  return Object.fromEntries(
    host.kvm.exits.totals(indices).map((r) => [r.name, r.counts.reduce((a, b) => a + b, 0)]),
  );
}
