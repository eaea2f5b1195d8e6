/** Xen's debug key `I`: the interrupt wires of HVM guests. After irq_dump (xen/arch/x86/hvm/irq.c of 4.17). */
import { consoleText, hex } from '../../debug-keys/printk.ts';
import type { HvmIrq } from '../hvm-irq.ts';

/** GSIs in a row */
const ROW = 8;

/** @param guests HVM guests, in the order they were made */
export function debugKeyI(guests: readonly { readonly id: number; readonly irq: HvmIrq }[]): string {
  const lines = ["'I' pressed -> dumping HVM irq info"];
  for (const { id, irq } of guests) {
    const [word0, word1, word2, word3] = irq.pciIntx.words;
    const pci = [word1, word0, word3, word2].map((word) => hex(word! >>> 0, 8)).join('');
    lines.push(
      `Domain ${id}:`,
      `PCI 0x${pci} ISA 0x${hex(irq.isaIrq, 8)} ROUTE ${irq.linkRoute.join(' ')}`,
      ...gsis(irq.gsiCount),
      `Link ${counts(irq.linkCount)}`,
      `Callback via ${irq.viaType}:${via(irq.via)},${irq.viaAsserted ? '' : ' not'} asserted`,
    );
  }
  return consoleText(lines);
}

/** Whole rows, then what is left, in a form of its own. */
function gsis(count: Uint8Array): string[] {
  const lines: string[] = [];
  let gsi = 0;
  for (; gsi + ROW <= count.length; gsi += ROW) {
    lines.push(`GSI [${hex(gsi, 1)} - ${hex(gsi + ROW - 1, 1)}] ${counts(count.subarray(gsi, gsi + ROW))}`);
  }
  if (gsi === count.length) return lines;
  const rest = Array.from(count.subarray(gsi), (n) => ` ${String(n).padStart(2)}`);
  return [...lines, `GSI [${hex(gsi, 1)} - ${hex(count.length - 1, 1)}]${rest.join('')}`];
}

function counts(of: Uint8Array): string {
  return Array.from(of, (n) => String(n).padStart(2, '0')).join(' ');
}

/** %#x: nothing is 0 without a prefix. */
function via(value: number): string {
  return value === 0 ? '0' : `0x${hex(value >>> 0, 1)}`;
}
