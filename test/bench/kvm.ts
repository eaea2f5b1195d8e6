/**
 * A whole simulated interrupt under KVM: a device's message, the kick, the exit, injection, the guest's handler and
 * its EOI, everything counted; on a busy virtual CPU. Then the same among many CPUs and many machines, of which a few
 * are busy.
 */
import { Priority } from '../../engine/core/event-queue.ts';
import { KvmHost } from '../../engine/machine/kvm/host.ts';
import { startWorkloads } from '../../engine/machine/kvm/workloads.ts';
import { Workshop } from '../../engine/machine/machine.ts';
import type { KvmScenario } from '../../engine/scenario/kvm-schema.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { type Bench, best, inUnit, nsPer, type Result } from './bench.ts';

const ROUNDS = 3;
const INTERRUPTS = 100_000;
/** ns of virtual time between two messages */
const GAP = 20_000;
/** by then every idle machine has been up once */
const WARM = 1_200_000_000;
/** what tracing may add, and size */
const TRACING = 1.8;
const FLAT = 1.3;

/** @param busy machines that compute and get messages; the others idle */
function host(cpus: number, machines: number, busy: number, tracing: boolean): KvmHost {
  const vms = Array.from({ length: machines }, () => '  - vcpus: 1\n    devices: [{driver: virtio-net}]\n');
  const work = Array.from({ length: busy }, (_, i) => `  - {what: compute, vm: ${i + 1}, share: 1}\n`);
  const text = `name: b\ntitle: b\nkvm: '6.1'\ncpus: ${cpus}\nvms:\n${vms.join('')}workloads:\n${work.join('')}`;
  const built = new KvmHost(new Workshop(1), parseScenario(text, 'b.yaml') as KvmScenario);
  built.shop.trace.enabled = tracing;
  startWorkloads(built);
  const { clock, books } = built.shop;
  for (let i = 0; i < busy; i++) {
    const { vm, kernel } = built.vms[i]!;
    const target = kernel.controllers.targetOf(25)!;
    const source = books.sourceOf(`device${i}`);
    const device = clock.task(`device${i}`, Priority.outside, () => {
      vm.message(source, 0xfee0_0000 + target.cpu * 0x1000, 0, target.vector);
      device.after(GAP);
    });
    device.at(1_000_000 + i * 700);
  }
  built.start();
  return built;
}

/** ns of real time for each interrupt that a guest handles. */
function measure(cpus: number, machines: number, busy: number, tracing: boolean): number {
  const built = host(cpus, machines, busy, tracing);
  const { clock } = built.shop;
  clock.runUntil(WARM);
  const handled = () => built.vms.slice(0, busy).reduce((n, vm) => n + vm.kernel.interrupts, 0);
  const before = handled();
  const until = clock.now + (INTERRUPTS / busy) * GAP;
  const ns = nsPer(1, () => clock.runUntil(until));
  return ns / (handled() - before);
}

function figures(cpus: number, machines: number, busy: number, tracing: boolean): number {
  return best(Array.from({ length: ROUNDS }, () => measure(cpus, machines, busy, tracing)));
}

export const kvm: Bench = {
  name: 'kvm',
  run() {
    const plain = figures(4, 2, 2, false);
    const traced = figures(4, 2, 2, true);
    const manyCpus = figures(256, 2, 2, false);
    const manyMachines = figures(4, 500, 2, false);
    const against = (title: string, ns: number, limit: number): Result => ({
      title,
      measured: inUnit(ns, 'ns'),
      beside: inUnit(plain, 'ns'),
      gate: { value: ns / plain, limit, unit: 'x' },
    });
    return [
      { title: 'KVM, 4 CPUs, 2 machines, per interrupt', measured: inUnit(plain, 'ns') },
      against('the same with tracing on', traced, TRACING),
      against('KVM, 256 CPUs, 2 machines', manyCpus, FLAT),
      against('KVM, 4 CPUs, 500 machines, 2 of them busy', manyMachines, FLAT),
    ];
  },
};
