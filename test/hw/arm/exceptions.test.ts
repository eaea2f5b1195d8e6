/** Exceptions to EL2: routing, masking, the vector table and syndromes; numbers are those of real disassembly and dumps. */
import { describe, expect, test } from 'vitest';
import {
  call,
  DAIF_ALL,
  Daif,
  dataAbort,
  Ec,
  From,
  Hcr,
  isTaken,
  isVirtualTaken,
  Kind,
  reasonOf,
  routedTo,
  systemRegister,
  VECTORS,
  vectorOffset,
  waitFor,
} from '../../../engine/hw/arm/exceptions.ts';
import { ICC } from '../../../engine/hw/arm/gic-regs.ts';
import { CNT } from '../../../engine/hw/arm/timer-regs.ts';

const IMO = Hcr.imo.mask;

describe('routing', () => {
  test('IMO, FMO and AMO each send their kind to EL2; TGE sends all', () => {
    expect([routedTo(Kind.IRQ, IMO), routedTo(Kind.FIQ, IMO), routedTo(Kind.SERROR, IMO)]).toEqual([2, 1, 1]);
    expect([routedTo(Kind.FIQ, Hcr.fmo.mask), routedTo(Kind.SERROR, Hcr.amo.mask)]).toEqual([2, 2]);
    expect([Kind.IRQ, Kind.FIQ, Kind.SERROR].map((kind) => routedTo(kind, Hcr.tge.mask))).toEqual([2, 2, 2]);
  });

  test('a guest cannot mask what goes to EL2', () => {
    expect(isTaken(Kind.IRQ, IMO, 1, DAIF_ALL)).toBe(true);
    expect(isTaken(Kind.IRQ, 0, 1, Daif.i.mask)).toBe(false);
    expect(isTaken(Kind.IRQ, 0, 1, Daif.f.mask)).toBe(true);
  });

  test('EL2 masks its own by DAIF, and what is for EL1 waits', () => {
    expect(isTaken(Kind.IRQ, IMO, 2, 0)).toBe(true);
    expect(isTaken(Kind.IRQ, IMO, 2, Daif.i.mask)).toBe(false);
    expect(isTaken(Kind.FIQ, IMO | Hcr.fmo.mask, 2, Daif.i.mask)).toBe(true);
    expect(isTaken(Kind.IRQ, 0, 2, 0)).toBe(false);
  });

  test('a virtual IRQ needs IMO, EL0 or EL1, and PSTATE.I clear', () => {
    expect(isVirtualTaken(Kind.IRQ, IMO, 1, 0)).toBe(true);
    expect(isVirtualTaken(Kind.IRQ, IMO, 1, Daif.i.mask)).toBe(false);
    expect(isVirtualTaken(Kind.IRQ, IMO, 2, 0)).toBe(false);
    expect(isVirtualTaken(Kind.IRQ, 0, 1, 0)).toBe(false);
    expect(isVirtualTaken(Kind.IRQ, IMO | Hcr.tge.mask, 1, 0)).toBe(false);
  });
});

describe('the vector table', () => {
  test('has 16 entries of 128 bytes, by origin and kind', () => {
    expect(VECTORS.map(({ offset }) => offset)).toEqual(Array.from({ length: 16 }, (_, n) => n * 0x80));
    expect(vectorOffset(From.EL2H, Kind.IRQ)).toBe(0x280);
    expect(VECTORS.find(({ offset }) => offset === 0x480)?.name).toBe('IRQ 64-bit EL0/EL1');
    expect(VECTORS.find(({ offset }) => offset === 0x700)?.name).toBe('FIQ 32-bit EL0/EL1');
    expect(VECTORS[0]?.name).toBe('Synchronous EL2t');
  });
});

describe('syndromes', () => {
  test('a word stored from X1 into a device: 0x93810047', () => {
    expect(dataAbort(4, true, 1).toString(16)).toBe('93810047');
    expect(dataAbort(8, false, 2).toString(16)).toBe('93c28007');
    expect(dataAbort(1, false, 0).toString(16)).toBe('93000007');
  });

  test("HVC #0xea1, Xen's: 0x5a000ea1", () => {
    expect(call(Ec.HVC64, 0xea1).toString(16)).toBe('5a000ea1');
    expect(reasonOf(call(Ec.SMC64, 0))).toBe('SMC64');
  });

  test('WFI and WFE differ in bit 0', () => {
    expect(waitFor(false).toString(16)).toBe('7e00000');
    expect(waitFor(true).toString(16)).toBe('7e00001');
  });

  test('a write to ICC_SGI1R_EL1 and a read of CNTP_CTL_EL0 name their registers', () => {
    const sgi = systemRegister(ICC.SGI1R_EL1, false, 3);
    expect(sgi.toString(16)).toBe('623a3076');
    expect(reasonOf(sgi)).toBe('SYS64 ICC_SGI1R_EL1');
    expect(reasonOf(systemRegister(CNT.CNTP_CTL_EL0, true, 0))).toBe('SYS64 CNTP_CTL_EL0');
  });

  test('what has no name here has its number', () => {
    expect(reasonOf(0x3f * 2 ** 26)).toBe('EC 0x3f');
    expect(reasonOf(0x6200_0000)).toBe('SYS64 0x0');
  });
});
