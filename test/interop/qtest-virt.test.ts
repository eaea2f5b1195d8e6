/**
 * The same commands to QEMU's GICv2 and to ours, line by line: the distributor and the CPU interface of `virt`, and the
 * processor's IRQ and FIQ. Where QEMU is not installed a recorded session stands for it.
 */
import { describe, expect, test } from 'vitest';
import { Rng } from '../../engine/core/rng.ts';
import { VIRT_BASE } from '../../engine/hw/arm/board-virt.ts';
import { GICC, GICD } from '../../engine/hw/arm/gic-regs.ts';
import { QtestVirt } from '../../engine/index.ts';
import { askOurs, askQemu, type Difference, isInstalled } from '../support/qemu.ts';

const QEMU = 'qemu-system-aarch64';
const MACHINE = 'virt,gic-version=2';
const CPU = '/machine/unattached/device[0]';
const CHIP = '/machine/unattached/device[1]';

const installed = isInstalled(QEMU);

const DIFFERENCES: readonly Difference[] = [
  {
    what: 'one group is enabled, of the other something is pending',
    why: 'QEMU picks the best of both groups and lets IAR take it; a group that is off is not forwarded, says the architecture',
    here: 'both groups are enabled or none',
  },
  {
    what: 'IAR answers 1022 where ours answers 1023',
    why: 'QEMU looks at the group before it looks at what is running; 1022 is for what could be signalled only',
    here: '1022 and 1023 count as the same answer of IAR',
  },
  {
    what: 'HPPIR does not tell who sent an SGI',
    why: 'QEMU leaves the field CPUID empty, which the architecture has in HPPIR as in IAR',
    here: 'only the INTID of HPPIR is compared',
  },
  {
    what: 'AIAR, AEOIR and AHPPIR read as 0',
    why: 'QEMU has no aliases for group 1',
    here: 'they are not used',
  },
  {
    what: 'an SPI that ISACTIVER made active stays so after EOIR',
    why: 'QEMU keeps eight active bits of an SPI, sets them all, and clears the one of the CPU',
    here: 'ISACTIVER is written for private interrupts only',
  },
  {
    what: 'SPENDSGIR of no sender makes the SGI pending',
    why: 'QEMU sets the pending bit whatever is written, and fails an assertion when that SGI is taken',
    here: 'no zero is written there',
  },
  {
    what: 'the fourth filter of SGIR sends to all CPUs',
    why: 'it is reserved',
    here: 'it is not used',
  },
  {
    what: 'IRQ and FIQ flicker within a command',
    why: 'QEMU writes a word byte by byte, ours changes at once',
    here: 'the wires are compared after each command',
  },
];

const at = (offset: number) => `0x${offset.toString(16)}`;
const dist = (offset: number) => at(VIRT_BASE.GICD + offset);
const gicc = (offset: number) => at(VIRT_BASE.GICC + offset);
const IAR = `readl ${gicc(GICC.IAR)}`;
const HPPIR = `readl ${gicc(GICC.HPPIR)}`;

const SUFFIX = { 1: 'b', 2: 'w', 4: 'l' } as const;
const BITS = [
  GICD.IGROUPR,
  GICD.ISENABLER,
  GICD.ICENABLER,
  GICD.ISPENDR,
  GICD.ICPENDR,
  GICD.ISACTIVER,
  GICD.ICACTIVER,
];

