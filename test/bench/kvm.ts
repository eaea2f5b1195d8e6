/**
 * A whole simulated interrupt under KVM: a device's message, the kick, the exit, injection, the guest's handler and
 * its EOI, everything counted; on a busy virtual CPU. Then the same among many CPUs and many machines that sleep: each has
 * a timer set, which is not due yet. Apart from that, what it costs that machines which idle wake up as Linux does, some
 * twenty times a second each.
 */
import { Priority } from '../../engine/core/event-queue.ts';
import type { LinuxKernel } from '../../engine/guest/linux/kernel.ts';
import { KvmHost } from '../../engine/machine/kvm/host.ts';
import { compute, housekeeping, QUIET } from '../../engine/machine/loops.ts';
import { Workshop } from '../../engine/machine/machine.ts';
import type { KvmScenario } from '../../engine/scenario/kvm-schema.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { type Bench, best, cpuNs, inUnit, type Result } from './bench.ts';

const ROUNDS = 3;
const INTERRUPTS = 100_000;
const WAKE_UPS = 10_000;
/** of an idle machine, in a second */
const WAKE_RATE = 22;
/** ns of virtual time between two messages */
const GAP = 20_000;
/** by then every machine has been up once */
const WARM = 300_000_000;
/** when those that sleep would wake, an hour later */
const LATER = 3600e9;
/** what tracing may add, and size */
const TRACING = 1.8;
const FLAT = 1.3;
/** fifty times as many machines: what one of them has in memory is in no cache any more when it wakes */
const COLD = 8;

function build(cpus: number, machines: number): KvmHost {
  const vms = Array.from({ length: machines }, () => '  - vcpus: 1\n    devices: [{driver: virtio-net}]\n');
  const text = `name: b\ntitle: b\nkvm: '6.1'\ncpus: ${cpus}\nvms:\n${vms.join('')}workloads: []\n`;
  return new KvmHost(new Workshop(1), parseScenario(text, 'b.yaml') as KvmScenario);
}

function asleep(kernel: LinuxKernel): void {
  for (const { cpu } of kernel.cpus) kernel.time.timer(cpu, () => {}).expires = LATER + cpu;
}

/** It computes, and gets messages. */
function busy({ shop, vms }: KvmHost, n: number): void {
  const { clock, books } = shop;
  const { vm, kernel } = vms[n]!;
  compute(shop, kernel, 'compute', (cpu) => `compute/${cpu}`, 1);
  const desc = kernel.controllers.allocMsi(0x100, 0, () => {});
  kernel.controllers.request(desc, 'device', QUIET);
  const target = kernel.controllers.targetOf(desc.irq)!;
  const source = books.sourceOf(`device${n}`);
  const device = clock.task(`device${n}`, Priority.outside, () => {
    vm.message(source, 0xfee0_0000 + target.cpu * 0x1000, 0, target.vector);
    device.after(GAP);
  });
  device.at(1_000_000 + n * 700);
}

const interrupts = ({ vms }: KvmHost) => vms.reduce((n, { kernel }) => n + kernel.interrupts, 0);

/** ns of real time for each interrupt of the machines, until there have been so many at this rate. */
function perInterrupt(built: KvmHost, count: number, rate: number): number {
  const { clock } = built.shop;
  built.start();
  clock.runUntil(WARM);
  const before = interrupts(built);
  const until = clock.now + Math.round((count / rate) * 1e9);
  const ns = cpuNs(() => clock.runUntil(until));
  return ns / (interrupts(built) - before);
}

/** @param loaded machines that are busy; the others sleep */
function loadedHost(cpus: number, machines: number, loaded: number, tracing: boolean): number {
  const built = build(cpus, machines);
  built.shop.trace.enabled = tracing;
  for (const { kernel } of [built, ...built.vms]) asleep(kernel);
  for (let n = 0; n < loaded; n++) busy(built, n);
  return perInterrupt(built, INTERRUPTS, loaded * (1e9 / GAP));
}

/** For each wake-up of machines that idle. */
function idleHost(cpus: number, machines: number): number {
  const built = build(cpus, machines);
  built.shop.trace.enabled = false;
  for (const { kernel } of [built, ...built.vms]) housekeeping(built.shop, kernel);
  return perInterrupt(built, WAKE_UPS, machines * WAKE_RATE);
}

/** The best of each, measured in turns: what else the computer does hits all of them. */
function inTurns(measures: readonly (() => number)[]): number[] {
  const rounds = Array.from({ length: ROUNDS }, () => measures.map((measure) => measure()));
  return measures.map((_, i) => best(rounds.map((figures) => figures[i]!)));
}

export const kvm: Bench = {
  name: 'kvm',
  run() {
    const [plain, traced, manyCpus, manyMachines, few, many] = inTurns([
      () => loadedHost(4, 2, 2, false),
      () => loadedHost(4, 2, 2, true),
      () => loadedHost(256, 2, 2, false),
      () => loadedHost(4, 500, 2, false),
      () => idleHost(4, 10),
      () => idleHost(4, 500),
    ]) as [number, number, number, number, number, number];
    const against = (title: string, ns: number, limit: number, beside = plain): Result => ({
      title,
      measured: inUnit(ns, 'ns'),
      beside: inUnit(beside, 'ns'),
      gate: { value: ns / beside, limit, unit: 'x' },
    });
    return [
      { title: 'KVM, 4 CPUs, 2 machines, per interrupt', measured: inUnit(plain, 'ns') },
      against('the same with tracing on', traced, TRACING),
      against('KVM, 256 CPUs, 2 machines, the other CPUs asleep', manyCpus, FLAT),
      against('KVM, 4 CPUs, 500 machines, all but 2 asleep', manyMachines, FLAT),
      against('KVM, 4 CPUs, a wake-up of one of 500 machines that idle, of 10', many, COLD, few),
    ];
  },
};
