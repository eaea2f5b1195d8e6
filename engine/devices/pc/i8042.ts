/**
 * The keyboard controller of a PC (Intel 8042, IBM AT Technical Reference): ports 0x60 and 0x64, keyboard on IRQ 1,
 * mouse on IRQ 12. One byte at a time waits in the output buffer; its wire stays high until it is read. Then the
 * next byte comes, if there is one, and the wire rises again. Translation of scan codes is the keyboard's here, and
 * the output port (A20, reset) is not modelled.
 */
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { LineDriver } from '../../core/line.ts';
import type { Registers, Width } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';
import { Keyboard, Mouse, type Ps2Device } from './ps2.ts';

/** status, port 0x64 */
const OUTPUT_FULL = 0x01;
const SYSTEM = 0x04;
const COMMAND = 0x08;
const UNLOCKED = 0x10;
const AUX_DATA = 0x20;
/** command byte */
const KBD_INTERRUPT = 0x01;
const AUX_INTERRUPT = 0x02;
const KBD_DISABLED = 0x10;
const AUX_DISABLED = 0x20;
const TRANSLATE = 0x40;

const DATA = 0;
/** key `a` in set 1, and how long a finger stays on it */
const KEY_A = 0x1e;
const KEY_HELD: Ns = 80_000_000;

export class I8042 implements Part {
  readonly id: string;
  /** interrupts asked for since boot: keyboard, mouse */
  readonly events: [number, number] = [0, 0];
  readonly keyboard = new Keyboard();
  readonly mouse = new Mouse();
  private commandByte = KBD_INTERRUPT | SYSTEM | TRANSLATE;
  /** output buffer; -1 when empty */
  private output = -1;
  private outputAux = false;
  /** the last write was a command */
  private lastCommand = false;
  /** a command that waits for its byte at port 0x60; 0 for none */
  private command = 0;
  /** bytes of the controller itself, and whether they pass as the mouse's */
  private own: [byte: number, aux: boolean][] = [];
  private readonly serial: Task;
  private readonly release: Task;

  /** @param byteTime a byte's way along the serial line; 0 where the devices are emulated */
  constructor(
    name: string,
    clock: Clock,
    private readonly irq1: LineDriver,
    private readonly irq12: LineDriver,
    private readonly byteTime: Ns = 0,
  ) {
    this.id = `device.${name}`;
    this.serial = clock.task(`${this.id}.serial`, Priority.outside, () => this.arrive());
    this.release = clock.task(`${this.id}.key`, Priority.outside, (code) => {
      this.keyboard.release(code);
      this.advance();
    });
  }

  /** Port 0x60. */
  readonly data: Registers = {
    read: () => this.readData(),
    write: (_offset, value) => this.writeData(value & 0xff),
  };

  /** Port 0x64. */
  readonly control: Registers = {
    read: () => this.status(),
    write: (_offset, value) => this.writeCommand(value & 0xff),
  };

  /** Both ports, as offsets 0 and 4. */
  read(offset: number, width: Width): number {
    return (offset === DATA ? this.data : this.control).read(0, width);
  }

  write(offset: number, value: number, width: Width): void {
    (offset === DATA ? this.data : this.control).write(0, value, width);
  }

  private status(): number {
    let status = UNLOCKED | (this.commandByte & SYSTEM);
    if (this.lastCommand) status |= COMMAND;
    if (this.output >= 0) status |= OUTPUT_FULL | (this.outputAux ? AUX_DATA : 0);
    return status;
  }

  /** The byte is taken, its wire falls; the next one makes it rise again. */
  private readData(): number {
    const byte = Math.max(this.output, 0);
    this.output = -1;
    this.drive();
    this.advance();
    return byte;
  }

  private writeData(byte: number): void {
    const { command } = this;
    this.command = 0;
    this.lastCommand = false;
    switch (command) {
      case 0x60:
        this.commandByte = byte;
        this.drive();
        break;
      case 0xd2:
        this.own.push([byte, false]);
        break;
      case 0xd3:
        this.own.push([byte, true]);
        break;
      case 0xd4:
        this.commandByte &= ~AUX_DISABLED;
        this.mouse.receive(byte);
        break;
      default:
        this.commandByte &= ~KBD_DISABLED;
        this.keyboard.receive(byte);
    }
    this.advance();
  }

