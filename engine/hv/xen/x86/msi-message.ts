/** The message that Xen writes into a PCI device for an interrupt (msi_compose_msg, xen/arch/x86/msi.c). */
import { Mode } from '../../../hw/x86/apic-regs.ts';
import { FEE, MsiAddress, MsiData } from '../../../hw/x86/msi.ts';

export interface MsiMessage {
  /** bits 31-0; the others are 0 */
  readonly address: number;
  readonly data: number;
  /** dest32: a logical mask of CPUs, or the ID of a local APIC */
  readonly destination: number;
}

/**
 * @param cpus those that it is aimed at
 * @param flat CPUs are addressed by a logical mask, the one of lowest priority takes it (genapic flat)
 */
export function composeMsi(vector: number, cpus: readonly number[], flat: boolean): MsiMessage {
  const destination = flat ? cpus.reduce((mask, cpu) => mask | (1 << cpu), 0) : cpus[0]!;
  const how = flat ? MsiAddress.logical.mask | MsiAddress.redirectionHint.mask : 0;
  return {
    address: (FEE | how | MsiAddress.destination.set(0, destination & 0xff)) >>> 0,
    data: vector | MsiData.assert.mask | MsiData.mode.set(0, flat ? Mode.LOWEST : Mode.FIXED),
    destination,
  };
}
