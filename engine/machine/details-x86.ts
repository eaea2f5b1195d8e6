/** What stands between a line or message and a native x86 kernel: IOAPIC, local APIC, vector. */
import type { Msix } from '../devices/pc/msix.ts';
import type { IrqDesc } from '../guest/linux/irq-core.ts';
import type { NativeKernel } from '../guest/linux/native.ts';
import type { IoApic } from '../hw/x86/ioapic.ts';
import { Rte } from '../hw/x86/ioapic-regs.ts';
import type { LocalApic } from '../hw/x86/lapic.ts';
import type { Fact, IrqDetails } from './details.ts';
import { handlerRoute, kernelConfig, kernelState, yesNo } from './details.ts';
import { hex } from './hops-linux.ts';

/** The hardware that a native kernel has, or believes to have. */
export interface X86Board {
  readonly ioapic: IoApic;
  readonly lapics: readonly LocalApic[];
  /** what becomes of a vector that a processor's local APIC has, until its kernel's gate */
  delivery(cpu: number, vector: number): Fact[];
  /** the table and pending bits of a function with MSI-X; undefined where the table is out of sight */
  msix?(device: number): Msix | undefined;
}

/** `0000:00:1f.2` */
function functionName(device: number): string {
  const bus = (device >> 8).toString(16).padStart(2, '0');
  return `0000:${bus}:${((device >> 3) & 0x1f).toString(16).padStart(2, '0')}.${device & 7}`;
}

export function pinText(low: number, high: number): string {
  const trigger = Rte.level.has(low) ? 'level' : 'edge';
  const destination = high >>> 24;
  const to = Rte.logical.has(low) ? `logical destination ${hex(destination)}` : `APIC ${destination}`;
  const masked = Rte.masked.has(low) ? ', masked' : '';
  const inService = Rte.remoteIrr.has(low) ? ', remote IRR: waits for EOI' : '';
  return `${trigger}, vector ${hex(Rte.vector.get(low))} to ${to}${masked}${inService}`;
}

/** `entry masked, PBA 1: sent when unmasked` */
function msixText(table: Msix, vector: number): string {
  const pending = table.isPending(vector);
  return `entry ${table.masked(vector) ? 'masked' : 'not masked'}, PBA ${pending ? '1: sent when unmasked' : '0'}`;
}

/** A vector in the local APIC: has it, serves it, would take it. */
export function apicText({ irr, isr, ppr }: LocalApic, vector: number): string {
  const bits = [irr.has(vector) && 'IRR', isr.has(vector) && 'ISR'].filter(Boolean).join(' ');
  const held = vector >> 4 <= ppr >> 4 ? `held back by PPR ${hex(ppr)}` : `above PPR ${hex(ppr)}`;
  return `vector ${hex(vector)}: ${bits || 'neither IRR nor ISR'}, ${held}`;
}

export function nativeDetails(kernel: NativeKernel, desc: IrqDesc, board: X86Board): IrqDetails {
  const { controllers } = kernel;
  const { irq } = desc;
  const target = controllers.targetOf(irq);
  const message = controllers.messageOf(irq);
  const pin = controllers.pinOf(irq);
  const config = kernelConfig(kernel, desc);
  const state = kernelState(desc);
  const route: Fact[] = [];
  if (message) config.push(['MSI', `${functionName(message.device)}, message ${message.index}`]);
  if (controllers.isManaged(irq)) config.push(['managed', "its CPUs are the kernel's business alone"]);
  if (target) config.push(['vector', `${hex(target.vector)} on CPU ${target.cpu}`]);
  if (pin !== undefined) {
    const { ioapic } = board;
    config.push(['GSI', `IOAPIC pin ${pin}`]);
    const waits = (ioapic.irr & ~ioapic.delivered & (1 << pin)) !== 0;
    state.push(['pin', `line waits: ${yesNo(waits)}, masked: ${yesNo(Rte.masked.has(ioapic.low[pin]!))}`]);
    route.push([`IOAPIC pin ${pin}`, pinText(ioapic.low[pin]!, ioapic.high[pin]!)]);
  } else if (message && target) {
    const table = board.msix?.(message.device);
    if (table) state.push(['MSI-X', msixText(table, message.index)]);
    route.push(['message', `data ${hex(target.vector, 4)} to APIC ${kernel.apicId(target.cpu)}`]);
  }
  if (target) {
    const lapic = board.lapics[target.cpu]!;
    state.push(['local APIC', apicText(lapic, target.vector)]);
    route.push(...board.delivery(target.cpu, target.vector));
    route.push(['gate', `IDT entry ${hex(target.vector)} on CPU ${target.cpu}`]);
  }
  route.push(...handlerRoute(kernel, desc));
  return { config, state, route };
}
