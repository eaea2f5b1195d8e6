/** The real-time clock (drivers/rtc/rtc-cmos.c): its interrupt reads registers C and B; an alarm rings once. */
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { LinuxKernel } from '../kernel.ts';
import { type Io, ioOf } from './io.ts';

const INDEX = 0x70;
const DATA = 0x71;
const CONTROL = 11;
const INTR_FLAGS = 12;
/** register B: periodic, alarm, update; 24 hours */
const PIE = 0x40;
const AIE = 0x20;
const UIE = 0x10;
const MASK = PIE | AIE | UIE;
const IRQF = 0x80;

export class RtcCmos implements Part {
  readonly id: string;
  alarms = 0;
  /** updates and periodic interrupts */
  ticks = 0;

  constructor(kernel: LinuxKernel, name = 'rtc0') {
    this.id = `${kernel.id}.${name}`;
    kernel.init.parts.add(this);
  }

  /** cmos_do_probe: whatever the firmware left enabled is turned off. */
  probe(io: Io): void {
    write(io, CONTROL, read(io, CONTROL) & ~MASK);
    read(io, INTR_FLAGS);
  }

  /** RTC_UIE_ON, RTC_PIE_ON, RTC_AIE_ON (cmos_irq_enable): bits of register B. */
  enable(cpu: LinuxCpu, mask: number): void {
    const io = ioOf(cpu);
    const control = read(io, CONTROL);
    read(io, INTR_FLAGS);
    write(io, CONTROL, control | (mask & MASK));
    read(io, INTR_FLAGS);
  }

  /** cmos_interrupt. */
  readonly interrupt: Work = {
    cost: () => timing.shortHandler,
    run: (cpu) => {
      const io = ioOf(cpu);
      let status = read(io, INTR_FLAGS);
      const control = read(io, CONTROL);
      status &= (control & MASK) | IRQF;
      if (status & AIE) {
        write(io, CONTROL, control & ~AIE);
        read(io, INTR_FLAGS);
        this.alarms++;
      }
      if (status & (PIE | UIE)) this.ticks++;
      return (status & IRQF) !== 0 && (status & MASK) !== 0;
    },
  };

  save(): Plain {
    return [this.alarms, this.ticks];
  }

  restore(state: Plain): void {
    [this.alarms, this.ticks] = state as [number, number];
  }
}

function read(io: Io, register: number): number {
  io.out(INDEX, register, 1);
  return io.in(DATA, 1);
}

function write(io: Io, register: number, value: number): void {
  io.out(INDEX, register, 1);
  io.out(DATA, value, 1);
}