  private writeCommand(byte: number): void {
    this.lastCommand = true;
    switch (byte) {
      case 0x20:
        this.own.push([this.commandByte, false]);
        break;
      case 0x60:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        this.command = byte;
        break;
      case 0xa7:
        this.commandByte |= AUX_DISABLED;
        break;
      case 0xa8:
        this.commandByte &= ~AUX_DISABLED;
        break;
      case 0xa9:
      case 0xab: // tests of the two lines
        this.own.push([0, false]);
        break;
      case 0xaa:
        this.commandByte |= SYSTEM;
        this.own.push([0x55, false]);
        break;
      case 0xad:
        this.commandByte |= KBD_DISABLED;
        break;
      case 0xae:
        this.commandByte &= ~KBD_DISABLED;
        break;
    }
    this.advance();
  }

  /** The next byte moves to the output buffer if that is empty. */
  private advance(): void {
    if (this.output >= 0) return;
    const own = this.own.shift();
    if (own) this.fill(own[0], own[1]);
    else if (!this.sender || this.serial.queued) return;
    else if (this.byteTime === 0) this.arrive();
    else this.serial.after(this.byteTime);
  }

  /** A byte of a device is through its line. */
  private arrive(): void {
    const { sender } = this;
    if (sender && this.output < 0) this.fill(sender.queue.shift()!, sender === this.mouse);
  }

  /** The device whose byte is next: the keyboard goes first. */
  private get sender(): Ps2Device | undefined {
    if (this.keyboard.queue.length > 0 && !(this.commandByte & KBD_DISABLED)) return this.keyboard;
    if (this.mouse.queue.length > 0 && !(this.commandByte & AUX_DISABLED)) return this.mouse;
    return undefined;
  }

  private fill(byte: number, aux: boolean): void {
    this.output = byte;
    this.outputAux = aux;
    if (this.commandByte & (aux ? AUX_INTERRUPT : KBD_INTERRUPT)) this.events[aux ? 1 : 0]++;
    this.drive();
  }

  private drive(): void {
    const full = this.output >= 0;
    this.irq1.set(full && !this.outputAux && (this.commandByte & KBD_INTERRUPT) !== 0);
    this.irq12.set(full && this.outputAux && (this.commandByte & AUX_INTERRUPT) !== 0);
  }

  /** A key is pressed; it is let go a little later. */
  press(code = KEY_A): void {
    this.keyboard.press(code);
    this.release.after(KEY_HELD, code);
    this.advance();
  }

  move(dx: number, dy: number, buttons = 0): void {
    this.mouse.move(dx, dy, buttons);
    this.advance();
  }

  /** Someone types. */
  fire(): void {
    this.press();
  }

  /** Someone moves the mouse. */
  fireMouse(): void {
    this.move(1, 0);
  }

  inspect() {
    const { events, commandByte, output, outputAux, keyboard, mouse } = this;
    return {
      events: [...events],
      commandByte,
      status: this.status(),
      output: output < 0 ? null : { byte: output, aux: outputAux },
      queued: [keyboard.queue.length, mouse.queue.length],
    };
  }

  save(): Plain {
    const { events, commandByte, output, command } = this;
    const flags = [this.outputAux, this.lastCommand].map(Number);
    return {
      numbers: [...events, commandByte, output, command, ...flags],
      own: this.own.map(([byte, aux]) => [byte, Number(aux)]),
      devices: [this.keyboard.save(), this.mouse.save()],
    };
  }

  restore(state: Plain): void {
    const s = state as {
      numbers: [number, number, number, number, number, number, number];
      own: [number, number][];
      devices: [Plain, Plain];
    };
    let aux: number;
    let last: number;
    [this.events[0], this.events[1], this.commandByte, this.output, this.command, aux, last] = s.numbers;
    this.outputAux = aux === 1;
    this.lastCommand = last === 1;
    this.own = s.own.map(([byte, isAux]) => [byte, isAux === 1]);
    this.keyboard.restore(s.devices[0]);
    this.mouse.restore(s.devices[1]);
  }
}
