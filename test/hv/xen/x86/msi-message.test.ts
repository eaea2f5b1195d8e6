/** Messages as Xen composes them (msi_compose_msg), and as hardware takes them apart. */
import { expect, test } from 'vitest';
import { composeMsi } from '../../../../engine/hv/xen/x86/msi-message.ts';
import { isMsiAddress, MsiAddress } from '../../../../engine/hw/x86/msi.ts';

test('flat: a logical mask, lowest priority, with the redirection hint', () => {
  expect(composeMsi(0x61, [0, 2], true)).toEqual({ address: 0xfee0_500c, data: 0x4161, destination: 5 });
});

test('physical: one local APIC, fixed', () => {
  expect(composeMsi(0x61, [9], false)).toEqual({ address: 0xfee0_9000, data: 0x4061, destination: 9 });
});

test('the address has room for eight bits of a destination', () => {
  const { address, destination } = composeMsi(0x61, [0x1ff], false);
  expect([isMsiAddress(address), MsiAddress.destination.get(address), destination]).toEqual([
    true,
    0xff,
    0x1ff,
  ]);
});
