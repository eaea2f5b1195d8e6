/**
 * QEMU's qtest protocol (softmmu/qtest.c): a command a line, an answer a line, and lines of their own for wires that
 * somebody listens to. Where QEMU gives up on a malformed command, this answers that it failed and goes on.
 */
import type { QtestMachine, WiredDevice } from '../../engine/index.ts';

type Width = 1 | 2 | 4 | 8;

/** A word of a command that makes no sense. */
class Malformed extends Error {}

const WIDTHS: Readonly<Record<string, Width>> = { b: 1, w: 2, l: 4, q: 8 };

export class Qtest {
  /** levels of the wires listened to, as told last */
  private readonly told = new Map<number, boolean>();
  private listening: WiredDevice | undefined;
  /** what the chips drive by themselves */
  private hears = false;

  /** @param say a line for the other side */
  constructor(
    private readonly machine: QtestMachine,
    private readonly say: (line: string) => void,
  ) {
    machine.onSignal = (wire, high) => {
      if (this.hears) this.tell(wire, high);
    };
  }

  /** One command. An empty line is none. */
  line(text: string): void {
    const words = text.split(' ').filter((word) => word !== '');
    const [command] = words;
    if (command === undefined) return;
    try {
      this.say(this.run(command, words));
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.say(`FAIL ${error.message}`);
    }
  }

  private run(command: string, words: readonly string[]): string {
    const access = /^(in|out|read|write)([bwlq])$/.exec(command);
    if (access && (access[2] !== 'q' || access[1] === 'read' || access[1] === 'write')) {
      return this.access(access[1]!, WIDTHS[access[2]!]!, words);
    }
    switch (command) {
      case 'irq_intercept_in':
      case 'irq_intercept_out':
        return this.intercept(command, words);
      case 'set_irq_in':
        return this.setIrqIn(words);
      case 'clock_step':
        return this.clockStep(words);
      case 'clock_set': {
        this.machine.clock.runUntil(number(words, 1));
        return `OK ${this.machine.clock.now}`;
      }
      case 'endianness':
        return 'OK little';
      default:
        return `FAIL Unknown command '${command}'`;
    }
  }

  private access(what: string, width: Width, words: readonly string[]): string {
    const { machine } = this;
    const at = number(words, 1);
    switch (what) {
      case 'in':
        return `OK 0x${hex(machine.in(at, width), 4)}`;
      case 'out':
        machine.out(at, number(words, 2), width);
        return 'OK';
      case 'read':
        return `OK 0x${hex(machine.load(at, width), 16)}`;
      default:
        machine.store(at, number(words, 2), width);
        return 'OK';
    }
  }

  /** One device at a time is listened to. */
  private intercept(command: string, words: readonly string[]): string {
    const device = this.device(words);
    const way = command === 'irq_intercept_in' ? 'in' : 'out';
    if (device.signals === way) this.hears = true;
    else if (way === 'in') this.listening = device;
    return 'OK';
  }

  private setIrqIn(words: readonly string[]): string {
    const device = this.device(words);
    const input = number(words, 3);
    const high = number(words, 4) !== 0;
    if (input >= device.inputs) throw new Malformed(`no input ${input}`);
    device.drive(input, high);
    if (device === this.listening) this.tell(input, high);
    return 'OK';
  }

  private tell(wire: number, high: boolean): void {
    if ((this.told.get(wire) ?? false) === high) return;
    this.told.set(wire, high);
    this.say(`IRQ ${high ? 'raise' : 'lower'} ${wire}`);
  }

  /** By a number of ns, or to the next event. */
  private clockStep(words: readonly string[]): string {
    const { clock } = this.machine;
    const next = clock.next;
    clock.runUntil(words.length > 1 ? clock.now + number(words, 1) : next === Infinity ? clock.now : next);
    return `OK ${clock.now}`;
  }

  private device(words: readonly string[]): WiredDevice {
    const path = words[1];
    if (path === undefined) throw new Malformed('a device is missing');
    const device = this.machine.devices.get(path);
    if (!device) throw new Malformed('Unknown device');
    return device;
  }
}

/** As strtoul takes it with base 0. */
function number(words: readonly string[], n: number): number {
  const word = words[n];
  if (word === undefined || !/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(word)) {
    throw new Malformed(`argument ${n} must be a number`);
  }
  return Number(/^0\d/.test(word) ? Number.parseInt(word, 8) : word);
}

function hex(value: number, digits: number): string {
  return (value >>> 0).toString(16).padStart(digits, '0');
}
