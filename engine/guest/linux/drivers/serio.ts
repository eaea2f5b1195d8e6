/**
 * Keyboard and mouse behind an i8042 (drivers/input/serio/i8042.c, atkbd.c, psmouse-base.c). Both interrupts have the
 * same handler: it reads the status, and one byte if there is one.
 */
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { LinuxKernel } from '../kernel.ts';
import { type Io, ioOf } from './io.ts';

const DATA = 0x60;
const STATUS = 0x64;
const OUTPUT_FULL = 0x01;
const AUX_DATA = 0x20;
/** commands of the controller */
const READ_COMMAND_BYTE = 0x20;
const WRITE_COMMAND_BYTE = 0x60;
const TO_AUX = 0xd4;
/** both interrupts, translation */
const COMMAND_BYTE = 0x47;
const INTERRUPTS = 0x03;
/** the mouse sends its movements */
const ENABLE_REPORTING = 0xf4;
const PACKET = 3;

export class Serio implements Part {
  readonly id: string;
  /** keys that went down */
  keys = 0;
  movements = 0;
  /** bytes of the mouse's packet so far */
  private packet: number[] = [];

  constructor(kernel: LinuxKernel, name = 'i8042') {
    this.id = `${kernel.id}.${name}`;
    kernel.init.parts.add(this);
  }

  /** Before its interrupts are requested: the controller is set up, the mouse turned on. */
  probe(io: Io): void {
    io.out(STATUS, READ_COMMAND_BYTE, 1);
    const commandByte = io.in(DATA, 1);
    io.out(STATUS, WRITE_COMMAND_BYTE, 1);
    io.out(DATA, commandByte & ~INTERRUPTS, 1);
    io.out(STATUS, TO_AUX, 1);
    io.out(DATA, ENABLE_REPORTING, 1);
    while (io.in(STATUS, 1) & OUTPUT_FULL) io.in(DATA, 1);
    io.out(STATUS, WRITE_COMMAND_BYTE, 1);
    io.out(DATA, COMMAND_BYTE, 1);
  }

  /** i8042_interrupt. */
  readonly interrupt: Work = {
    cost: () => timing.shortHandler,
    run: (cpu) => this.readByte(cpu),
  };

  private readByte(cpu: LinuxCpu): boolean {
    const io = ioOf(cpu);
    const status = io.in(STATUS, 1);
    if (!(status & OUTPUT_FULL)) return false;
    const byte = io.in(DATA, 1);
    if (status & AUX_DATA) this.mouseByte(byte);
    else if (byte < 0x80) this.keys++;
    return true;
  }

  private mouseByte(byte: number): void {
    this.packet.push(byte);
    if (this.packet.length < PACKET) return;
    this.packet = [];
    this.movements++;
  }

  save(): Plain {
    return [this.keys, this.movements, this.packet];
  }

  restore(state: Plain): void {
    const [keys, movements, packet] = state as [number, number, number[]];
    this.keys = keys;
    this.movements = movements;
    this.packet = [...packet];
  }
}
