/** Syndromes of AArch32's accesses to system registers (DDI 0487, ISS encodings of classes 0x03 and 0x04). */
import { expect, test } from 'vitest';
import { coprocessor } from '../../../engine/hw/arm/cp15.ts';
import { ICC } from '../../../engine/hw/arm/gic-regs.ts';
import { CNT } from '../../../engine/hw/arm/timer-regs.ts';

test.each([
  ['MCRR p15, 0, r0, r1, c12', ICC.SGI1R_EL1, false, 0x13e0_0418],
  ['MRRC p15, 2, r0, r1, c14', CNT.CNTP_CVAL_EL0, true, 0x13e2_041d],
  ['MRC p15, 0, r0, c14, c2, 1', CNT.CNTP_CTL_EL0, true, 0x0fe2_3805],
  ['MCR p15, 0, r0, c14, c2, 0', CNT.CNTP_TVAL_EL0, false, 0x0fe0_3804],
  ['MCR p15, 0, r0, c12, c12, 7', ICC.IGRPEN1_EL1, false, 0x0fee_3018],
])('%s', (_, register, read, esr) => {
  expect(coprocessor(register, read, 0) >>> 0).toBe(esr);
});

test('Rt is where the processor found it, Rt2 behind it', () => {
  expect(coprocessor(ICC.SGI1R_EL1, false, 4) >>> 0).toBe(0x13e0_1498);
});
