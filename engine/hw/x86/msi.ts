/** A message-signalled interrupt taken apart (SDM volume 3, "Message Signalled Interrupts"). */
import { Field } from '../../core/bits.ts';

/** Message address, bits 31-0. */
export const MsiAddress = {
  destination: new Field(12, 8),
  redirectionHint: new Field(3, 1),
  logical: new Field(2, 1),
} as const;

/** Message data. */
export const MsiData = {
  vector: new Field(0, 8),
  mode: new Field(8, 3),
  assert: new Field(14, 1),
  level: new Field(15, 1),
} as const;

export const FEE = 0xfee0_0000;

/** Is it an address that interrupts? */
export function isMsiAddress(low: number): boolean {
  return (low & 0xfff0_0000) >>> 0 === FEE;
}

/** The destination; `wide`: with bits 31-8 from the upper half of the address, as KVM and remapping hardware take them. */
export function msiDestination(low: number, high: number, wide: boolean): number {
  const near = MsiAddress.destination.get(low);
  return wide ? ((high & ~0xff) | near) >>> 0 : near;
}

/** Address, bits 31-0, for a processor by its physical ID. */
export function msiAddress(apicId: number): number {
  return (FEE | ((apicId & 0xff) << 12)) >>> 0;
}
