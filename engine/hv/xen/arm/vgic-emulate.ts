/** Where a guest's access to its distributor or a redistributor, which has left the guest, finds its register. */
import { GICR_FRAME } from '../../../hw/arm/gic-regs.ts';
import type { GicCpu } from './gic-hw.ts';
import type { Vgic } from './vgic.ts';
import type { VgicVcpu } from './vgic-domain.ts';
import { MmioAccess, type Register, type Size } from './vgic-mmio.ts';
import { VGIC_V2_DISTRIBUTOR } from './vgic-v2.ts';
import { VGIC_V3_DISTRIBUTOR } from './vgic-v3.ts';
import { VGIC_V3_RD, VGIC_V3_SGI } from './vgic-v3-rdist.ts';

/** How an access that makes no sense to Xen ends: a data abort in the guest. */
export const ABORT = null;

/** vgic_v2_distr_mmio_read, vgic_v3_distr_mmio_read. @returns what was read, or ABORT */
export function readDistributor(vgic: Vgic, here: GicCpu, offset: number, size: Size): MmioAccess | null {
  const access = new MmioAccess(vgic, here, running(here));
  access.offset = offset;
  access.size = size;
  return distributorRegister(access).read(access) ? access : ABORT;
}

/** vgic_v2_distr_mmio_write, vgic_v3_distr_mmio_write. @returns false: ABORT */
export function writeDistributor(
  vgic: Vgic,
  here: GicCpu,
  offset: number,
  size: Size,
  low: number,
  high = 0,
): boolean {
  const access = store(new MmioAccess(vgic, here, running(here)), size, low, high);
  access.offset = offset;
  return distributorRegister(access).write(access);
}

/** vgic_v3_rdistr_mmio_read. @param n which redistributor @param offset from its first page on */
export function readRedistributor(
  vgic: Vgic,
  here: GicCpu,
  n: number,
  offset: number,
  size: Size,
): MmioAccess | null {
  const owner = running(here).domain.vcpus[n];
  if (!owner) return ABORT;
  const access = new MmioAccess(vgic, here, owner);
  access.size = size;
  return redistributorRegister(access, offset).read(access) ? access : ABORT;
}

/** vgic_v3_rdistr_mmio_write */
export function writeRedistributor(
  vgic: Vgic,
  here: GicCpu,
  n: number,
  offset: number,
  size: Size,
  low: number,
  high = 0,
): boolean {
  const owner = running(here).domain.vcpus[n];
  if (!owner) return false;
  const access = store(new MmioAccess(vgic, here, owner), size, low, high);
  return redistributorRegister(access, offset).write(access);
}

function running(here: GicCpu): VgicVcpu {
  if (here.current === null) throw new Error(`CPU ${here.cpu} runs no guest`);
  return here.current;
}

function store(access: MmioAccess, size: Size, low: number, high: number): MmioAccess {
  access.size = size;
  access.low = low >>> 0;
  access.high = high >>> 0;
  return access;
}

function distributorRegister({ v, offset }: MmioAccess): Register {
  return (v.domain.version === 2 ? VGIC_V2_DISTRIBUTOR : VGIC_V3_DISTRIBUTOR).at(offset);
}

function redistributorRegister(access: MmioAccess, offset: number): Register {
  access.offset = offset % GICR_FRAME;
  return (offset < GICR_FRAME ? VGIC_V3_RD : VGIC_V3_SGI).at(access.offset);
}
