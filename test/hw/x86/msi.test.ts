/** Message address and data of an MSI (SDM volume 3, "Message Signalled Interrupts"). */
import { expect, test } from 'vitest';
import { isMsiAddress, MsiAddress, MsiData, msiAddress, msiDestination } from '../../../engine/hw/x86/msi.ts';

test('addresses from 0xfee00000 on, 1 MiB of them, are interrupts', () => {
  const addresses = [0xfedf_fffc, 0xfee0_0000, 0xfeef_fffc, 0xfef0_0000, 0];
  expect(addresses.map(isMsiAddress)).toEqual([false, true, true, false, false]);
});

test('the address has the destination in bits 19-12, hint and mode in bits 3 and 2', () => {
  const address = 0xfee1_200c;
  expect([
    MsiAddress.destination.get(address),
    MsiAddress.redirectionHint.has(address),
    MsiAddress.logical.has(address),
  ]).toEqual([0x12, true, true]);
  expect([MsiAddress.redirectionHint.has(0xfee1_2004), MsiAddress.logical.has(0xfee1_2008)]).toEqual([
    false,
    false,
  ]);
});

test('the data have vector, delivery mode and trigger', () => {
  const data = 0x8431;
  expect([MsiData.vector.get(data), MsiData.mode.get(data), MsiData.level.has(data)]).toEqual([
    0x31,
    4,
    true,
  ]);
  expect(MsiData.level.has(0x4031)).toBe(false);
});

test("a wide destination has bits 31-8 from the address's upper half", () => {
  expect(msiDestination(0xfee4_5000, 0xabcd_ef12, true)).toBe(0xabcd_ef45);
  expect(msiDestination(0xfee4_5000, 0xabcd_ef12, false)).toBe(0x45);
});

test('the address for a processor leads to it', () => {
  expect([msiAddress(0x2a), msiDestination(msiAddress(0x2a), 0, false)]).toEqual([0xfee2_a000, 0x2a]);
});
