/**
 * Two 8259As as a PC wires them, master and slave, with the edge/level control registers of the PIIX3. Follows the
 * 8259A datasheet; where emulations differ from it (KVM's arch/x86/kvm/i8259.c, Xen's xen/arch/x86/hvm/vpic.c),
 * i8259-options.ts says how.
 */
import type { Part, Plain } from '../../core/state.ts';
import type { Width } from './cpu.ts';
import { CASCADE, I8259, IGNORED } from './i8259-chip.ts';
import type { PicOptions } from './i8259-options.ts';
import type { Registers } from './io-bus.ts';
import { LineStates } from './line-states.ts';

export { COALESCED, DELIVERED, type I8259, IGNORED } from './i8259-chip.ts';

/** What an acknowledge cycle without a request answers with: the lowest input. */
const SPURIOUS = 7;

export interface PicOutput {
  /**
   * INT of the master, at every look at it: KVM answers to it even when it stays high
   * @param rose it was low before
   */
  intr(high: boolean, rose: boolean): void;
  /** An input (0 to 15) has left service, or a request was dropped that nobody will serve. */
  acked?(pin: number): void;
  /** an input was unmasked, or initialisation is over */
  unmasked?(): void;
  /** Does anybody take interrupts of the 8259s? If nobody does, ICW1 tells nobody of what it drops. */
  inUse?(): boolean;
}

/** Master and slave: inputs 0 to 15. */
export class I8259Pair implements Part {
  readonly id: string;
  readonly master: I8259;
  readonly slave: I8259;
  readonly levels = new LineStates(16);

  constructor(
    name: string,
    private readonly options: PicOptions,
    private readonly output: PicOutput,
  ) {
    this.id = `${name}.i8259`;
    this.master = new I8259(true, options);
    this.slave = new I8259(false, options);
    this.writeElcr(this.master, 0);
  }

  /** INT of the master. */
  get intr(): boolean {
    return this.master.output;
  }

  /** Whose input it is. */
  of(pin: number): I8259 {
    return pin < 8 ? this.master : this.slave;
  }

  /** A source drives an input; its level is the OR of all sources. */
  setIrq(pin: number, high: boolean, source = 0): number {
    const level = this.levels.drive(pin, source, high);
    if (pin === CASCADE && !this.options.drivenCascade) return IGNORED;
    const answer = this.of(pin).input(pin & 7, level);
    this.update();
    return answer;
  }

  /**
   * The wire of an input rises or falls; the caller counts who holds it, and tells each change as an edge, as Xen does
   * (vpic_irq_positive_edge, vpic_irq_negative_edge).
   */
  edge(pin: number, rising: boolean): number {
    if (pin === CASCADE) return IGNORED;
    const answer = this.of(pin).edge(pin & 7, rising);
    if (answer !== IGNORED) this.update();
    return answer;
  }

  /** INT of both chips anew. */
  private update(): void {
    const { master, slave } = this;
    if (this.options.cascade === 'pulse') {
      if (slave.request() >= 0) {
        master.input(CASCADE, true);
        master.input(CASCADE, false);
      }
    } else {
      const high = slave.request() >= 0 && !(this.options.initInt === 'low' && slave.init !== 0);
      if (high !== slave.output) {
        slave.output = high;
        if (high) master.irr |= 1 << CASCADE;
        else master.irr &= ~(1 << CASCADE);
      }
    }
    const was = master.output;
    master.output = master.request() >= 0 && !(this.options.initInt === 'low' && master.init !== 0);
    this.output.intr(master.output, master.output && !was);
  }

  /** The processor's acknowledge cycle: the vector; -1 where none is given without a request. */
  ack(): number {
    const irq = this.intack();
    if (irq < 0) return -1;
    return irq < 8 ? this.master.base + irq : this.slave.base + (irq & 7);
  }

  /** The input that is acknowledged, 0 to 15. */
  private intack(): number {
    const { master, slave, options } = this;
    if (!options.spurious && !master.output) return -1;
    let irq = master.request();
    if (irq < 0) irq = SPURIOUS;
    else {
      this.take(master, irq);
      if (irq === CASCADE) {
        const behind = slave.request();
        if (behind >= 0) this.take(slave, behind);
        irq = 8 + (behind < 0 ? SPURIOUS : behind);
      }
    }
    this.update();
    return irq;
  }

  private take(chip: I8259, pin: number): void {
    if (chip.intack(pin)) this.clear(chip, pin);
    if (chip.master || this.options.cascade === 'pulse') return;
    // the slave's INT falls; if it has another request it rises again, which is a new edge for the master
    chip.output = false;
    this.master.irr &= ~(1 << CASCADE);
  }

  /** Leaves service. */
  private clear(chip: I8259, pin: number): void {
    chip.isr &= ~(1 << pin);
    this.output.acked?.(chip.master ? pin : pin + 8);
  }

