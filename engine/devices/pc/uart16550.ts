/**
 * The 16550A serial port (National Semiconductor PC16550D): its five kinds of interrupt in their order, FIFOs with
 * trigger level and timeout, characters that take their time on the line. The wire is high while an enabled
 * interrupt waits, and OUT2 lets it out, as on a PC's card. Loopback, breaks and parity errors are not modelled.
 */
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { LineDriver } from '../../core/line.ts';
import type { Registers, Width } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';

const FIFO = 16;
/** clock / 16 */
const BAUD_BASE = 115_200;
/** a receiver timeout is this many characters */
const TIMEOUT_CHARS = 4;

/** IER */
const RDI = 0x01;
const THRI = 0x02;
const RLSI = 0x04;
const MSI = 0x08;
/** IIR */
const NO_INTERRUPT = 0x01;
const LINE_STATUS = 0x06;
const RECEIVED = 0x04;
const TIMEOUT = 0x0c;
const THR_EMPTY = 0x02;
const MODEM = 0x00;
const FIFO_ENABLED = 0xc0;
/** LCR */
const DLAB = 0x80;
/** MCR */
const OUT2 = 0x08;
/** LSR */
const DR = 0x01;
const OE = 0x02;
const THRE = 0x20;
const TEMT = 0x40;
/** MSR: DCD, DSR and CTS are up */
const CONNECTED = 0xb0;
const TRIGGERS = [1, 4, 8, 14] as const;

export class Uart16550 implements Registers, Part {
  readonly id: string;
  /** rising edges of its wire */
  events = 0;
  sent = 0;
  private ier = 0;
  private fcr = 0;
  private lcr = 0;
  private mcr = 0;
  private scratch = 0;
  private divisor = 1;
  private overrun = false;
  private msr = CONNECTED;
  private rx: number[] = [];
  private tx: number[] = [];
  /** character on the line; -1 for none */
  private shift = -1;
  /** the transmitter has room and nobody was told */
  private threPending = false;
  /** two characters were in the transmitter's FIFO at a time since that was told last */
  private deep = false;
  private timedOut = false;
  private high = false;
  private readonly line: Task;
  private readonly timeout: Task;
  private readonly room: Task;

  /** @param transmit takes each character as it leaves */
  constructor(
    name: string,
    clock: Clock,
    private readonly irq: LineDriver,
    private readonly transmit: (byte: number) => void = () => {},
  ) {
    this.id = `device.${name}`;
    this.line = clock.task(`${this.id}.line`, Priority.outside, () => this.shifted());
    this.timeout = clock.task(`${this.id}.timeout`, Priority.hardware, () => {
      this.timedOut = true;
      this.drive();
    });
    this.room = clock.task(`${this.id}.room`, Priority.hardware, () => {
      if (this.tx.length === 0) this.threPending = true;
      this.drive();
    });
  }

  read(offset: number, _width: Width): number {
    switch (offset) {
      case 0:
        return this.lcr & DLAB ? this.divisor & 0xff : this.receiveBuffer();
      case 1:
        return this.lcr & DLAB ? this.divisor >> 8 : this.ier;
      case 2:
        return this.interruptId();
      case 3:
        return this.lcr;
      case 4:
        return this.mcr;
      case 5:
        return this.lineStatus();
      case 6:
        return this.modemStatus();
      case 7:
        return this.scratch;
    }
    return 0xff;
  }

  write(offset: number, value: number, _width: Width): void {
    const byte = value & 0xff;
    switch (offset) {
      case 0:
        if (this.lcr & DLAB) this.divisor = (this.divisor & 0xff00) | byte;
        else this.send(byte);
        return;
      case 1:
        if (this.lcr & DLAB) this.divisor = (byte << 8) | (this.divisor & 0xff);
        else this.enable(byte & 0x0f);
        return;
      case 2:
        this.fifoControl(byte);
        return;
      case 3:
        this.lcr = byte;
        return;
      case 4:
        this.mcr = byte & 0x1f;
        this.drive();
        return;
      case 7:
        this.scratch = byte;
    }
  }

  // receiving

  /** A character from the line; without room it is lost, and the line status says so. */
  receive(byte: number): void {
    if (this.rx.length >= (this.fifo ? FIFO : 1)) this.overrun = true;
    else this.rx.push(byte & 0xff);
    this.restartTimeout();
    this.drive();
  }

  private receiveBuffer(): number {
    const byte = this.rx.shift() ?? 0;
    this.restartTimeout();
    this.drive();
    return byte;
  }

  /** Characters that wait for four times their length are reported, trigger level or not. */
  private restartTimeout(): void {
    this.timedOut = false;
    if (this.fifo && this.rx.length > 0) this.timeout.after(TIMEOUT_CHARS * this.charTime);
    else this.timeout.cancel();
  }

  private get trigger(): number {
    return this.fifo ? TRIGGERS[this.fcr >> 6]! : 1;
  }

  private get fifo(): boolean {
    return (this.fcr & 1) !== 0;
  }

  // sending

  private send(byte: number): void {
    this.threPending = false;
    if (this.tx.length < (this.fifo ? FIFO : 1)) this.tx.push(byte);
    if (this.tx.length > 1) this.deep = true;
    if (this.shift < 0) this.nextChar();
    this.drive();
  }

