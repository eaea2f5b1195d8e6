/** Debug key I: byte for byte what a real Xen 4.17 printed of an idle guest, and each of its fields when they are set. */
import { expect, test } from 'vitest';
import { ms } from '../../../../../engine/core/clock.ts';
import { debugKeyI } from '../../../../../engine/hv/xen/x86/debug-keys/hvm-irq.ts';
import { XEN_HVM } from '../../../../../engine/hv/xen/x86/hvm-options.ts';
import { buildMachine } from '../../../../../engine/index.ts';
import { parseScenario } from '../../../../../engine/scenario/load.ts';
import { capture } from '../../../../support/captures.ts';
import { linesOf } from '../../../../support/debug-keys.ts';
import { HvmRig } from '../../../../support/hvm-rig.ts';
import { PC } from '../../../../support/xen-tables.ts';

/** HVM_PARAM_CALLBACK_IRQ of type GSI, and of type PCI INTx: device 5's INTB, device in bits 15-11 */
const viaGsi = (rig: HvmRig, gsi: number) => rig.irq.setCallbackVia(gsi, 0);
const PCI = 1 << 24;
const VECTOR = 2 << 24;

const dump = (rig: HvmRig) => linesOf(debugKeyI([{ id: 2, irq: rig.irq }]));

test('a guest whose wires are all low, as in the capture', () => {
  const rig = new HvmRig(2);
  viaGsi(rig, 1);
  expect(debugKeyI([{ id: 2, irq: rig.irq }])).toBe(capture('xen-x86/hvm-pc.debug-key-I.txt'));
});

test('the pc machine, as in the capture: its guest holds no wire between two interrupts', () => {
  const machine = buildMachine(parseScenario(PC, 'pc.yaml'), 1);
  machine.runUntil(ms(2_000));
  const real = capture('xen-x86/hvm-pc.debug-key-I.txt');
  expect(machine.platform.dump('I')).toBe(real.replace('Domain 2:', 'Domain 1:'));
});

test('a host without HVM guests has the heading alone', () => {
  expect(debugKeyI([])).toBe("(XEN) 'I' pressed -> dumping HVM irq info\n");
});

test('wires that are held: INTx by device, ISA by number, their GSIs and links', () => {
  const rig = new HvmRig();
  rig.irq.setPciLinkRoute(0, 10);
  rig.irq.setPciLinkRoute(3, 11);
  rig.irq.isaIrqAssert(4);
  rig.irq.isaIrqAssert(12);
  // devices 3, 4 and 31: bits 12, 17 and 127
  rig.irq.pciIntxAssert(3, 0);
  rig.irq.pciIntxAssert(4, 1);
  rig.irq.pciIntxAssert(31, 3);
  expect(dump(rig)).toEqual([
    "'I' pressed -> dumping HVM irq info",
    'Domain 2:',
    'PCI 0x00000000000210008000000000000000 ISA 0x00001010 ROUTE 10 0 0 11',
    'GSI [0 - 7] 00 00 00 00 01 00 00 00',
    'GSI [8 - f] 00 00 00 01 01 00 00 00',
    'GSI [10 - 17] 00 00 01 00 00 00 00 00',
    'GSI [18 - 1f] 00 00 00 00 01 00 00 00',
    'GSI [20 - 27] 00 01 00 00 00 00 00 00',
    'GSI [28 - 2f] 00 00 00 00 00 00 00 00',
    'Link 00 01 01 01',
    'Callback via 0:0, not asserted',
  ]);
});

test('the callback: by vector, and by a line that is asserted', () => {
  const rig = new HvmRig();
  rig.irq.setCallbackVia(0xf3, VECTOR);
  expect(dump(rig)).toContain('Callback via 3:0xf3, not asserted');
  rig.upcalls[0] = true;
  rig.irq.setCallbackVia((5 << 11) | 1, PCI);
  expect(dump(rig)).toContain('Callback via 2:0x105, asserted');
  expect(dump(rig)[2]).toMatch(/^PCI 0x0000000000200000/);
});

test('GSIs that fill no row', () => {
  const rig = new HvmRig(1, { ...XEN_HVM, ioapic: { ...XEN_HVM.ioapic, pins: 19 } });
  rig.irq.ioapicAssert(17, true);
  const rows = dump(rig).filter((line) => line.startsWith('GSI'));
  expect(rows.slice(1)).toEqual(['GSI [8 - f] 00 00 00 00 00 00 00 00', 'GSI [10 - 12]  0  1  0']);
});
