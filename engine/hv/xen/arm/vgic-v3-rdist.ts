/**
 * Redistributors of a GICv3 that guests are given (xen/arch/arm/vgic-v3.c): two pages of 64 KiB for each virtual CPU.
 * Any virtual CPU may use any of them; they act for the one they belong to.
 *
 * What is about LPIs is refused where Xen, by an inverted check, refuses it.
 */
import { GICD, GICR } from '../../../hw/arm/gic-regs.ts';
import {
  BYTE,
  DOUBLE,
  type Effect,
  fixed,
  HALF,
  ignore,
  ignoreWord,
  implementationDefined,
  RegisterMap,
  range,
  reserved,
  sized,
  WORD,
  word,
  zero,
  zeroWord,
} from './vgic-mmio.ts';
import {
  clearActive,
  clearEnabled,
  clearPending,
  GICD_NSACR,
  GICD_PIDR2,
  readConfig,
  readEnabled,
  readPriority,
  setActive,
  setEnabled,
  setPending,
  writeConfig,
  writePriority,
} from './vgic-ranks.ts';
import { VGIC_V3_IIDR, VGIC_V3_PIDR2 } from './vgic-v3.ts';

const TYPER_LAST = 1 << 4;
const TYPER_NUMBER_SHIFT = 8;
const NOT_BUSY = 1;
const UNKNOWN = 0xdead_beaf;

const zero64 = sized([WORD, DOUBLE], zero);
/** as it is in Xen: 4 and 8 bytes abort */
const ignore64 = sized([BYTE, HALF], ignore);
/** write-only registers of 64 bits */
const unknown: Effect = (a) => a.answer64(UNKNOWN, UNKNOWN);

/** Last: the domain's last, or the last that its region has room for. */
const readTyper = sized([WORD, DOUBLE], (a) => {
  const { id, domain } = a.v;
  let end = 0;
  let last = id === domain.vcpus.length - 1;
  for (const count of domain.redistributors) {
    end += count;
    if (id === end - 1) last = true;
  }
  const affinity = (id & 0xf) | ((id >> 4) << 8);
  return a.answer64(affinity, (id << TYPER_NUMBER_SHIFT) | (last ? TYPER_LAST : 0));
});

const beside = { name: 'none', first: 0, last: 0, read: zero, write: ignore };

/** RD_base */
export const VGIC_V3_RD = new RegisterMap(
  [
    word('GICR_CTLR', GICR.CTLR, zeroWord, ignoreWord),
    word('GICR_IIDR', GICR.IIDR, fixed(VGIC_V3_IIDR), ignoreWord),
    range('GICR_TYPER', GICR.TYPER, GICR.TYPER + 4, readTyper, ignore64),
    word('GICR_STATUSR', 0x10, zeroWord, ignoreWord),
    word('GICR_WAKER', GICR.WAKER, zeroWord, ignoreWord),
    reserved('vGICR', 0x18, 0x18),
    implementationDefined('vGICR', 0x20, 0x20),
    range('GICR_SETLPIR', 0x40, 0x44, unknown, ignore64),
    range('GICR_CLRLPIR', 0x48, 0x4c, unknown, ignore64),
    range('GICR_PROPBASER', 0x70, 0x74, zero64, ignore64),
    range('GICR_PENDBASER', 0x78, 0x7c, zero64, ignore64),
    range('GICR_INVLPIR', 0xa0, 0xa4, unknown, ignore64),
    range('GICR_INVALLR', 0xb0, 0xb4, unknown, ignore64),
    word('GICR_SYNCR', 0xc0, fixed(NOT_BUSY), ignoreWord),
    implementationDefined('vGICR', 0x0100, 0x0104),
    reserved('vGICR', 0x0108, 0x0108),
    implementationDefined('vGICR', 0x0110, 0x0114),
    reserved('vGICR', 0x0118, 0xbffc),
    implementationDefined('vGICR', 0xc000, 0xffe4),
    word('GICR_PIDR2', GICD_PIDR2, fixed(VGIC_V3_PIDR2), ignoreWord),
    implementationDefined('vGICR', 0xffec, 0xfffc),
  ],
  beside,
);

/** SGI_base */
export const VGIC_V3_SGI = new RegisterMap(
  [
    word('GICR_IGROUPR0', GICD.IGROUPR, zeroWord, ignoreWord),
    word('GICR_ISENABLER0', GICD.ISENABLER, readEnabled(GICD.ISENABLER), setEnabled),
    word('GICR_ICENABLER0', GICD.ICENABLER, readEnabled(GICD.ICENABLER), clearEnabled),
    word('GICR_ISPENDR0', GICD.ISPENDR, zero, setPending),
    word('GICR_ICPENDR0', GICD.ICPENDR, zero, clearPending),
    word('GICR_ISACTIVER0', GICD.ISACTIVER, zero, setActive('vGICR: SGI')),
    word('GICR_ICACTIVER0', GICD.ICACTIVER, zero, clearActive('vGICR: SGI')),
    range('GICR_IPRIORITYR', GICD.IPRIORITYR, 0x41c, readPriority, writePriority),
    word('GICR_ICFGR0', GICD.ICFGR, readConfig, ignore),
    word('GICR_ICFGR1', GICD.ICFGR + 4, readConfig, writeConfig),
    word('GICR_IGRPMODR0', 0xd00, zeroWord, ignoreWord),
    word('GICR_NSACR', GICD_NSACR, zeroWord, ignoreWord),
    // of stores there Xen says that it does not know them
    { ...reserved('vGICR: SGI', 0xe04, 0xbffc), write: ignore },
    { ...implementationDefined('vGICR: SGI', 0xc000, 0xffcc), write: ignore },
    { ...reserved('vGICR: SGI', 0xffd0, 0xfffc), write: ignore },
  ],
  beside,
);