/** Commands at random that the differences above do not touch. */
function commands(seed: number): string[] {
  const rng = new Rng(seed, () => {}).stream('qtest');
  const pick = <T>(list: readonly T[]): T => list[rng.below(list.length)]!;
  const word = () => rng.below(2 ** 32);
  const few = () => (word() & word() & word()) >>> 0;
  const out = [
    `irq_intercept_in ${CPU}`,
    `writel ${dist(GICD.CTLR)} 3`,
    `writel ${gicc(GICC.CTLR)} 3`,
    `writel ${gicc(GICC.PMR)} 0xf0`,
  ];
  /** a part of a word, at its place */
  const access = (what: 'read' | 'write', offset: number, value = '') => {
    const width = pick([1, 2, 4] as const);
    const part = rng.below(4 / width) * width;
    const cut = value === '' ? '' : ` ${at(Number(value) % 2 ** (8 * width))}`;
    out.push(`${what}${SUFFIX[width]} ${dist(offset + part)}${cut}`);
  };
  const read = () =>
    access(
      'read',
      pick([
        pick(BITS) + rng.below(10) * 4,
        GICD.IPRIORITYR + rng.below(24) * 4,
        GICD.ITARGETSR + rng.below(24) * 4,
        GICD.ICFGR + rng.below(6) * 4,
        GICD.CPENDSGIR + rng.below(8) * 4,
        pick([GICD.CTLR, GICD.TYPER, GICD.IIDR, 0x0c, 0xe00, GICD.SGIR]),
        0xfd0 + rng.below(12) * 4,
      ]),
    );
  const wire = () => {
    const input = pick([rng.below(64), 256 + 16 + rng.below(16)]);
    out.push(`set_irq_in ${CHIP} unnamed-gpio-in ${input} ${rng.below(2)}`);
  };
  const actions: (() => void)[] = [
    read,
    read,
    read,
    wire,
    wire,
    wire,
    () => out.push(IAR),
    () => out.push(IAR),
    () => out.push(HPPIR),
    () => {
      const registers = [GICC.CTLR, GICC.PMR, GICC.BPR, GICC.RPR, GICC.ABPR, GICC.IIDR, GICC.EOIR, GICC.DIR];
      out.push(`readl ${gicc(pick([...registers, GICC.APR + rng.below(8) * 4]))}`);
    },
    () => {
      const row = pick(BITS);
      access('write', row + (row === GICD.ISACTIVER ? 0 : rng.below(3) * 4), String(few()));
    },
    () => access('write', GICD.IPRIORITYR + rng.below(24) * 4, String(word())),
    () => access('write', GICD.ICFGR + rng.below(6) * 4, String(word())),
    () => access('write', GICD.ITARGETSR + rng.below(24) * 4, String(word())),
    () => {
      const value = (rng.below(3) << 24) | (rng.below(4) << 16) | rng.below(16);
      out.push(`writel ${dist(GICD.SGIR)} ${at(value)}`);
    },
    () => out.push(`writeb ${dist(GICD.CPENDSGIR + rng.below(32))} ${at(1 + rng.below(255))}`),
    () => out.push(`writel ${gicc(GICC.EOIR)} ${rng.below(100)}`),
    () => out.push(`writel ${gicc(GICC.DIR)} ${rng.below(100)}`),
    () => out.push(`writel ${gicc(GICC.PMR)} ${at(rng.below(256))}`),
    () => out.push(`writel ${gicc(pick([GICC.BPR, GICC.ABPR]))} ${rng.below(8)}`),
    () => out.push(`writel ${gicc(GICC.CTLR)} ${at(pick([0, 3, 3, 0x203, 7, 0xf, 0x20f, 0x21f]))}`),
    () => out.push(`writel ${dist(GICD.CTLR)} ${pick([3, 3, 0])}`),
  ];
  while (out.length < 400) pick(actions)();
  return out;
}

/** Each answer, as far as the differences leave it, and the wires after it. */
function comparable(sent: readonly string[], lines: readonly string[]): string[] {
  const wires = [false, false];
  const out: string[] = [];
  for (const line of lines) {
    const edge = /^IRQ (raise|lower) (\d+)$/.exec(line);
    if (edge) {
      wires[Number(edge[2])] = edge[1] === 'raise';
      continue;
    }
    const command = sent[out.length]!;
    let answer = line;
    if (command === HPPIR) answer = `OK ${Number(line.split(' ')[1]) & 0x3ff}`;
    if (command === IAR) answer = line.replace(/3fe$/, '3ff');
    out.push(`${command}: ${answer}, IRQ ${wires[0]}, FIQ ${wires[1]}`);
  }
  return out;
}

