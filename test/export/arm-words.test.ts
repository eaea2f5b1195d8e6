/** Fields of a GIC's virtual interface in words. */
import { expect, test } from 'vitest';
import { activePriorities, guestPriorityMask, hcrBits, misrBits } from '../../engine/export/arm-words.ts';
import { HCR_EN, HCR_NPIE, HCR_UIE, MISR_LRENP, MISR_U } from '../../engine/hw/arm/virtual-regs.ts';

test('HCR and MISR by the names of their bits; the count of EOIs is none of them', () => {
  expect(hcrBits(0)).toEqual([]);
  expect(hcrBits(HCR_EN)).toEqual(['En']);
  expect(hcrBits(HCR_EN | HCR_UIE | HCR_NPIE | (5 << 27))).toEqual(['En', 'UIE', 'NPIE']);
  expect(misrBits(MISR_U | MISR_LRENP)).toEqual(['U', 'LRENP']);
});

test('the priority mask is in the upper five bits, as Xen’s captures have it', () => {
  expect(guestPriorityMask(0xf04c_000a)).toBe(0xf0);
  expect(guestPriorityMask(0xf04c_0001)).toBe(0xf0);
  expect(guestPriorityMask(0xff4c_000a)).toBe(0xf8);
});

test('a bit of an active-priorities register stands for eight priorities', () => {
  expect(activePriorities(0)).toEqual([]);
  expect(activePriorities(0x0010_0000)).toEqual([0xa0]);
  expect(activePriorities(0x8000_0001)).toEqual([0x00, 0xf8]);
});
