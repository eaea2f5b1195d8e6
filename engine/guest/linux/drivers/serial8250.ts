/**
 * A serial port (drivers/tty/serial/8250/8250_core.c, 8250_port.c): the handler reads IIR and serves the port until
 * that says there is no interrupt.
 */
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { LinuxKernel } from '../kernel.ts';
import { type Io, ioOf } from './io.ts';

/** registers, from the port's base */
const RX = 0;
const TX = 0;
const IER = 1;
const IIR = 2;
const FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;

const NO_INTERRUPT = 0x01;
/** LSR */
const DR = 0x01;
const THRE = 0x20;
/** IER */
const RLSI_RDI = 0x05;
const THRI = 0x02;
/** FIFO on, trigger at 8 characters */
const FIFO = 0x81;
const DLAB = 0x80;
const EIGHT_BITS = 0x03;
/** DTR, RTS, OUT2 */
const MODEM = 0x0b;
/** characters written at once (tx_loadsz), read at once, and rounds of one interrupt (PASS_LIMIT) */
const TX_LOAD = 16;
const RX_MOST = 256;
const PASS_LIMIT = 512;

export class Serial8250 implements Part {
  readonly id: string;
  received = 0;
  /** characters that wait to be written */
  private buffer: number[] = [];
  private ier = 0;

  /** @param base first port, 0x3f8 for ttyS0 */
  constructor(
    kernel: LinuxKernel,
    name: string,
    private readonly base: number,
  ) {
    this.id = `${kernel.id}.${name}`;
    kernel.init.parts.add(this);
  }

  /** serial8250_do_startup at 115,200 baud, someone has opened it. */
  probe(io: Io): void {
    io.out(this.base + FCR, FIFO, 1);
    for (const register of [LSR, RX, IIR, MSR]) io.in(this.base + register, 1);
    io.out(this.base + LCR, EIGHT_BITS | DLAB, 1);
    io.out(this.base, 1, 1);
    io.out(this.base + 1, 0, 1);
    io.out(this.base + LCR, EIGHT_BITS, 1);
    io.out(this.base + MCR, MODEM, 1);
    this.setIer(io, RLSI_RDI);
  }

  /** uart_write: characters to send. */
  write(cpu: LinuxCpu, bytes: readonly number[]): void {
    this.buffer.push(...bytes);
    if (!(this.ier & THRI)) this.setIer(ioOf(cpu), this.ier | THRI);
  }

  /** serial8250_interrupt. */
  readonly interrupt: Work = {
    cost: () => timing.shortHandler,
    run: (cpu) => {
      const io = ioOf(cpu);
      let handled = false;
      for (let pass = 0; pass < PASS_LIMIT && this.handle(io); pass++) handled = true;
      return handled;
    },
  };

  /** serial8250_handle_irq: false when IIR says that nothing is to be done. */
  private handle(io: Io): boolean {
    if (io.in(this.base + IIR, 1) & NO_INTERRUPT) return false;
    let lsr = io.in(this.base + LSR, 1);
    for (let n = 0; lsr & DR && n < RX_MOST; n++) {
      io.in(this.base + RX, 1);
      this.received++;
      lsr = io.in(this.base + LSR, 1);
    }
    io.in(this.base + MSR, 1);
    if (lsr & THRE && this.ier & THRI) this.sendChars(io);
    return true;
  }

  /** serial8250_tx_chars. */
  private sendChars(io: Io): void {
    for (const byte of this.buffer.splice(0, TX_LOAD)) io.out(this.base + TX, byte, 1);
    if (this.buffer.length === 0) this.setIer(io, this.ier & ~THRI);
  }

  private setIer(io: Io, ier: number): void {
    this.ier = ier;
    io.out(this.base + IER, ier, 1);
  }

  save(): Plain {
    return [this.received, this.ier, this.buffer];
  }

  restore(state: Plain): void {
    const [received, ier, buffer] = state as [number, number, number[]];
    this.received = received;
    this.ier = ier;
    this.buffer = [...buffer];
  }
}
