/** What x86 kernels and interrupt controllers tell of themselves, under any hypervisor. */
import type { Msix } from '../devices/pc/msix.ts';
import type { NativeKernel } from '../guest/linux/native.ts';
import type { I8259 } from '../hw/x86/i8259.ts';
import type { IoApic } from '../hw/x86/ioapic.ts';
import { Rte } from '../hw/x86/ioapic-regs.ts';
import type { LocalApic } from '../hw/x86/lapic.ts';
import type { VmxGuest } from '../hw/x86/vm-entry-exit.ts';
import type { Vmcs } from '../hw/x86/vmcs.ts';
import type { IoApicSnapshot, IrqState, PicSnapshot, VcpuSnapshot, VmcsSnapshot } from './inspect.ts';
import { lasting, linuxSnapshot } from './linux-snapshot.ts';

/**
 * What a native kernel tells of itself.
 * @param table MSI-X of a function, where it is in sight: its pending bits are interrupts that wait
 */
export function kernelSnapshot(
  kernel: NativeKernel,
  vcpus: readonly VcpuSnapshot[],
  now: number,
  ioapic: IoApic,
  lapics: readonly LocalApic[],
  table: (device: number) => Msix | undefined = () => undefined,
) {
  const interrupts = kernel.interruptsFile();
  const descs = kernel.shownDescs();
  const irqStates: IrqState[] = interrupts.rows.map((row, i) => {
    const desc = descs[i]!;
    const target = kernel.controllers.targetOf(desc.irq);
    const pin = kernel.controllers.pinOf(desc.irq);
    const message = kernel.controllers.messageOf(desc.irq);
    const waits =
      pin !== undefined
        ? (ioapic.irr & ~ioapic.delivered & (1 << pin)) !== 0
        : message !== undefined && (table(message.device)?.isPending(message.index) ?? false);
    return {
      row,
      pending: waits || desc.replay || (target !== undefined && lapics[target.cpu]!.irr.has(target.vector)),
      masked: desc.depth > 0 || (pin !== undefined && Rte.masked.has(ioapic.low[pin]!)),
      active: desc.active > 0,
      port: null,
      ...lasting(desc),
    };
  });
  return { interrupts, irqStates, ...linuxSnapshot(kernel, interrupts, vcpus, now), channels: [] };
}

export function lapicSnapshot(lapic: LocalApic, cpu: number) {
  const words = (map: { words: Uint32Array }) => Array.from(map.words, (w) => w >>> 0);
  return {
    cpu,
    apicId: lapic.apicId,
    x2apic: lapic.x2apic,
    irr: words(lapic.irr),
    isr: words(lapic.isr),
    tmr: words(lapic.tmr),
    tpr: lapic.tpr,
    ppr: lapic.ppr,
    registers: lapic.inspect(),
  };
}

export function ioapicSnapshot(ioapic: IoApic): IoApicSnapshot {
  return ioapic.inspect();
}

export function picSnapshot(chip: I8259): PicSnapshot {
  return chip.inspect();
}

/** @param place e.g. `running on CPU1, guest mode` */
export function vmcsSnapshot({ vmcs, vmx }: { vmcs: Vmcs; vmx: VmxGuest }, place: string): VmcsSnapshot {
  return {
    place,
    entryInfo: vmcs.entryInfo,
    interruptWindow: vmx.interruptWindow,
    nmiWindow: vmx.nmiWindow,
    fields: vmcs.inspect(),
  };
}
