/** What the fields of a GIC's virtual interface say (IHI 0048B, chapter 5; IHI 0069, 12.4). */

/** GICH_HCR, ICH_HCR_EL2 and GICH_MISR, ICH_MISR_EL2, from bit 0 on */
const HCR = ['En', 'UIE', 'LRENPIE', 'NPIE', 'VGrp0EIE', 'VGrp0DIE', 'VGrp1EIE', 'VGrp1DIE'] as const;
const MISR = ['EOI', 'U', 'LRENP', 'NP', 'VGrp0E', 'VGrp0D', 'VGrp1E', 'VGrp1D'] as const;

function names(all: readonly string[], value: number): string[] {
  return all.filter((_, n) => (value & (1 << n)) !== 0);
}

/** Bits of HCR by their names: `En`, `UIE`. */
export function hcrBits(hcr: number): string[] {
  return names(HCR, hcr);
}

/** Causes of a maintenance interrupt. */
export function misrBits(misr: number): string[] {
  return names(MISR, misr);
}

/** The guest's priority mask: the upper five bits of VMCR. */
export function guestPriorityMask(vmcr: number): number {
  return (vmcr >>> 24) & 0xf8;
}

/** Priorities that are active, the most urgent first: a bit each of a register of 32 levels. */
export function activePriorities(ap: number): number[] {
  const out: number[] = [];
  for (let level = 0; level < 32; level++) if ((ap >>> level) & 1) out.push(level << 3);
  return out;
}
