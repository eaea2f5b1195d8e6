/**
 * Xen's debug key `M`: the messages of PCI devices, as they are written into them. After dump_msi (xen/arch/x86/msi.c of
 * 4.17; 3.4 has no such key). A message that can be masked is of MSI-X here, one that cannot of MSI.
 */
import { Mode } from '../../../../hw/x86/apic-regs.ts';
import { MsiAddress, MsiData } from '../../../../hw/x86/msi.ts';
import { bit, consoleText, hex, number } from '../../debug-keys/printk.ts';
import type { PhysicalIrqs } from '../do-irq.ts';
import type { IrqDesc } from '../irq-desc.ts';
import { composeMsi } from '../msi-message.ts';

export function debugKeyM({ descs, gsis, ioapics }: PhysicalIrqs): string {
  const messages = descs.slice(gsis).filter((desc) => desc !== undefined);
  return consoleText(['MSI information:', ...messages.map((desc) => line(desc, ioapics.flat))]);
}

function line(desc: IrqDesc, flat: boolean): string {
  const { address, data, destination } = composeMsi(desc.vector, desc.affinity, flat);
  const words = [
    MsiData.mode.get(data) === Mode.LOWEST ? ' lowest' : '  fixed',
    MsiData.level.has(data) ? ' level' : '  edge',
    MsiData.assert.has(data) ? '   ' : ' de',
    MsiAddress.logical.has(address) ? 'assert  log' : 'assert phys',
    MsiAddress.redirectionHint.has(address) ? ' lowest' : '    cpu',
  ];
  return (
    ` ${(maskable(desc) ? 'MSI-X' : 'MSI').padEnd(6)}${number(desc.irq, 4)} ` +
    `vec=${hex(MsiData.vector.get(data))}${words.join('')} dest=${hex(destination, 8)} ${mask(desc)}`
  );
}

function maskable({ type }: IrqDesc): boolean {
  return type === 'PCI-MSI/-X';
}

/** Has it a mask bit, who wants it set (H: Xen, G: a guest that has not bound it yet), and is it. */
function mask(desc: IrqDesc): string {
  if (!maskable(desc)) return 'mask=0/  /?';
  return `mask=1/${desc.msiMasked ? 'H' : ' '}${desc.action ? ' ' : 'G'}/${bit(desc.msiMasked)}`;
}
