/**
 * Xen's console on a serial line (xen/drivers/char/{ns16550,serial,console}.c, xen/common/keyhandler.c).
 *
 * What is typed goes to dom0, which is told by VIRQ_CONSOLE within the interrupt, or after CTRL-a three times to Xen: a
 * debug key, whose handler is put off to a tasklet. What Xen prints goes out character by character, the UART asking for
 * more by interrupt each time its 16 are sent, and to a ring that dom0 reads, told by VIRQ_CON_RING: on 3.4 with each
 * piece, on 4.17 by a tasklet.
 *
 * Each character typed interrupts at once here; a 16550 may wait for more for the time of four characters.
 */
import { VIRQ_CON_RING, VIRQ_CONSOLE } from '../../abi/xen.ts';
import type { Books, SourceId } from '../../core/books.ts';
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Trace, Tracepoint } from '../../core/trace.ts';
import { timing } from '../../timing.ts';
import type { Pcpu } from '../pcpu.ts';
import type { XenProfile } from './softirq.ts';
import type { Tasklet, Tasklets } from './tasklet.ts';

/** CTRL-a */
const SWITCH_CODE = 1;
/** tx_fifo_size, and as many wait to be read */
const FIFO = 16;
/** a character at 115200 baud: start, eight bits, stop */
const CHARACTER: Ns = Math.round(1e10 / 115_200);
/** keys whose handlers run within the interrupt (IRQ_KEYHANDLER) */
const IRQ_KEYS = 'd';
/** lines of the ring that are kept to look at */
const LINES = 500;

export interface ConsoleHost {
  readonly books: Books;
  readonly clock: Clock;
  readonly trace: Trace;
  readonly profile: XenProfile;
  readonly tasklets: Tasklets;
  /** the driver's interrupt handler */
  readonly uartHandler: string;
  /** the line of the UART pulses; the answer is the journey */
  interruptLine(source: SourceId): number;
  /** does an interrupt's handler run on this CPU? */
  inIrq(cpu: Pcpu): boolean;
  /** send_global_virq */
  globalVirq(virq: number): void;
}

export class XenConsole implements Part {
  readonly id = 'xen.console';
  /** what a debug key prints; undefined: there is no such key */
  keyHandler: (key: string) => string | undefined = () => undefined;
  /** the last lines printed */
  readonly lines: string[] = [];
  /** input is Xen's, not dom0's (xen_rx) */
  xenRx = false;
  private switchCount = 0;
  /** characters in the UART, not read yet */
  private received: number[] = [];
  /** characters that wait for the UART, and those it sends */
  private toSend = 0;
  private sending = 0;
  private key = '';
  private readonly sent: Task;
  private readonly keypress: Tasklet;
  private readonly conRing: Tasklet;
  private readonly fromUart: SourceId;
  private readonly fromConsole: SourceId;
  private readonly tpInterrupt: Tracepoint;
  private readonly tpVirq: Tracepoint;
  private readonly tpKey: Tracepoint;

  constructor(private readonly host: ConsoleHost) {
    const { books, clock, trace, tasklets } = host;
    this.sent = clock.task('xen.uart', Priority.hardware, () => this.transmitted());
    this.keypress = tasklets.add('keypress_action', false, (cpu) => this.keypressAction(cpu));
    this.conRing = tasklets.add('notify_dom0_con_ring', true, (cpu) => this.tellConRing(cpu));
    this.fromUart = books.sourceOf('uart');
    this.fromConsole = books.sourceOf('xen console');
    this.tpInterrupt = trace.point(host.uartHandler);
    this.tpVirq = trace.point('send_guest_global_virq', 'virq');
    this.tpKey = trace.point('handle_keypress', 'key');
  }

  /** Something arrives on the line, at once; the answer is the journey of its interrupt. */
  input(text: string): number {
    for (const c of text) if (this.received.length < FIFO) this.received.push(c.charCodeAt(0));
    return this.host.interruptLine(this.fromUart);
  }

  // the interrupt

  /** ns16550_interrupt: both directions, until there is nothing left. */
  interrupt(cpu: Pcpu): void {
    const { trace, clock, books } = this.host;
    trace.emit(this.tpInterrupt, clock.now, books.journey, cpu.cpu);
    // IIR, and LSR for each direction
    cpu.charge(3 * timing.portAccess);
    this.txInterrupt(cpu);
    for (let c = this.received.shift(); c !== undefined; c = this.received.shift()) {
      // RBR, and LSR for the next one
      cpu.charge(2 * timing.portAccess);
      this.serialRx(cpu, c);
    }
    // IIR says that this was all
    cpu.charge(timing.portAccess);
  }

