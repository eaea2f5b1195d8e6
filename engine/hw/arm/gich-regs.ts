/** GICv2's virtual interface as a bus has it: registers by offset (IHI 0048B, tables 5-1 and 5-8). */
import { GICC } from './gic-regs.ts';
import type { Gich } from './gich.ts';

export interface MappedRegister {
  readonly name: string;
  readonly offset: number;
  readonly read?: (gich: Gich) => number;
  readonly write?: (gich: Gich, value: number) => void;
}

/** offset of the first list register; the others follow */
const GICH_LR0 = 0x100;

const GICH: readonly MappedRegister[] = [
  { name: 'GICH_HCR', offset: 0x00, read: (g) => g.readHcr(), write: (g, value) => g.writeHcr(value) },
  { name: 'GICH_VTR', offset: 0x04, read: (g) => g.vtr },
  { name: 'GICH_VMCR', offset: 0x08, read: (g) => g.readVmcr(), write: (g, value) => g.writeVmcr(value) },
  { name: 'GICH_MISR', offset: 0x10, read: (g) => g.core.misr },
  { name: 'GICH_EISR0', offset: 0x20, read: (g) => g.core.eisr },
  { name: 'GICH_ELRSR0', offset: 0x30, read: (g) => g.core.elrsr },
  { name: 'GICH_APR', offset: 0xf0, read: (g) => g.readApr(), write: (g, value) => g.writeApr(value) },
];

/** where the guest looks for its CPU interface */
const GICV: readonly MappedRegister[] = [
  {
    name: 'GICV_CTLR',
    offset: GICC.CTLR,
    read: (g) => g.readCtlr(),
    write: (g, value) => g.writeCtlr(value),
  },
  { name: 'GICV_PMR', offset: GICC.PMR, read: (g) => g.readPmr(), write: (g, value) => g.writePmr(value) },
  { name: 'GICV_BPR', offset: GICC.BPR, read: (g) => g.readBpr(), write: (g, value) => g.writeBpr(value) },
  { name: 'GICV_IAR', offset: GICC.IAR, read: (g) => g.iar() },
  { name: 'GICV_EOIR', offset: GICC.EOIR, write: (g, value) => g.eoir(value) },
  { name: 'GICV_RPR', offset: GICC.RPR, read: (g) => g.readRpr() },
  { name: 'GICV_HPPIR', offset: GICC.HPPIR, read: (g) => g.hppir() },
  {
    name: 'GICV_ABPR',
    offset: GICC.ABPR,
    read: (g) => g.readAbpr(),
    write: (g, value) => g.writeAbpr(value),
  },
  { name: 'GICV_AIAR', offset: GICC.AIAR, read: (g) => g.aiar() },
  { name: 'GICV_AEOIR', offset: GICC.AEOIR, write: (g, value) => g.aeoir(value) },
  { name: 'GICV_AHPPIR', offset: GICC.AHPPIR, read: (g) => g.ahppir() },
  {
    name: 'GICV_APR0',
    offset: GICC.APR,
    read: (g) => g.core.ap0,
    write: (g, value) => g.core.writeAp(0, value),
  },
  { name: 'GICV_IIDR', offset: GICC.IIDR, read: (g) => g.iidr },
  { name: 'GICV_DIR', offset: GICC.DIR, write: (g, value) => g.dir(value) },
];

export const GICH_REGISTERS: ReadonlyMap<number, MappedRegister> = byOffset(GICH);
export const GICV_REGISTERS: ReadonlyMap<number, MappedRegister> = byOffset(GICV);

function byOffset(registers: readonly MappedRegister[]): Map<number, MappedRegister> {
  return new Map(registers.map((register) => [register.offset, register]));
}

/** The hypervisor's load; what no register answers reads 0. */
export function readGich(gich: Gich, offset: number): number {
  const n = (offset - GICH_LR0) >> 2;
  if (n >= 0) return n < gich.lrs ? gich.readLr(n) >>> 0 : 0;
  return GICH_REGISTERS.get(offset)?.read?.(gich) ?? 0;
}

export function writeGich(gich: Gich, offset: number, value: number): void {
  const n = (offset - GICH_LR0) >> 2;
  if (n < 0) GICH_REGISTERS.get(offset)?.write?.(gich, value);
  else if (n < gich.lrs) gich.writeLr(n, value | 0);
}

/** The guest's load. */
export function readGicv(gich: Gich, offset: number): number {
  return GICV_REGISTERS.get(offset)?.read?.(gich) ?? 0;
}

export function writeGicv(gich: Gich, offset: number, value: number): void {
  GICV_REGISTERS.get(offset)?.write?.(gich, value);
}
