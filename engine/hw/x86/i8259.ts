/**
 * The 8259A programmable interrupt controller, two of them as a PC wires them, with the edge/level control
 * registers of the PIIX3. Follows the 8259A datasheet; names are its own: IRR, IMR, ISR, ICW1-4, OCW1-3. Where
 * emulations differ from it, i8259-options.ts says how. MCS-80 mode and buffered mode are not modelled.
 */
import type { Part, Plain } from '../../core/state.ts';
import type { Width } from './cpu.ts';
import type { PicOptions } from './i8259-options.ts';
import type { Registers } from './io-bus.ts';
import { LineStates } from './line-states.ts';

/** Input of the master that the slave's INT is wired to. */
const CASCADE = 2;
const SPURIOUS = 7;
/** Answers of `setIrq`. */
export const IGNORED = -1;
export const COALESCED = 0;
export const DELIVERED = 1;

/** bits of the initialisation state beside the number of the next ICW */
const SINGLE = 8;
const NEEDS_ICW4 = 4;

/** One chip. */
export class I8259 {
  irr = 0;
  imr = 0;
  isr = 0;
  /** edge sense: the level of each input when last looked at */
  last = 0;
  elcr = 0;
  /** the input of highest priority */
  priorityAdd = 0;
  /** ICW2, bits 7-3 */
  base = 0;
  readIsr = false;
  poll = false;
  specialMask = false;
  /** 0: operational; else bits 1-0 number the ICW that comes next, less one; bits 2 and 3 as ICW1 had them */
  init = 0;
  autoEoi = false;
  rotateOnAutoEoi = false;
  specialFullyNested = false;
  /** ICW1 asked for ICW4 */
  icw4 = false;
  /** INT */
  output = false;

  constructor(
    readonly master: boolean,
    private readonly options: PicOptions,
  ) {}

  /** inputs that the edge/level control register can make level */
  get elcrMask(): number {
    return this.master ? 0xf8 : 0xde;
  }

  /** An input changes. IGNORED: masked; COALESCED: requested already. */
  input(pin: number, high: boolean): number {
    const bit = 1 << pin;
    let fresh = true;
    if (!high) {
      if (this.elcr & bit || this.options.fallingEdgeForgets) this.irr &= ~bit;
      this.last &= ~bit;
    } else {
      if (this.elcr & bit || !(this.last & bit)) {
        fresh = !(this.irr & bit);
        this.irr |= bit;
      }
      this.last |= bit;
    }
    if (this.imr & bit) return IGNORED;
    return fresh ? DELIVERED : COALESCED;
  }

  /** How far down in the order of priority the first of these inputs is; 8 for none. */
  private priority(inputs: number): number {
    if (inputs === 0) return 8;
    const turned = ((inputs >> this.priorityAdd) | (inputs << (8 - this.priorityAdd))) & 0xff;
    return 31 - Math.clz32(turned & -turned);
  }

  /** The request that is of higher priority than all in service; -1 for none. */
  request(): number {
    const first = this.priority(this.irr & ~this.imr);
    if (first === 8) return -1;
    const pin = (first + this.priorityAdd) & 7;
    let { isr } = this;
    if (this.specialFullyNested && this.master && (pin === CASCADE || !this.options.nestedForSlaveOnly)) {
      isr &= ~(1 << CASCADE);
    }
    if (this.specialMask && this.options.specialMask) isr &= ~this.imr;
    return first < this.priority(isr) ? pin : -1;
  }

  /** First and second INTA: the request enters service. True: by automatic EOI it has left it again. */
  intack(pin: number): boolean {
    const bit = 1 << pin;
    if (!(this.elcr & bit)) this.irr &= ~bit;
    if (!this.autoEoi) {
      this.isr |= bit;
      return false;
    }
    if (this.rotateOnAutoEoi) this.priorityAdd = (pin + 1) & 7;
    return this.options.autoEoiEntersService;
  }

  /** The input that a non-specific EOI means; -1 for none. */
  inService(): number {
    const ignored = this.specialMask && this.options.specialMask ? this.imr : 0;
    const first = this.priority(this.isr & ~ignored);
    return first === 8 ? -1 : (first + this.priorityAdd) & 7;
  }

