/**
 * The x86 interrupt chips: what one interrupt costs on its way through them, without a machine around. Beside each
 * stands what the real code in C takes, on a machine where the hold model takes 21 ns an event: it is scaled by what
 * that takes here.
 */
import {
  ApicBus,
  Clock,
  defaultRoutes,
  IrqChip,
  IrqRouting,
  KVM_LAPIC,
  LocalApic,
} from '../../engine/index.ts';
import { type Bench, best, inUnit, nsPer, type Result } from './bench.ts';
import { CProgram } from './c-program.ts';
import source from './hold.c';

const EVENTS = 1_000_000;
const ROUNDS = 5;
/** times the C figure */
const LIMIT = 2;
/** ns of the hold model with 64 timers where the C figures were taken */
const THERE = 21;
const HOLD_EVENTS = 2_000_000;

const EOI = 0xb0;
const ICR = 0x300;
const ICR2 = 0x310;
const VECTOR = 0x51;

class Chips {
  readonly apics: LocalApic[];
  readonly chip: IrqChip;
  readonly routing: IrqRouting;

  constructor(vcpus: number) {
    const clock = new Clock();
    const bus = new ApicBus();
    this.chip = new IrqChip('vm', bus, clock);
    this.apics = Array.from({ length: vcpus }, (_, i) => {
      const apic = new LocalApic({
        id: `lapic${i}`,
        apicId: i,
        bsp: i === 0,
        options: KVM_LAPIC,
        bus,
        clock,
        tscKhz: 2_000_000,
        output: { request: () => {} },
      });
      this.chip.addVcpu();
      apic.write(0xf0, 0x1ff);
      return apic;
    });
    this.routing = new IrqRouting(this.chip);
    this.routing.setRoutes(defaultRoutes());
  }

  /** An entry of the IOAPIC for each virtual CPU. */
  program(level: boolean): void {
    const { ioapic } = this.chip;
    this.apics.forEach((_, i) => {
      const pin = 16 + i;
      ioapic.write(0, 0x11 + pin * 2, 4);
      ioapic.write(0x10, (i << 24) >>> 0, 4);
      ioapic.write(0, 0x10 + pin * 2, 4);
      ioapic.write(0x10, VECTOR | (level ? 0x8000 : 0), 4);
      this.chip.scanIfAsked(i);
    });
  }

  programPic(): void {
    const { pic } = this.chip;
    for (const value of [0x11]) pic.write(0x20, value);
    for (const value of [0x30, 4, 1, 0]) pic.write(0x21, value);
  }
}

interface Path {
  readonly title: string;
  /** ns of the real code with 1 and with 4 virtual CPUs */
  readonly real: readonly [number, number];
  prepare?(chips: Chips): void;
  /** one interrupt for virtual CPU `i`, acknowledged and ended */
  run(chips: Chips, i: number): void;
}

function take(apic: LocalApic): void {
  if (apic.ack() !== VECTOR) throw new Error('the interrupt did not arrive');
  apic.write(EOI, 0);
}

const PATHS: readonly Path[] = [
  {
    title: 'local APIC: accept, acknowledge, EOI',
    real: [38.7, 38.7],
    run: ({ apics }, i) => {
      const apic = apics[i]!;
      apic.accept(0, VECTOR, true, false);
      take(apic);
    },
  },
  {
    title: 'message, acknowledge, EOI',
    real: [46.4, 46.5],
    run: ({ apics, routing }, i) => {
      routing.signalMsi(0xfee0_0000 + i * 0x1000, 0, VECTOR);
      take(apics[i]!);
    },
  },
  {
    title: 'IPI by ICR, acknowledge, EOI',
    real: [51.5, 51.5],
    run: ({ apics }, i) => {
      const from = apics[(i + 1) % apics.length]!;
      from.write(ICR2, i << 24);
      from.write(ICR, 0x4000 | VECTOR);
      take(apics[i]!);
    },
  },
  {
    title: 'edge through IOAPIC, acknowledge, EOI',
    real: [89, 89.3],
    prepare: (chips) => chips.program(false),
    run: ({ apics, routing }, i) => {
      routing.setIrq(0, 16 + i, true);
      routing.setIrq(0, 16 + i, false);
      take(apics[i]!);
    },
  },
  {
    title: 'level through IOAPIC, remote IRR, EOI',
    real: [119.7, 120.1],
    prepare: (chips) => chips.program(true),
    run: ({ apics, routing }, i) => {
      const apic = apics[i]!;
      routing.setIrq(0, 16 + i, true);
      if (apic.ack() !== VECTOR) throw new Error('the interrupt did not arrive');
      routing.setIrq(0, 16 + i, false);
      apic.write(EOI, 0);
    },
  },
  {
    title: '8259: raise, lower, INTA, EOI',
    real: [126.9, 126.9],
    prepare: (chips) => chips.programPic(),
    run: ({ chip, routing }) => {
      routing.setIrq(0, 3, true);
      routing.setIrq(0, 3, false);
      if (chip.pic.ack() !== 0x33) throw new Error('the interrupt did not arrive');
      chip.pic.write(0x20, 0x20);
    },
  },
];

export const chips: Bench = {
  name: 'chips',
  run() {
    const c = CProgram.compile(source);
    try {
      return PATHS.flatMap((path) => [1, 4].map((vcpus) => measure(path, vcpus, c)));
    } finally {
      c?.remove();
    }
  },
};

function measure(path: Path, vcpus: number, c: CProgram | undefined): Result {
  const chips = new Chips(vcpus);
  path.prepare?.(chips);
  const loop = () => {
    for (let n = 0; n < EVENTS; n++) path.run(chips, n % vcpus);
  };
  const ours: number[] = [];
  const hold: number[] = [];
  loop();
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(nsPer(EVENTS, loop));
    if (c) hold.push(Number(c.run(64, HOLD_EVENTS)[0]));
  }
  const title = `${path.title}, ${vcpus} vCPU${vcpus === 1 ? '' : 's'}`;
  const measured = inUnit(best(ours), 'ns');
  if (!c) return { title, measured, beside: 'no C compiler' };
  const real = (path.real[vcpus === 1 ? 0 : 1] * best(hold)) / THERE;
  return {
    title,
    measured,
    beside: `${inUnit(real, 'ns')} in C`,
    gate: { value: best(ours) / real, limit: LIMIT, unit: 'x C' },
  };
}