  /** serial_rx. 4.17 keeps characters back that may be the first of three, 3.4 does not. */
  private serialRx(cpu: Pcpu, c: number): void {
    const old = this.host.profile === '3.4';
    if (c === SWITCH_CODE) {
      if (++this.switchCount === 3) {
        this.switchCount = 0;
        this.switchInput(cpu);
        return;
      }
      if (!old) return;
    } else {
      for (let kept = old ? 0 : this.switchCount; kept > 0; kept--) this.receive(cpu, SWITCH_CODE);
      this.switchCount = 0;
    }
    this.receive(cpu, c);
  }

  private switchInput(cpu: Pcpu): void {
    this.xenRx = !this.xenRx;
    const [to, other] = this.xenRx ? ['Xen', 'DOM0'] : ['DOM0', 'Xen'];
    this.print(cpu, `*** Serial input to ${to} (type 'CTRL-a' three times to switch input to ${other})`);
  }

  /** __serial_rx */
  private receive(cpu: Pcpu, c: number): void {
    if (this.xenRx) {
      this.handleKeypress(cpu, String.fromCharCode(c));
      return;
    }
    // always, even when its buffer of 128 is full
    this.tell(cpu, VIRQ_CONSOLE);
  }

  private tell(cpu: Pcpu, virq: number): void {
    const { books, trace, clock } = this.host;
    books.source = this.fromConsole;
    trace.emit(this.tpVirq, clock.now, books.journey, cpu.cpu, virq);
    this.host.globalVirq(virq);
  }

  // debug keys

  /** handle_keypress: most not within an interrupt. A second key before the first is handled takes its place. */
  private handleKeypress(cpu: Pcpu, key: string): void {
    const { trace, clock, books, tasklets } = this.host;
    trace.emit(this.tpKey, clock.now, books.journey, cpu.cpu, key.charCodeAt(0));
    if (!this.host.inIrq(cpu) || IRQ_KEYS.includes(key)) {
      this.runKey(cpu, key);
      return;
    }
    this.key = key;
    tasklets.scheduleOn(cpu, this.keypress);
  }

  private keypressAction(cpu: Pcpu): void {
    this.runKey(cpu, this.key);
  }

  private runKey(cpu: Pcpu, key: string): void {
    const text = this.keyHandler(key);
    if (text === undefined) return;
    for (const line of text.trimEnd().split('\n')) this.print(cpu, line.replace(/^\(XEN\) /, ''));
  }

  // printing

  /** printk of one line. */
  print(cpu: Pcpu, line: string): void {
    const pieces = ['(XEN) ', line, '\n'];
    for (const piece of pieces) {
      cpu.charge(timing.printk);
      this.toSend += piece.length;
      if (this.sending === 0) this.startSending(1);
      if (this.host.profile === '3.4') this.tell(cpu, VIRQ_CON_RING);
      else this.host.tasklets.scheduleOn(cpu, this.conRing);
    }
    this.lines.push(line);
    if (this.lines.length > LINES) this.lines.shift();
  }

  private tellConRing(cpu: Pcpu): void {
    this.tell(cpu, VIRQ_CON_RING);
  }

  /** serial_tx_interrupt: fills the UART, if it is empty. */
  private txInterrupt(cpu: Pcpu): void {
    if (this.sending > 0 || this.toSend === 0) return;
    const n = Math.min(FIFO, this.toSend);
    cpu.charge(n * timing.portAccess);
    this.startSending(n);
  }

  private startSending(n: number): void {
    this.toSend -= n;
    this.sending = n;
    this.sent.at(this.host.clock.now + n * CHARACTER);
  }

  /** The UART has sent all it had. */
  private transmitted(): void {
    this.sending = 0;
    this.host.interruptLine(this.fromUart);
  }

  save(): Plain {
    const { lines, xenRx, switchCount, received, toSend, sending, key } = this;
    return { lines: [...lines], received: [...received], xenRx, switchCount, toSend, sending, key };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      lines: string[];
      received: number[];
      xenRx: boolean;
      switchCount: number;
      toSend: number;
      sending: number;
      key: string;
    };
    this.lines.splice(0, this.lines.length, ...s.lines);
    this.received = [...s.received];
    this.xenRx = s.xenRx;
    this.switchCount = s.switchCount;
    this.toSend = s.toSend;
    this.sending = s.sending;
    this.key = s.key;
  }
}
