/** What each platform says of its trace's records (inspect-trace.ts). */
import type { LinuxKernel } from '../guest/linux/kernel.ts';
import { RUNSTATES, type Vcpu } from '../hv/vcpu.ts';
import { EXIT_REASONS, exitName } from '../hw/x86/vmcs-fields.ts';
import { actionsOf } from './hops-linux.ts';
import type { TraceHost, TraceTask, TraceVcpu } from './inspect-trace.ts';
import type { KvmHost } from './kvm/host.ts';
import type { Machine } from './machine.ts';
import { kvmSignals } from './trace-signals.ts';

/** What a platform knows; the rest is the machine's. */
export type PlatformTrace = Omit<TraceHost, 'scenario' | 'seed' | 'system' | 'points'>;

const COMM = 15;
/** kernel threads come before the processes of machines */
const FIRST_KTHREAD = 10;
const FIRST_PROCESS = 1000;

/** The machine as it is now. */
export function traceHost({ platform, scenario, seed, shop }: Machine): TraceHost {
  const { system } = platform;
  return { ...platform.trace(), scenario: scenario.name, seed, system, points: shop.trace.declared };
}

export function kvmTrace(host: KvmHost): PlatformTrace {
  const { kvm, kernel, vms, board } = host;
  const tasks = tasksOf(
    kernel,
    vms.map((vm) => vm.name),
  );
  const kernels = [kernel, ...vms.map((vm) => vm.kernel)];
  return {
    kind: 'kvm',
    cpus: board.processors.length,
    domains: ['host', ...vms.map((vm) => vm.name)],
    vcpus: kvm.vcpus.map(
      (v): TraceVcpu => ({
        name: `${v.vm.name}.${v.vcpu}`,
        domain: v.vm.index + 1,
        vcpu: v.vcpu,
        task: kernel.threads.findIndex((t) => t.name === `${v.vm.name} CPU ${v.vcpu}/KVM`),
        runstate: RUNSTATES.indexOf('offline'),
        hvm: true,
      }),
    ),
    tasks,
    running: kernel.cpus.map((cpu) => cpu.current?.index ?? -1),
    exits: exitNames(exitName),
    action: (domain, irq) => actionsOf(kernels[domain], irq),
    signals: () => kvmSignals(host),
  };
}

/** Threads of the host: those of a machine's process follow each other, its first one is QEMU's main loop. */
export function tasksOf({ threads }: LinuxKernel, vms: readonly string[]): TraceTask[] {
  const tasks = threads.map(({ name }, index): TraceTask => {
    const pid = FIRST_KTHREAD + index;
    return { pid, tgid: pid, comm: name.slice(0, COMM) };
  });
  let next = Math.max(FIRST_PROCESS, FIRST_KTHREAD + threads.length);
  for (const vm of vms) {
    const tgid = next;
    for (const start of [`qemu-${vm}`, `${vm} CPU `, `vhost-${vm}.`]) {
      for (const { name, index } of threads) {
        if (start.startsWith('qemu') ? name !== start : !name.startsWith(start)) continue;
        tasks[index] = { pid: next++, tgid, comm: commOf(name, vm, tgid).slice(0, COMM) };
      }
    }
  }
  return tasks;
}

/** As QEMU with -name debug-threads=on and vhost call themselves. */
function commOf(name: string, vm: string, tgid: number): string {
  if (name === `qemu-${vm}`) return 'qemu-system-x86';
  return name.startsWith('vhost-') ? `vhost-${tgid}` : name.slice(vm.length + 1);
}

/** Xen on either processor. */
export function xenTrace(
  kind: 'xen-x86' | 'xen-arm',
  xen: { readonly cpus: readonly { readonly current: Vcpu | null }[]; readonly vcpus: readonly Vcpu[] },
  kernels: readonly LinuxKernel[],
  exits: TraceHost['exits'],
  isHvm: (v: Vcpu) => boolean,
  signals: TraceHost['signals'],
): PlatformTrace {
  const { cpus, vcpus } = xen;
  return {
    kind,
    cpus: cpus.length,
    domains: kernels.map((_, id) => `dom${id}`),
    vcpus: vcpus.map(
      (v): TraceVcpu => ({
        name: v.name,
        domain: v.domain,
        vcpu: v.vcpu,
        task: v.index,
        runstate: RUNSTATES.indexOf(v.state),
        hvm: isHvm(v),
      }),
    ),
    tasks: vcpus.map((v) => {
      const pid = FIRST_PROCESS + v.index;
      return { pid, tgid: FIRST_PROCESS + vcpus.findIndex((o) => o.domain === v.domain), comm: v.name };
    }),
    running: cpus.map(({ current }) => current?.index ?? -1),
    exits,
    action: (domain, irq) => actionsOf(kernels[domain], irq),
    signals,
  };
}

/** Of VMX, as somebody spells them. */
export function exitNames(nameOf: (reason: number) => string): [number, string][] {
  return Array.from({ length: EXIT_REASONS }, (_, n): [number, string] => [n, nameOf(n)]).filter(
    ([n, name]) => name !== `reason ${n}`,
  );
}
