/** Wires and registers of a machine that change from event to event, for waveforms. */
import type { Bitmap, Changing } from '../core/bits.ts';
import type { LinuxKernel } from '../guest/linux/kernel.ts';
import type { Pcpu } from '../hv/pcpu.ts';
import type { Vcpu } from '../hv/vcpu.ts';
import type { IoApic } from '../hw/x86/ioapic.ts';
import type { LocalApic } from '../hw/x86/lapic.ts';
import type { TraceSignal } from './inspect-trace.ts';
import type { KvmHost } from './kvm/host.ts';
import type { XenHost } from './xen/host.ts';
import type { XenArmHost } from './xen-arm/host.ts';

type Scope = readonly string[];

function lapicSignals(scope: Scope, { irr, isr }: LocalApic): TraceSignal[] {
  return [vectors(scope, 'irr', irr), vectors(scope, 'isr', isr)];
}

function vectors(scope: Scope, name: string, bits: Bitmap): TraceSignal {
  return { scope, name, kind: 'set', width: bits.size, read: () => bits.words, of: [bits] };
}

/** A wire for each pin. */
function lineSignals(scope: Scope, { low, levels }: IoApic): TraceSignal[] {
  const of = [levels];
  return Array.from(
    low,
    (_, pin): TraceSignal => ({
      scope: [...scope, 'ioapic'],
      name: `pin${pin}`,
      kind: 'wire',
      width: 1,
      read: () => Number(levels.high(pin)),
      of,
    }),
  );
}

/** Handlers run by a kernel, and exits from it. */
function rates(scope: Scope, kernel: LinuxKernel, exits?: () => number): TraceSignal[] {
  const rate = (name: string, read: () => number): TraceSignal => ({
    scope,
    name,
    kind: 'rate',
    read,
    of: [],
  });
  const interrupts = rate('interrupts', () => kernel.interrupts);
  return exits ? [interrupts, rate('exits', exits)] : [interrupts];
}

export function kvmSignals({ board, kernel, kvm, vms }: KvmHost): TraceSignal[] {
  const names = ['idle', 'kernel', ...kernel.threads.map((thread) => thread.name)];
  const host = board.processors.flatMap((processor, cpu): TraceSignal[] => {
    const scope = ['host', `cpu${cpu}`];
    const thread = kernel.cpus[cpu]!;
    return [
      {
        scope,
        name: 'running',
        kind: 'name',
        names,
        read: () => (thread.current ? 2 + thread.current.index : Number(!processor.idle)),
        of: [thread, processor],
      },
      ...lapicSignals(scope, board.lapics[cpu]!),
    ];
  });
  const machines = vms.flatMap(({ vm, name, kernel: guest }): TraceSignal[] => {
    const indices = vm.vcpus.map((v) => v.index);
    const vcpus = vm.vcpus.flatMap((v): TraceSignal[] => {
      const scope = [name, `vcpu${v.vcpu}`];
      const of = [v];
      const inGuest = () => Number(v.on.guest === v && !v.exited);
      return [
        { scope, name: 'in_guest', kind: 'wire', width: 1, read: inGuest, of },
        { scope, name: 'halted', kind: 'wire', width: 1, read: () => Number(v.blocking), of },
        ...lapicSignals(scope, v.apic),
      ];
    });
    return [
      ...rates([name], guest, () => kvm.exits.count(indices)),
      ...vcpus,
      ...lineSignals([name], vm.chip.ioapic),
    ];
  });
  return [...rates(['host'], kernel), ...host, ...machines];
}

function running(cpus: readonly Pcpu[], vcpus: readonly Vcpu[]): TraceSignal[] {
  const names = ['idle', ...vcpus.map((v) => v.name)];
  return cpus.map((cpu): TraceSignal => {
    const read = () => (cpu.current ? 1 + cpu.current.index : 0);
    return { scope: ['xen', `cpu${cpu.cpu}`], name: 'running', kind: 'name', names, read, of: [cpu] };
  });
}

/** The flags that a virtual CPU shares with Xen. */
function upcalls(
  scope: Scope,
  info: { readonly upcallPending: number; readonly upcallMask: number } & Changing,
): TraceSignal[] {
  const of = [info];
  const pending = () => Number(info.upcallPending !== 0);
  const mask = () => Number(info.upcallMask !== 0);
  return [
    { scope, name: 'upcall_pending', kind: 'wire', width: 1, read: pending, of },
    { scope, name: 'upcall_mask', kind: 'wire', width: 1, read: mask, of },
  ];
}

export function xenSignals({ xen, domains }: XenHost): TraceSignal[] {
  const guests = domains.flatMap(({ domain, kernel, hvm }): TraceSignal[] => {
    const name = `dom${domain.id}`;
    const indices = domain.vcpus.map((v) => v.index);
    const vcpus = domain.vcpus.flatMap(({ vcpu }): TraceSignal[] => {
      const scope = [name, `vcpu${vcpu}`];
      const chips = hvm?.hvm.chips.vcpus[vcpu];
      return [
        ...upcalls(scope, domain.shared.vcpus[vcpu]!),
        ...(chips ? lapicSignals(scope, chips.apic) : []),
      ];
    });
    return [
      ...rates([name], kernel, hvm && (() => xen.exits.count(indices))),
      ...vcpus,
      ...(hvm ? lineSignals([name], hvm.hvm.chips.ioapic) : []),
    ];
  });
  const apics = xen.lapics.flatMap((apic, cpu) => lapicSignals(['xen', `cpu${cpu}`], apic));
  return [...running(xen.cpus, xen.vcpus), ...apics, ...guests];
}

export function armSignals({ xen, domains }: XenArmHost): TraceSignal[] {
  const lists = xen.gicCpus.flatMap(({ cpu, hw }): TraceSignal[] => {
    const scope = ['xen', `cpu${cpu}`];
    const { core, nrLrs } = hw;
    const of = [core];
    const registers = Array.from({ length: nrLrs }, (_, n): TraceSignal[] => [
      { scope, name: `lr${n}_state`, kind: 'wire', width: 2, read: () => core.lrHigh[n]! >>> 30, of },
      {
        scope,
        name: `lr${n}_intid`,
        kind: 'wire',
        width: 32,
        decimal: true,
        read: () => core.lrLow[n]! >>> 0,
        of,
      },
    ]);
    return [
      { scope, name: 'virq', kind: 'wire', width: 1, read: () => Number(core.virq), of },
      ...registers.flat(),
    ];
  });
  const guests = domains.flatMap(({ domain, kernel, arm }): TraceSignal[] => {
    const name = `dom${domain.id}`;
    const indices = arm.vcpus.map((v) => v.index);
    return [
      ...rates([name], kernel, () => xen.exits.count(indices)),
      ...domain.vcpus.flatMap(({ vcpu }) => upcalls([name, `vcpu${vcpu}`], domain.shared.vcpus[vcpu]!)),
    ];
  });
  return [...running(xen.cpus, xen.vcpus), ...lists, ...guests];
}
