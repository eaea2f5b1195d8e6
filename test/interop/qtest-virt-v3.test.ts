/**
 * The same commands to the registers of QEMU's GICv3 and of ours, line by line: distributor and redistributor of `virt`. Its
 * CPU interface is system registers, which no qtest client reaches.
 */
import { describe, expect, test } from 'vitest';
import { Rng } from '../../engine/core/rng.ts';
import { VIRT_BASE } from '../../engine/hw/arm/board-virt.ts';
import { GICD, GICR, GICR_FRAME, V3_ID } from '../../engine/hw/arm/gic-regs.ts';
import { QtestVirt } from '../../engine/index.ts';
import { askOurs, askQemu, type Difference, isInstalled } from '../support/qemu.ts';

const QEMU = 'qemu-system-aarch64';
const MACHINE = 'virt,gic-version=3';
const CHIP = '/machine/unattached/device[1]';

const DIFFERENCES: readonly Difference[] = [
  {
    what: 'GICD_TYPER, GICR_TYPER and GICR_CTLR',
    why: 'QEMU has an ITS and LPIs, and says that an SPI for any CPU is not supported, which ours has',
    here: 'they are not read, and IROUTER never says any',
  },
  {
    what: 'ITLinesNumber is one less than there are lines',
    why: 'QEMU leaves the private interrupts out of the count; a machine of ours is given that smaller number',
    here: 'ours has all 288 INTIDs',
  },
  {
    what: 'priorities keep all eight bits',
    why: 'QEMU cuts them to five in the CPU interface only, as no real distributor does',
    here: 'priorities are written as multiples of eight',
  },
  {
    what: 'a byte or a half of a register of bits reads as 0',
    why: 'QEMU follows the architecture, which has no such accesses; ours answers as on GICv2',
    here: 'bytes are read and written in IPRIORITYR only',
  },
  {
    what: 'IROUTER keeps every bit',
    why: 'QEMU stores reserved ones too',
    here: 'Aff2 to Aff0 are written only',
  },
];

const at = (address: number) => `0x${address.toString(16)}`;
const BITS = [
  GICD.IGROUPR,
  GICD.ISENABLER,
  GICD.ICENABLER,
  GICD.ISPENDR,
  GICD.ICPENDR,
  GICD.ISACTIVER,
  GICD.ICACTIVER,
];

