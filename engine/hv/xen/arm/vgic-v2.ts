/**
 * The distributor of a GICv2 that guests are given (xen/arch/arm/vgic-v2.c). Its CPU interface is the virtual one of the
 * machine itself.
 */
import { DistTyper, GICD, Sgir, SgirFilter } from '../../../hw/arm/gic-regs.ts';
import type { VgicRank } from './vgic-domain.ts';
import {
  abort,
  BYTE,
  type Effect,
  fixed,
  ignoreWord,
  implementationDefined,
  type MmioAccess,
  type Register,
  RegisterMap,
  range,
  reserved,
  sized,
  told,
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
  GICD_ICPIDR2,
  GICD_NSACR,
  rankAt,
  readConfig,
  readEnabled,
  readPriority,
  setActive,
  setEnabled,
  setPending,
  writeConfig,
  writePriority,
} from './vgic-ranks.ts';

const CTLR_ENABLE = 1;
/** as the machine's would be */
const IIDR = 0x0000_043b;
/** GICD_SGIR cannot be read; Xen says so */
const UNKNOWN = 0xdead_beef;

const readCtlr = words((a) => a.answer(a.v.domain.ctlr));
const writeCtlr = words((a) => {
  a.v.domain.ctlr = a.low & CTLR_ENABLE;
  return true;
});

const readTyper = words((a) => {
  const { vcpus, nrSpis } = a.v.domain;
  return a.answer(DistTyper.cpuNumber.set(nrSpis / 32, vcpus.length - 1));
});

/** Writing it is refused, but 0 means nothing. */
const setActiveV2: Effect = (a) => (a.size === WORD && a.low === 0 ? true : setActive('vGICD')(a));

/** ITARGETSR<n>: the virtual CPU of each of four interrupts, as a bit. */
function targets(rank: VgicRank, offset: number): number {
  const first = offset & 0x1c;
  let value = 0;
  for (let i = 0; i < 4; i++) value |= (1 << rank.vcpu[first + i]!) << (i * 8);
  return value >>> 0;
}

const readTargets = sized([BYTE, WORD], (a) => {
  const rank = rankAt(a, GICD.ITARGETSR, 8);
  return a.answer(rank ? targets(rank, a.offset) : 0);
});

/** The lowest bit counts; none, or one of no virtual CPU, leaves the target as it is. */
const writeTargets = sized([BYTE, WORD], (a) => {
  const rank = rankAt(a, GICD.ITARGETSR, 8);
  if (!rank) return true;
  const value = a.merged(targets(rank, a.offset));
  for (let i = 0; i < 4; i++) {
    const mask = (value >>> (i * 8)) & 0xff;
    if (mask !== 0) retarget(a, rank, (a.offset & 0x1c) + i, 31 - Math.clz32(mask & -mask));
  }
  return true;
});

function retarget(a: MmioAccess, rank: VgicRank, i: number, target: number): void {
  const { vcpus } = a.v.domain;
  const old = rank.vcpu[i]!;
  const to = vcpus[target];
  if (!to || target === old) return;
  if (a.vgic.migrateIrq(a.here, vcpus[old]!, to, rank.index * 32 + i)) rank.vcpu[i] = target;
}

const writeSgir = words((a) => {
  const irq = Sgir.intid.get(a.low);
  const d = a.v.domain;
  switch (Sgir.filter.get(a.low)) {
    case SgirFilter.LIST:
      a.vgic.sgiToList(a.here, d, irq, 0, Sgir.targetList.get(a.low));
      return true;
    case SgirFilter.OTHERS:
      a.vgic.sgiToOthers(a.here, d, irq);
      return true;
    case SgirFilter.SELF:
      a.vgic.sgiToSelf(a.here, a.v, irq);
      return true;
    default:
      return false;
  }
});

/** Of stores Xen says the same here as where an implementation is free. */
function reservedV2(first: number, last: number): Register {
  return reserved('vGICD', first, last, 'implementation defined');
}

/** Of loads it says so with a letter too few. */
function definedV2(first: number, last: number, write?: Effect): Register {
  const defined = implementationDefined('vGICD', first, last);
  const read = told('vGICD', 'RAZ on implemention defined', zero);
  return { ...defined, read, write: write ?? defined.write };
}

/** The registers from the distributor's base on. */
export const VGIC_V2_DISTRIBUTOR = new RegisterMap(
  [
    word('GICD_CTLR', GICD.CTLR, readCtlr, writeCtlr),
    word('GICD_TYPER', GICD.TYPER, readTyper, ignoreWord),
    word('GICD_IIDR', GICD.IIDR, fixed(IIDR), ignoreWord),
    reservedV2(0x00c, 0x01c),
    definedV2(0x020, 0x03c),
    reservedV2(0x040, 0x07c),
    range('GICD_IGROUPR', GICD.IGROUPR, 0x0fc, zeroWord, ignoreWord),
    range('GICD_ISENABLER', GICD.ISENABLER, 0x17c, readEnabled(GICD.ISENABLER), setEnabled),
    range('GICD_ICENABLER', GICD.ICENABLER, 0x1fc, readEnabled(GICD.ICENABLER), clearEnabled),
    range('GICD_ISPENDR', GICD.ISPENDR, 0x27c, zero, setPending),
    range('GICD_ICPENDR', GICD.ICPENDR, 0x2fc, zero, clearPending),
    range('GICD_ISACTIVER', GICD.ISACTIVER, 0x37c, zero, setActiveV2),
    range('GICD_ICACTIVER', GICD.ICACTIVER, 0x3fc, zero, clearActive('vGICD')),
    range('GICD_IPRIORITYR', GICD.IPRIORITYR, 0x7f8, readPriority, writePriority),
    reservedV2(0x7fc, 0x7fc),
    range('GICD_ITARGETSR', GICD.ITARGETSR, 0x81c, readTargets, ignoreWord),
    range('GICD_ITARGETSR', 0x820, 0xbf8, readTargets, writeTargets),
    reservedV2(0xbfc, 0xbfc),
    range('GICD_ICFGR', GICD.ICFGR, 0xc04, readConfig, ignoreWord),
    range('GICD_ICFGR', 0xc08, 0xcfc, readConfig, writeConfig),
    definedV2(0xd00, 0xdfc),
    range('GICD_NSACR', GICD_NSACR, 0xefc, zeroWord, ignoreWord),
    word('GICD_SGIR', GICD.SGIR, fixed(UNKNOWN), writeSgir),
    reservedV2(0xf04, 0xf0c),
    range('GICD_CPENDSGIR', GICD.CPENDSGIR, 0xf1c, zero, abort),
    range('GICD_SPENDSGIR', GICD.SPENDSGIR, 0xf2c, zero, abort),
    reservedV2(0xf30, 0xfcc),
    definedV2(0xfd0, 0xfe4),
    word('GICD_ICPIDR2', GICD_ICPIDR2, abort, ignoreWord),
    definedV2(0xfec, 0xffc, abort),
  ],
  { name: 'none', first: 0, last: 0, read: abort, write: abort },
);
