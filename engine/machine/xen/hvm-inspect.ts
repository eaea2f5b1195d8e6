/** What an HVM guest tells beside what every domain does: its exits, its interrupt controllers, its virtual CPUs' VMCS. */
import type { HvmVcpu } from '../../hv/xen/x86/hvm-vcpu.ts';
import type { ExitsSnapshot, LapicSnapshot, X86Snapshot } from '../inspect.ts';
import { ioapicSnapshot, lapicSnapshot, picSnapshot, vmcsSnapshot } from '../x86-inspect.ts';
import type { OtherState } from './domain-snapshot.ts';
import type { XenHost } from './host.ts';
import type { HvmGuest } from './hvm-guest.ts';

export function hvmSnapshot(
  { xen }: XenHost,
  { hvm, kernel }: HvmGuest,
): { readonly exits: ExitsSnapshot; readonly x86: X86Snapshot } {
  const { chips, vcpus } = hvm;
  const lapics = vcpus.map(
    (v): LapicSnapshot => ({
      ...lapicSnapshot(chips.vcpus[v.vcpu]!.apic, v.vcpu),
      interruptFlag: v.vmx.interruptFlag,
      posted: null,
      vmcs: vmcsSnapshot(v, placeOf(v, xen.control.endOf(v.domain))),
    }),
  );
  return {
    exits: { rows: xen.exits.totals(vcpus.map((v) => v.index)), stats: [] },
    x86: {
      lapics,
      ioapic: ioapicSnapshot(chips.ioapic),
      pic: [picSnapshot(chips.pic.master), picSnapshot(chips.pic.slave)],
      vectors: kernel.cpus.map((c) => kernel.controllers.names(c.cpu)),
    },
  };
}

/** Interrupts that come by the guest's own chips: does its vector wait at the local APIC, or has it been held back? */
export function nativeState({ hvm, kernel }: HvmGuest): OtherState {
  const { apics } = hvm.chips.bus;
  return ({ irq, depth, replay }) => {
    const target = kernel.controllers.targetOf(irq);
    const requested = target !== undefined && apics[target.cpu]!.irr.has(target.vector);
    return { pending: replay || requested, masked: depth > 0 };
  };
}

/** @param end what has ended its domain; empty: nothing has */
export function placeOf(v: HvmVcpu, end: string): string {
  const cpu = `CPU${v.cpu.cpu}`;
  if (end !== '') return end;
  if (v.paused > 0) return `paused, last on ${cpu}`;
  if (v.blockedInXen) return `waits for the device model, last on ${cpu}`;
  if (v.state === 'blocked') return `halted, last on ${cpu}`;
  if (v.state === 'running') return `running on ${cpu}, ${v.exited ? 'root' : 'guest'} mode`;
  return `waits for ${cpu}`;
}

/** Vectors of which the books say otherwise than the chips and the VMCS; those of event channels stand for their ports. */
export function hvmMismatch(
  { hvm }: HvmGuest,
  compare: (what: string, chip: boolean, slot: number) => void,
): void {
  for (const v of hvm.vcpus) {
    const { apic } = hvm.chips.vcpus[v.vcpu]!;
    const upcallVector = hvm.irq.eventVector(v.vcpu);
    let again = false;
    for (let vector = 16; vector < 256; vector++) {
      if (vector === upcallVector) continue;
      const chip = apic.irr.has(vector) || v.inDelivery(vector);
      compare(`${v.name} vec ${vector.toString(16)}`, chip, v.slot(vector));
      again ||= apic.irr.has(vector) && v.inDelivery(vector);
    }
    compare(`${v.name}, once more`, again, v.again);
  }
  for (const { pirq, masked, slot } of hvm.dpci.waiting()) compare(`${hvm.id} pirq ${pirq}`, masked, slot);
}