/** Commands at random that the differences do not touch. */
function commands(seed: number): string[] {
  const rng = new Rng(seed, () => {}).stream('qtest');
  const pick = <T>(list: readonly T[]): T => list[rng.below(list.length)]!;
  const word = () => rng.below(2 ** 32);
  const few = () => (word() & word() & word()) >>> 0;
  const dist = VIRT_BASE.GICD;
  const redist = VIRT_BASE.GICR;
  const own = redist + GICR_FRAME;
  /** a word of a row, from the distributor's first, which is empty there, or the redistributor's */
  const row = (base: number, words: number) => pick([dist + base + rng.below(words) * 4, own + base]);
  const wire = () => pick([rng.below(64), 256 + 16 + rng.below(16)]);
  const out: string[] = [];
  const actions: (() => void)[] = [
    () => out.push(`readl ${at(row(pick(BITS), 4))}`),
    () => out.push(`readl ${at(row(pick(BITS), 4))}`),
    () => out.push(`readl ${at(row(pick(BITS), 4))}`),
    () => out.push(`readl ${at(own + pick(BITS) + 4)}`),
    () => out.push(`readl ${at(pick([dist, own]) + GICD.IPRIORITYR + rng.below(10) * 4)}`),
    () => out.push(`readb ${at(pick([dist, own]) + GICD.IPRIORITYR + rng.below(40))}`),
    () => out.push(`readl ${at(pick([dist + rng.below(8) * 4, own + rng.below(3) * 4]) + GICD.ICFGR)}`),
    () => out.push(`readl ${at(pick([dist, redist]) + V3_ID + rng.below(12) * 4)}`),
    () => out.push(`readl ${at(pick([dist + GICD.CTLR, dist + GICD.IIDR, redist + GICR.IIDR]))}`),
    () => out.push(`readl ${at(redist + GICR.WAKER)}`),
    () =>
      out.push(`readl ${at(dist + pick([GICD.ITARGETSR + rng.below(20) * 4, GICD.SGIR, GICD.SPENDSGIR]))}`),
    () => out.push(`readl ${at(dist + GICD.IROUTER + rng.below(100) * 8 + rng.below(2) * 4)}`),
    () => out.push(`writel ${at(row(pick(BITS), 3))} ${at(few())}`),
    () => out.push(`writel ${at(row(pick(BITS), 3))} ${at(few())}`),
    () => out.push(`writel ${at(row(pick(BITS), 3))} ${at(few())}`),
    () => out.push(`writeb ${at(pick([dist, own]) + GICD.IPRIORITYR + rng.below(40))} ${rng.below(32) * 8}`),
    () => out.push(`writel ${at(row(GICD.ICFGR, 6))} ${at(word())}`),
    () => out.push(`writel ${at(own + GICD.ICFGR + 4)} ${at(word())}`),
    () => out.push(`writel ${at(dist + GICD.IROUTER + (32 + rng.below(60)) * 8)} ${at(rng.below(2 ** 24))}`),
    () => out.push(`writel ${at(redist + GICR.WAKER)} ${pick([0, 2])}`),
    () => out.push(`writel ${at(dist + GICD.CTLR)} ${at(word())}`),
    () => out.push(`set_irq_in ${CHIP} unnamed-gpio-in ${wire()} ${rng.below(2)}`),
    () => out.push(`set_irq_in ${CHIP} unnamed-gpio-in ${wire()} ${rng.below(2)}`),
    () => out.push(`set_irq_in ${CHIP} unnamed-gpio-in ${wire()} ${rng.below(2)}`),
  ];
  while (out.length < 400) pick(actions)();
  return out;
}

test('every difference has its reason', () => {
  for (const { what, why, here } of DIFFERENCES) {
    expect([what, why, here].every((text) => text.length > 10)).toBe(true);
  }
});

describe.skipIf(!isInstalled(QEMU))('beside the real QEMU', () => {
  test.each(Array.from({ length: 8 }, (_, i) => i + 1))('random commands, seed %i', async (seed) => {
    const sent = commands(seed);
    const said = (lines: readonly string[]) => lines.map((line, i) => `${sent[i]}: ${line}`);
    const theirs = await askQemu(QEMU, MACHINE, sent);
    expect(said(askOurs(new QtestVirt(3), sent))).toEqual(said(theirs));
  });
});

test('a session recorded from QEMU 7.2 is answered the same', () => {
  const session: readonly (readonly [command: string, answer: string])[] = [
    ['readl 0x8000000', 'OK 0x0000000000000050'],
    ['readl 0x8000008', 'OK 0x000000000000043b'],
    ['readl 0x800ffe8', 'OK 0x000000000000003b'],
    ['readl 0x80affe0', 'OK 0x0000000000000093'],
    ['readl 0x80a0014', 'OK 0x0000000000000006'],
    ['writel 0x80a0014 0', 'OK'],
    ['readl 0x80a0014', 'OK 0x0000000000000000'],
    ['writel 0x8000000 0xffffffff', 'OK'],
    ['readl 0x8000000', 'OK 0x0000000000000053'],
    ['writel 0x80b0100 0xffffffff', 'OK'],
    ['readl 0x80b0100', 'OK 0x00000000ffffffff'],
    ['readl 0x80b0c00', 'OK 0x00000000aaaaaaaa'],
    ['readl 0x8000100', 'OK 0x0000000000000000'],
    [`set_irq_in ${CHIP} unnamed-gpio-in 2 1`, 'OK'],
    ['readl 0x8000204', 'OK 0x0000000000000004'],
    [`set_irq_in ${CHIP} unnamed-gpio-in 283 1`, 'OK'],
    ['readl 0x80b0200', 'OK 0x0000000008000000'],
  ];
  expect(
    askOurs(
      new QtestVirt(3),
      session.map(([command]) => command),
    ),
  ).toEqual(session.map(([, answer]) => answer));
});
