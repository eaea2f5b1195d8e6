/**
 * Keyboard and mouse behind the i8042: what they answer to commands, and the bytes of keys and movements. Keys come
 * as set 1, as the controller translates them for every kernel; extensions of wheel mice are not modelled.
 */
import type { Plain } from '../../core/state.ts';

const ACK = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;

/** Bytes kept for the controller; more are lost. */
const QUEUE = 16;

/** A device at the end of a serial line of the controller. */
export abstract class Ps2Device {
  /** bytes for the controller, oldest first */
  queue: number[] = [];
  /** it sends what happens to it */
  enabled = false;
  /** bytes lost because nobody read */
  dropped = 0;
  /** a command that waits for its parameter; 0 for none */
  protected command = 0;

  /** A byte from the controller. */
  abstract receive(byte: number): void;

  /** Bytes of one event: all of them or none. */
  protected event(bytes: readonly number[]): boolean {
    if (!this.enabled) return false;
    if (this.queue.length + bytes.length > QUEUE) {
      this.dropped += bytes.length;
      return false;
    }
    this.queue.push(...bytes);
    return true;
  }

  /** An answer to a command; there is always room for it. */
  protected answer(...bytes: number[]): void {
    this.queue.push(...bytes);
  }

  save(): Plain {
    return [this.queue, Number(this.enabled), this.dropped, this.command];
  }

  restore(state: Plain): void {
    const [queue, enabled, dropped, command] = state as [number[], number, number, number];
    this.queue = [...queue];
    this.enabled = enabled === 1;
    this.dropped = dropped;
    this.command = command;
  }
}

export class Keyboard extends Ps2Device {
  /** the three lamps */
  leds = 0;

  constructor() {
    super();
    this.enabled = true;
  }

  /** A key goes down. @param code of set 1, below 0x80 */
  press(code: number): boolean {
    return this.event([code & 0x7f]);
  }

  release(code: number): boolean {
    return this.event([code | 0x80]);
  }

  receive(byte: number): void {
    const { command } = this;
    this.command = 0;
    if (command !== 0 && byte < 0x80) {
      if (command === 0xed) this.leds = byte & 7;
      this.answer(ACK);
      return;
    }
    switch (byte) {
      case 0xed: // lamps
      case 0xf0: // scan code set
      case 0xf3: // repeat rate
        this.command = byte;
        this.answer(ACK);
        return;
      case 0xee: // echo
        this.answer(0xee);
        return;
      case 0xf2: // identify
        this.answer(ACK, 0xab, 0x83);
        return;
      case 0xf4:
        this.enabled = true;
        this.answer(ACK);
        return;
      case 0xf5:
      case 0xf6:
        this.enabled = byte === 0xf6;
        this.answer(ACK);
        return;
      case 0xff:
        this.queue = [];
        this.enabled = true;
        this.leds = 0;
        this.answer(ACK, SELF_TEST_PASSED);
        return;
      default:
        this.answer(RESEND);
    }
  }

  override save(): Plain {
    return [super.save(), this.leds];
  }

  override restore(state: Plain): void {
    const [base, leds] = state as [Plain, number];
    super.restore(base);
    this.leds = leds;
  }
}

/** first byte of a packet: bit 3 is always set, 4 and 5 are the signs */
const ALWAYS = 0x08;

export class Mouse extends Ps2Device {
  private rate = 100;
  private resolution = 2;

  /** A movement, each way -255 to 255, and the buttons that are down. */
  move(dx: number, dy: number, buttons = 0): boolean {
    const signs = (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0);
    return this.event([ALWAYS | signs | (buttons & 7), dx & 0xff, dy & 0xff]);
  }

  receive(byte: number): void {
    const { command } = this;
    this.command = 0;
    if (command !== 0) {
      if (command === 0xf3) this.rate = byte;
      else this.resolution = byte;
      this.answer(ACK);
      return;
    }
    switch (byte) {
      case 0xf3: // sample rate
      case 0xe8: // resolution
        this.command = byte;
        this.answer(ACK);
        return;
      case 0xe6:
      case 0xe7: // scaling
      case 0xea: // stream mode
        this.answer(ACK);
        return;
      case 0xe9: // status
        this.answer(ACK, this.enabled ? 0x20 : 0, this.resolution, this.rate);
        return;
      case 0xf2:
        this.answer(ACK, 0);
        return;
      case 0xf4:
      case 0xf5:
        this.enabled = byte === 0xf4;
        this.answer(ACK);
        return;
      case 0xf6:
        this.defaults();
        this.answer(ACK);
        return;
      case 0xff:
        this.queue = [];
        this.defaults();
        this.answer(ACK, SELF_TEST_PASSED, 0);
        return;
      default:
        this.answer(RESEND);
    }
  }

  private defaults(): void {
    this.enabled = false;
    this.rate = 100;
    this.resolution = 2;
  }

  override save(): Plain {
    return [super.save(), this.rate, this.resolution];
  }

  override restore(state: Plain): void {
    const [base, rate, resolution] = state as [Plain, number, number];
    super.restore(base);
    this.rate = rate;
    this.resolution = resolution;
  }
}
