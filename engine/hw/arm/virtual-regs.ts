/**
 * Registers by which a hypervisor gives interrupts to a guest: GICH_* of GICv2 (IHI 0048B, 5.3) and ICH_*_EL2 of
 * GICv3 (IHI 0069, 12.4). Most fields are at the same place in both.
 */
import { bit, Field } from '../../core/bits.ts';

// GICH_HCR, ICH_HCR_EL2
export const HCR_EN = 1 << 0;
/** a maintenance interrupt when no list register or only one is in use */
export const HCR_UIE = 1 << 1;
/** ... for EOIs that no list register was found for */
export const HCR_LRENPIE = 1 << 2;
/** ... when nothing is pending */
export const HCR_NPIE = 1 << 3;
export const HCR_VGRP0EIE = 1 << 4;
export const HCR_VGRP0DIE = 1 << 5;
export const HCR_VGRP1EIE = 1 << 6;
export const HCR_VGRP1DIE = 1 << 7;
/** what asks about the groups' enables */
export const HCR_GROUPS = HCR_VGRP0EIE | HCR_VGRP0DIE | HCR_VGRP1EIE | HCR_VGRP1DIE;
/** what of HCR asks for maintenance interrupts */
export const HCR_MAINTENANCE = 0xfe;
export const HCR_EOI_COUNT = new Field(27, 5);
export const HCR_FIELDS = 0xff | HCR_EOI_COUNT.mask;

// GICH_MISR, ICH_MISR_EL2
export const MISR_EOI = 1 << 0;
export const MISR_U = 1 << 1;
export const MISR_LRENP = 1 << 2;
export const MISR_NP = 1 << 3;
export const MISR_VGRP0E = 1 << 4;
export const MISR_VGRP0D = 1 << 5;
export const MISR_VGRP1E = 1 << 6;
export const MISR_VGRP1D = 1 << 7;

// GICH_VMCR, ICH_VMCR_EL2
export const VMCR_ENG0 = 1 << 0;
export const VMCR_ENG1 = 1 << 1;
/** GICv2: a read of IAR acknowledges group 1 too */
export const VMCR_ACKCTL = 1 << 2;
/** group 0 is signalled as FIQ */
export const VMCR_FIQEN = 1 << 3;
/** BPR0 is for both groups */
export const VMCR_CBPR = 1 << 4;
/** EOI drops the priority and does not deactivate; DIR does */
export const VMCR_EOIM = 1 << 9;
export const VMCR_BPR1 = new Field(18, 3);
export const VMCR_BPR0 = new Field(21, 3);
/** the five bits of the priority mask that are implemented */
export const VMCR_PMR = new Field(27, 5);
export const VMCR_FIELDS =
  (VMCR_ENG0 |
    VMCR_ENG1 |
    VMCR_FIQEN |
    VMCR_CBPR |
    VMCR_EOIM |
    VMCR_BPR1.mask |
    VMCR_BPR0.mask |
    VMCR_PMR.mask) >>>
  0;

/** priority bits of a virtual interface, all of which preempt: 32 levels, one register of active priorities */
export const PRIORITY_BITS = 5;

// ICH_LR<n>_EL2, bits 63-32; bits 31-0 are the virtual INTID
export const LR_PENDING = 1 << 30;
export const LR_ACTIVE = 1 << 31;
export const LR_STATE = LR_PENDING | LR_ACTIVE;
/** it stands for a physical interrupt, which its EOI deactivates */
export const LR_HW = 1 << 29;
export const LR_GROUP1 = 1 << 28;
export const LR_PRIORITY = new Field(16, 8);
/** priority by its implemented bits */
export const LR_LEVEL = new Field(16 + 8 - PRIORITY_BITS, PRIORITY_BITS);
/** a maintenance interrupt at its EOI; only without HW */
export const LR_EOI = 1 << 9;
export const LR_PINTID = new Field(0, 13);

/** what can be written in bits 63-32 */
export const LR_FIELDS = LR_STATE | LR_HW | LR_GROUP1 | LR_LEVEL.mask;

// GICH_LR<n>
export const GICH_LR_VIRTUAL_ID = new Field(0, 10);
/** of an SGI, without HW: the CPU that asked for it */
export const GICH_LR_CPUID = new Field(10, 3);
export const GICH_LR_PHYSICAL_ID = new Field(10, 10);
export const GICH_LR_EOI = bit(19);
export const GICH_LR_PRIORITY = new Field(23, 5);
export const GICH_LR_STATE = new Field(28, 2);
export const GICH_LR_GROUP1 = bit(30);
export const GICH_LR_HW = bit(31);

/** states of a list register, the two bits as a number */
export const LR_STATES = ['invalid', 'pending', 'active', 'pending and active'] as const;

/** running priority when nothing is active */
export const IDLE_PRIORITY = 0xff;