  /** ICW1. The answer is the edge inputs whose request it forgets. */
  icw1(value: number): number {
    const { options } = this;
    const edges = this.irr & ~this.elcr;
    this.icw4 = (value & 1) !== 0;
    this.last = options.fallingEdgeForgets ? this.last : 0;
    this.irr &= this.elcr;
    this.imr = 0;
    this.priorityAdd = 0;
    this.specialMask = false;
    this.readIsr = false;
    if (options.initClearsIsr) {
      this.isr = 0;
      this.rotateOnAutoEoi = false;
      this.poll = false;
    }
    if (!this.icw4) {
      this.specialFullyNested = false;
      this.autoEoi = false;
    }
    this.init = options.single ? ((value & 3) << 2) | 1 : 1;
    return edges;
  }

  /** A write to the data port while initialising: ICW2, 3 or 4. */
  icw(value: number): void {
    switch (this.init & 3) {
      case 1:
        this.base = value & 0xf8;
        this.init++;
        if (this.init & SINGLE) this.icw3();
        return;
      case 2:
        this.icw3();
        return;
      default:
        this.specialFullyNested = (value & 0x10) !== 0;
        this.autoEoi = (value & 2) !== 0;
        this.init = 0;
    }
  }

  private icw3(): void {
    const more = this.options.single ? (this.init & NEEDS_ICW4) !== 0 : this.icw4;
    this.init = more ? this.init + 1 : 0;
  }

  inspect() {
    return {
      irr: this.irr,
      imr: this.imr,
      isr: this.isr,
      elcr: this.elcr,
      base: this.base,
      priorityAdd: this.priorityAdd,
      readIsr: this.readIsr,
      poll: this.poll,
      initState: this.init & 3,
      autoEoi: this.autoEoi,
      rotateOnAutoEoi: this.rotateOnAutoEoi,
      specialFullyNested: this.specialFullyNested,
      specialMask: this.specialMask,
    };
  }

  save(): Plain {
    const { irr, imr, isr, last, elcr, priorityAdd, base, init } = this;
    const flags = [this.readIsr, this.poll, this.specialMask, this.autoEoi, this.rotateOnAutoEoi];
    const more = [this.specialFullyNested, this.icw4, this.output];
    return [irr, imr, isr, last, elcr, priorityAdd, base, init, ...[...flags, ...more].map(Number)];
  }

  restore(state: Plain): void {
    const n = state as number[];
    [this.irr, this.imr, this.isr, this.last, this.elcr, this.priorityAdd, this.base, this.init] = n as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    this.readIsr = n[8] === 1;
    this.poll = n[9] === 1;
    this.specialMask = n[10] === 1;
    this.autoEoi = n[11] === 1;
    this.rotateOnAutoEoi = n[12] === 1;
    this.specialFullyNested = n[13] === 1;
    this.icw4 = n[14] === 1;
    this.output = n[15] === 1;
  }
}

export interface PicOutput {
  /** INT of the master, at every look at it: KVM answers to it even when it stays high */
  intr(high: boolean): void;
  /** An input (0 to 15) has left service, or a request was dropped that nobody will serve. */
  acked?(pin: number): void;
  /** Does anybody take interrupts of the 8259s? Without one, ICW1 tells nobody of what it drops. */
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
  }

  /** INT of the master. */
  get intr(): boolean {
    return this.master.output;
  }

  /** A source drives an input; its level is the OR of all sources. */
  setIrq(pin: number, high: boolean, source = 0): number {
    const level = this.levels.drive(pin, source, high);
    if (pin === CASCADE && !this.options.drivenCascade) return IGNORED;
    const answer = pin < 8 ? this.master.input(pin, level) : this.slave.input(pin & 7, level);
    this.update();
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
      const high = slave.request() >= 0 && !(this.options.initLowersInt && slave.init !== 0);
      if (high !== slave.output) {
        slave.output = high;
        if (high) master.irr |= 1 << CASCADE;
        else master.irr &= ~(1 << CASCADE);
      }
    }
    master.output = master.request() >= 0 && !(this.options.initLowersInt && master.init !== 0);
    this.output.intr(master.output);
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
    if (this.options.initLowersInt) this.update();
    if (dropped === 0 || !this.output.inUse?.()) return;
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
      if (this.options.initLowersInt) this.update();
      return;
    }
    chip.imr = value;
    this.update();
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
