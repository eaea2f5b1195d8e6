/** What kinds of virtual interface there are, and where simpler models of them part: every difference by name, in one place. */
import { VMCR_ACKCTL, VMCR_ENG0, VMCR_ENG1, VMCR_FIELDS, VMCR_FIQEN, VMCR_PMR } from './virtual-regs.ts';

export interface VirtualInterfaceOptions {
  /** list registers: 4 in a Cortex-A57 */
  readonly lrs: number;
  /** bits of VMCR that can be written */
  readonly vmcrFields: number;
  /** bits of VMCR that are always 1 */
  readonly vmcrOnes: number;
  /** VMCR has binary points. Without, all priority bits preempt. */
  readonly binaryPoints: boolean;
  /** HCR counts EOIs that no list register was found for. */
  readonly eoiCount: boolean;
  /** There are maintenance interrupts, and HCR can ask for all of them. Without, HCR has En and UIE alone. */
  readonly maintenance: boolean;
  /**
   * An EOI deactivates only what has the priority and group that it drops (GICv3, where it is what
   * VirtualEndOfInterrupt does). GICv2's looks at the id alone.
   */
  readonly eoiByPriority: boolean;
}

export const GICV2_VIRTUAL: VirtualInterfaceOptions = {
  lrs: 4,
  vmcrFields: (VMCR_FIELDS | VMCR_ACKCTL) >>> 0,
  vmcrOnes: 0,
  binaryPoints: true,
  eoiCount: true,
  maintenance: true,
  eoiByPriority: false,
};

/** With the system registers enabled: FIQEn is 1 then. */
export const GICV3_VIRTUAL: VirtualInterfaceOptions = {
  lrs: 4,
  vmcrFields: VMCR_FIELDS,
  vmcrOnes: VMCR_FIQEN,
  binaryPoints: true,
  eoiCount: true,
  maintenance: true,
  eoiByPriority: true,
};

/** The model that the golden vectors of Xen's virtual GICv2 were made with. */
export const VECTORS_GICV2_VIRTUAL: VirtualInterfaceOptions = {
  ...GICV2_VIRTUAL,
  vmcrFields: (VMCR_PMR.mask | VMCR_ENG0) >>> 0,
  binaryPoints: false,
  eoiCount: false,
  maintenance: false,
};

/** And those of its GICv3. */
export const VECTORS_GICV3_VIRTUAL: VirtualInterfaceOptions = {
  ...GICV3_VIRTUAL,
  vmcrFields: (VMCR_PMR.mask | VMCR_ENG1) >>> 0,
  vmcrOnes: 0,
  binaryPoints: false,
  eoiCount: false,
  maintenance: false,
};
