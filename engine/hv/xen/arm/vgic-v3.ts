/**
 * The distributor of a GICv3 that guests are given (xen/arch/arm/vgic-v3.c), and ICC_SGI1R_EL1, whose writes trap. The
 * rest of the CPU interface is the virtual one of the machine itself.
 *
 * Not modelled: LPIs and the ITS.
 */
import { DistTyper, GICD, IROUTER_ANY, Sgi1r, Sgi1rHigh } from '../../../hw/arm/gic-regs.ts';
import type { GicCpu } from './gic-hw.ts';
import type { Vgic } from './vgic.ts';
import type { VgicVcpu } from './vgic-domain.ts';
import {
  abort,
  DOUBLE,
  type Effect,
  fixed,
  ignore,
  ignoreWord,
  implementationDefined,
  RegisterMap,
  range,
  reserved,
  sized,
  WORD,
  word,
  words,
  zero,
  zeroWord,
} from './vgic-mmio.ts';
import {
  clearActive,
  clearEnabled,
  clearPending,
  GICD_NSACR,
  GICD_PIDR2,
  GICD_STATUSR,
  readConfig,
  readEnabled,
  readPriority,
  setActive,
  setEnabled,
  setPending,
  writeConfig,
  writePriority,
} from './vgic-ranks.ts';

/** GICV3_GICD_IIDR_VAL, GICV3_GICR_IIDR_VAL */
export const VGIC_V3_IIDR = 0x34c;
/** architecture 3 */
export const VGIC_V3_PIDR2 = 0x30;

const CTLR_ENABLE_G1A = 1 << 1;

const readCtlr = words((a) => a.answer(a.v.domain.ctlr));
const writeCtlr = words((a) => {
  const d = a.v.domain;
  d.ctlr = (d.ctlr & ~CTLR_ENABLE_G1A) | (a.low & CTLR_ENABLE_G1A);
  return true;
});

const readTyper = words((a) => {
  const { vcpus, nrSpis, idBits } = a.v.domain;
  const cpus = Math.min(vcpus.length, 8) - 1;
  return a.answer(DistTyper.idBits.set(DistTyper.cpuNumber.set(nrSpis / 32, cpus), idBits - 1));
});

/** vcpuid_to_vaffinity: sixteen virtual CPUs in a group of Aff1. */
function affinityOf(vcpu: number): number {
  return (vcpu & 0xf) | ((vcpu >> 4) << 8);
}

/** vaffinity_to_vcpuid; Aff2 and Aff3 are ignored. */
function vcpuOf(affinity: number): number {
  return (affinity & 0xff) | (((affinity >> 8) & 0xff) << 4);
}

/** vgic_fetch_irouter */
const readRouter = sized([WORD, DOUBLE], (a) => {
  const irq = (a.offset - GICD.IROUTER) >> 3;
  const rank = a.v.domain.rank(a.v, irq >> 5);
  return a.answer64(0, rank ? affinityOf(rank.vcpu[irq & 31]!) : 0);
});

/**
 * vgic_store_irouter: only the lower half says anything that Xen heeds. Any virtual CPU means the first; one that is not
 * there is ignored.
 */
const writeRouter = sized([WORD, DOUBLE], (a) => {
  const irq = (a.offset - GICD.IROUTER) >> 3;
  const { vcpus } = a.v.domain;
  const rank = a.v.domain.rank(a.v, irq >> 5);
  if (!rank || (a.size === WORD && a.offset & 4)) return true;
  const old = rank.vcpu[irq & 31]!;
  const target = IROUTER_ANY.has(a.low) ? 0 : vcpuOf(a.low);
  const to = vcpus[target];
  if (!to || target === old) return true;
  if (a.vgic.migrateIrq(a.here, vcpus[old]!, to, irq)) rank.vcpu[irq & 31] = target;
  return true;
});

/** Of the pending bits, only the first register's are read. */
const readClearPending: Effect = (a) => a.offset < GICD.ICPENDR + 4 && zero(a);

/** The registers from the distributor's base on; Xen ignores what it does not know. */
export const VGIC_V3_DISTRIBUTOR = new RegisterMap(
  [
    word('GICD_CTLR', GICD.CTLR, readCtlr, writeCtlr),
    word('GICD_TYPER', GICD.TYPER, readTyper, ignoreWord),
    word('GICD_IIDR', GICD.IIDR, fixed(VGIC_V3_IIDR), ignoreWord),
    reserved('vGICD', 0x000c, 0x000c),
    word('GICD_STATUSR', GICD_STATUSR, zeroWord, ignoreWord),
    reserved('vGICD', 0x0014, 0x001c),
    implementationDefined('vGICD', 0x0020, 0x003c),
    // SETSPI and CLRSPI among them: SPIs by message are not there
    reserved('vGICD', 0x0040, 0x007c),
    range('GICD_IGROUPR', GICD.IGROUPR, 0x0fc, zeroWord, ignoreWord),
    range('GICD_ISENABLER', GICD.ISENABLER, 0x17c, readEnabled(GICD.ISENABLER), setEnabled),
    range('GICD_ICENABLER', GICD.ICENABLER, 0x1fc, readEnabled(GICD.ICENABLER), clearEnabled),
    range('GICD_ISPENDR', GICD.ISPENDR, 0x27c, zero, setPending),
    range('GICD_ICPENDR', GICD.ICPENDR, 0x2fc, readClearPending, clearPending),
    range('GICD_ISACTIVER', GICD.ISACTIVER, 0x37c, zero, setActive('vGICD')),
    range('GICD_ICACTIVER', GICD.ICACTIVER, 0x3fc, zero, clearActive('vGICD')),
    range('GICD_IPRIORITYR', GICD.IPRIORITYR, 0x7f8, readPriority, writePriority),
    word('GICD_ICFGR', GICD.ICFGR, readConfig, ignoreWord),
    range('GICD_ICFGR', GICD.ICFGR + 4, 0xcfc, readConfig, writeConfig),
    range('GICD_NSACR', GICD_NSACR, 0xefc, zeroWord, ignoreWord),
    word('GICD_SGIR', GICD.SGIR, zeroWord, ignoreWord),
    range('GICD_CPENDSGIR', GICD.CPENDSGIR, 0xf1c, zeroWord, abort),
    range('GICD_SPENDSGIR', GICD.SPENDSGIR, 0xf2c, zeroWord, abort),
    reserved('vGICD', 0x0f30, 0x60fc),
    range('GICD_IROUTER', 0x6100, 0x7fdc, readRouter, writeRouter),
    reserved('vGICD', 0x7fe0, 0xbffc),
    implementationDefined('vGICD', 0xc000, 0xffe4),
    word('GICD_PIDR2', GICD_PIDR2, fixed(VGIC_V3_PIDR2), ignoreWord),
    implementationDefined('vGICD', 0xffec, 0xfffc),
  ],
  { name: 'none', first: 0, last: 0, read: zero, write: ignore },
);

/** A write of ICC_SGI1R_EL1, or of its 32-bit form: Aff2, Aff3 and the range selector are ignored. */
export function writeSgi1r(vgic: Vgic, here: GicCpu, v: VgicVcpu, high: number, low: number): void {
  const irq = Sgi1r.intid.get(low);
  if (Sgi1rHigh.irm.has(high)) vgic.sgiToOthers(here, v.domain, irq);
  else vgic.sgiToList(here, v.domain, irq, Sgi1r.aff1.get(low) << 4, Sgi1r.targetList.get(low));
}