  private nextChar(): void {
    this.shift = this.tx.shift() ?? -1;
    if (this.shift < 0) return;
    this.line.after(this.charTime);
    if (this.tx.length > 0) return;
    // a FIFO with one character at a time says so only when that is nearly through
    if (this.fifo && !this.deep) this.room.after(this.charTime - this.bitTime);
    else this.threPending = true;
    this.deep = false;
  }

  private shifted(): void {
    this.sent++;
    this.transmit(this.shift);
    this.nextChar();
    this.drive();
  }

  /** Start, data, parity and stop bits. */
  private get charTime(): Ns {
    const bits = 1 + 5 + (this.lcr & 3) + (this.lcr & 8 ? 1 : 0) + (this.lcr & 4 ? 2 : 1);
    return Math.round((bits * 1e9 * (this.divisor || 1)) / BAUD_BASE);
  }

  private get bitTime(): Ns {
    return Math.round((1e9 * (this.divisor || 1)) / BAUD_BASE);
  }

  // interrupts

  /** Enabling the transmitter's interrupt while there is room reports it. */
  private enable(ier: number): void {
    if (ier & THRI && !(this.ier & THRI) && this.tx.length === 0) this.threPending = true;
    this.ier = ier;
    this.drive();
  }

  private fifoControl(fcr: number): void {
    const toggled = ((fcr ^ this.fcr) & 1) !== 0;
    if (toggled || fcr & 2) this.rx = [];
    if (toggled || fcr & 4) {
      if (this.tx.length > 0) this.threPending = true;
      this.tx = [];
    }
    this.fcr = fcr & 1 ? fcr & 0xc9 : 0;
    this.restartTimeout();
    this.drive();
  }

  /** The interrupt of highest priority. */
  private get source(): number {
    const { ier } = this;
    if (ier & RLSI && this.overrun) return LINE_STATUS;
    if (ier & RDI && this.rx.length >= this.trigger) return RECEIVED;
    if (ier & RDI && this.timedOut) return TIMEOUT;
    if (ier & THRI && this.threPending) return THR_EMPTY;
    return ier & MSI && this.msr & 0x0f ? MODEM : NO_INTERRUPT;
  }

  /** IIR; naming the transmitter acknowledges it. */
  private interruptId(): number {
    const { source } = this;
    if (source === THR_EMPTY) {
      this.threPending = false;
      this.drive();
    }
    return source | (this.fifo ? FIFO_ENABLED : 0);
  }

  /** LSR; reading takes the error. */
  private lineStatus(): number {
    let lsr = this.rx.length > 0 ? DR : 0;
    if (this.overrun) lsr |= OE;
    if (this.tx.length === 0) lsr |= THRE | (this.shift < 0 ? TEMT : 0);
    if (this.overrun) {
      this.overrun = false;
      this.drive();
    }
    return lsr;
  }

  /** MSR; reading takes the changes. */
  private modemStatus(): number {
    const { msr } = this;
    this.msr &= 0xf0;
    this.drive();
    return msr;
  }

  /** The other end drops or raises its signals: DCD, RI, DSR, CTS as in the upper half of MSR. */
  modem(signals: number): void {
    const now = signals & 0xf0;
    let changed = ((this.msr ^ now) >> 4) & 0x0b;
    if (this.msr & 0x40 && !(now & 0x40)) changed |= 0x04; // trailing edge of RI
    this.msr = now | (this.msr & 0x0f) | changed;
    this.drive();
  }

  private drive(): void {
    const high = this.source !== NO_INTERRUPT && (this.mcr & OUT2) !== 0;
    if (high && !this.high) this.events++;
    this.high = high;
    this.irq.set(high);
  }

  /** Someone types a return at the other end. */
  fire(): void {
    this.receive(0x0d);
  }

  inspect() {
    const { events, sent, ier, fcr, lcr, mcr, high } = this;
    const queued = { rx: this.rx.length, tx: this.tx.length };
    return { events, sent, ier, iir: this.source, fcr, lcr, mcr, high, queued };
  }

  save(): Plain {
    const { events, sent, ier, fcr, lcr, mcr, scratch, divisor, msr, shift } = this;
    const flags = [this.overrun, this.threPending, this.timedOut, this.high, this.deep].map(Number);
    return {
      numbers: [events, sent, ier, fcr, lcr, mcr, scratch, divisor, msr, shift],
      flags,
      rx: this.rx,
      tx: this.tx,
    };
  }

  restore(state: Plain): void {
    const s = state as { numbers: number[]; flags: number[]; rx: number[]; tx: number[] };
    const [events, sent, ier, fcr, lcr, mcr, scratch, divisor, msr, shift] = s.numbers;
    Object.assign(this, { events, sent, ier, fcr, lcr, mcr, scratch, divisor, msr, shift });
    const [overrun, threPending, timedOut, high, deep] = s.flags.map(Boolean);
    Object.assign(this, { overrun, threPending, timedOut, high, deep });
    this.rx = [...s.rx];
    this.tx = [...s.tx];
  }
}