  /** Ports 0x20, 0x21, 0xa0, 0xa1 and 0x4d0, 0x4d1. */
  write(port: number, value: number): void {
    const byte = value & 0xff;
    if (port >= 0x4d0) this.writeElcr(port & 1 ? this.slave : this.master, byte);
    else if (port & 1) this.writeData(port & 0x80 ? this.slave : this.master, byte);
    else this.writeCommand(port & 0x80 ? this.slave : this.master, byte);
  }

  read(port: number): number {
    const chip = port & (port >= 0x4d0 ? 1 : 0x80) ? this.slave : this.master;
    if (port >= 0x4d0) return this.options.cascadeLevel ? chip.elcr & chip.elcrMask : chip.elcr;
    if (chip.poll) return this.pollRead(chip);
    if (port & 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  private writeElcr(chip: I8259, value: number): void {
    chip.elcr = value & chip.elcrMask;
    if (this.options.cascadeLevel && chip.master) chip.elcr |= 1 << CASCADE;
  }

  private writeCommand(chip: I8259, value: number): void {
    if (value & 0x10) this.initialise(chip, value);
    else if (value & 0x08) this.ocw3(chip, value);
    else this.ocw2(chip, value);
  }

  private initialise(chip: I8259, value: number): void {
    const dropped = chip.icw1(value);
    if (this.options.initInt !== 'kept') this.update();
    if (!this.options.initAcknowledges || this.output.inUse?.() === false) return;
    for (let pin = 0; pin < 8; pin++) if (dropped & (1 << pin)) this.clear(chip, pin);
  }

  /** Read register, poll, special mask. */
  private ocw3(chip: I8259, value: number): void {
    if (value & 0x04) chip.poll = true;
    if (value & 0x02) chip.readIsr = (value & 1) !== 0;
    if (!(value & 0x40)) return;
    chip.specialMask = (value & 0x20) !== 0;
    if (this.options.specialMask) this.update();
  }

  /** EOI and rotation. */
  private ocw2(chip: I8259, value: number): void {
    const command = value >> 5;
    switch (command) {
      case 0:
      case 4:
        chip.rotateOnAutoEoi = command === 4;
        return;
      case 1:
      case 5: {
        const pin = chip.inService();
        if (pin >= 0) this.eoi(chip, pin, command === 5);
        return;
      }
      case 3:
      case 7:
        this.eoi(chip, value & 7, command === 7);
        return;
      case 6:
        chip.priorityAdd = (value + 1) & 7;
        this.update();
    }
  }

  private eoi(chip: I8259, pin: number, rotate: boolean): void {
    if (rotate) chip.priorityAdd = (pin + 1) & 7;
    this.clear(chip, pin);
    this.update();
  }

  private writeData(chip: I8259, value: number): void {
    if (chip.init !== 0) {
      chip.icw(value);
      if (this.options.initInt !== 'kept') this.update();
      if (chip.init === 0) this.output.unmasked?.();
      return;
    }
    const opened = chip.imr & ~value;
    chip.imr = value;
    this.update();
    if (opened !== 0) this.output.unmasked?.();
  }

  private pollRead(chip: I8259): number {
    chip.poll = false;
    switch (this.options.poll) {
      case 'acknowledge':
        return this.pollAcknowledge(chip) & 0xff;
      case 'flagged': {
        const pin = chip.request();
        if (pin < 0) return 0;
        this.take(chip, pin);
        this.update();
        return 0x80 | pin;
      }
      default:
        return this.pollBare(chip);
    }
  }

  private pollBare(chip: I8259): number {
    const pin = chip.request();
    if (pin < 0) {
      this.update();
      return SPURIOUS;
    }
    if (!chip.master) {
      this.master.isr &= ~(1 << CASCADE);
      this.master.irr &= ~(1 << CASCADE);
    }
    chip.irr &= ~(1 << pin);
    this.clear(chip, pin);
    if (!chip.master || pin !== CASCADE) this.update();
    return pin;
  }

  private pollAcknowledge(chip: I8259): number {
    if (chip.master) return this.intack();
    if (!chip.output) return -1;
    const pin = chip.request();
    this.take(chip, pin);
    this.update();
    return pin;
  }

  /** A chip takes its own image back (KVM_GET_IRQCHIP, KVM_SET_IRQCHIP): INT is looked at anew. */
  reload(): void {
    this.update();
  }

  // as registers on an I/O bus

  /** Two ports of a chip, or the two edge/level registers, from `port` on. Only bytes are taken. */
  ports(port: number): Registers {
    return {
      read: (offset, width) => (width === 1 ? this.read(port + offset) : allOnes(width)),
      write: (offset, value, width) => {
        if (width === 1) this.write(port + offset, value);
      },
    };
  }

  save(): Plain {
    return { chips: [this.master.save(), this.slave.save()], levels: this.levels.save() };
  }

  restore(state: Plain): void {
    const s = state as unknown as { chips: [Plain, Plain]; levels: Plain };
    this.master.restore(s.chips[0]);
    this.slave.restore(s.chips[1]);
    this.levels.restore(s.levels);
  }
}

function allOnes(width: Width): number {
  return width >= 4 ? 0xffff_ffff : (1 << (width * 8)) - 1;
}