test('every difference has its reason', () => {
  for (const { what, why, here } of DIFFERENCES) {
    expect([what, why, here].every((text) => text.length > 10)).toBe(true);
  }
});

describe.skipIf(!installed)('beside the real QEMU', () => {
  test.each(Array.from({ length: 12 }, (_, i) => i + 1))('random commands, seed %i', async (seed) => {
    const sent = commands(seed);
    const theirs = await askQemu(QEMU, MACHINE, sent);
    expect(comparable(sent, askOurs(new QtestVirt(), sent))).toEqual(comparable(sent, theirs));
  });
});

/** What each command is answered, edges first. */
const SESSION: readonly (readonly [command: string, ...answers: string[]])[] = [
  [`irq_intercept_in ${CPU}`, 'OK'],
  ['readl 0x8000004', 'OK 0x0000000000000008'],
  ['readl 0x8000008', 'OK 0x000000000000043b'],
  ['readb 0x8000fe8', 'OK 0x000000000000002b'],
  ['readl 0x80100fc', 'OK 0x000000000002043b'],
  ['writel 0x8000000 1', 'OK'],
  ['writel 0x8010000 0x201', 'OK'],
  ['writel 0x8010004 0xff', 'OK'],
  ['writel 0x8000104 0x4', 'OK'],
  ['writeb 0x8000422 0xa0', 'OK'],
  [`set_irq_in ${CHIP} unnamed-gpio-in 2 1`, 'IRQ raise 0', 'OK'],
  ['readl 0x8010018', 'OK 0x0000000000000022'],
  ['readl 0x801000c', 'IRQ lower 0', 'OK 0x0000000000000022'],
  ['readl 0x8010014', 'OK 0x00000000000000a0'],
  ['readl 0x80100d8', 'OK 0x0000000000010000'],
  ['readl 0x8000304', 'OK 0x0000000000000004'],
  ['writel 0x8010010 0x22', 'OK'],
  ['readl 0x801000c', 'OK 0x00000000000003ff'],
  ['writel 0x8011000 0x22', 'IRQ raise 0', 'OK'],
  [`set_irq_in ${CHIP} unnamed-gpio-in 2 0`, 'IRQ lower 0', 'OK'],
  ['writel 0x8000f00 0x02000005', 'IRQ raise 0', 'OK'],
  ['readb 0x8000f25', 'OK 0x0000000000000001'],
  ['readl 0x801000c', 'IRQ lower 0', 'OK 0x0000000000000005'],
  ['inb 0x20', 'OK 0x00ff'],
  ['readl 0x7000000', 'OK 0x0000000000000000'],
];

describe('a session recorded from QEMU 7.2', () => {
  const sent = SESSION.map(([command]) => command);
  const answers = SESSION.flatMap(([, ...lines]) => lines);

  test('is answered the same', () => {
    expect(askOurs(new QtestVirt(), sent)).toEqual(answers);
  });

  test.skipIf(!installed)('is what the QEMU here says too', async () => {
    expect(await askQemu(QEMU, MACHINE, sent)).toEqual(answers);
  });

  test('FIQ is the second wire', () => {
    const wires = askOurs(new QtestVirt(), [
      `irq_intercept_in ${CPU}`,
      'writel 0x8000000 1',
      'writel 0x8010004 0xff',
      'writel 0x8010000 9',
      'writel 0x8000f00 0x02000005',
      'writel 0x8010000 1',
    ]).filter((line) => line.startsWith('IRQ'));
    expect(wires).toEqual(['IRQ raise 1', 'IRQ raise 0', 'IRQ lower 1']);
  });
});
