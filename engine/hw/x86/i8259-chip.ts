/**
 * One 8259A programmable interrupt controller, as its datasheet has it; names are its own: IRR, IMR, ISR, ICW1-4,
 * OCW1-3. Where emulations differ from it, i8259-options.ts says how. MCS-80 mode and buffered mode are not modelled,
 * nor ICW1's LTIM: the edge/level registers of the PIIX3 decide for each input.
 */
import type { Plain } from '../../core/state.ts';
import type { PicOptions } from './i8259-options.ts';

/** Input of the master that the slave's INT is wired to. */
export const CASCADE = 2;
/** Answers of an input that changes. */
export const IGNORED = -1;
export const COALESCED = 0;
export const DELIVERED = 1;

/** bits of the initialisation state beside the number of the next ICW */
const SINGLE = 8;
const NEEDS_ICW4 = 4;

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

  /** The wire of an input rises or falls, whatever it was before. IGNORED: masked; COALESCED: requested already. */
  edge(pin: number, rising: boolean): number {
    const bit = 1 << pin;
    const fresh = !(this.irr & bit);
    if (rising) this.irr |= bit;
    else this.irr &= ~bit;
    if (this.imr & bit) return IGNORED;
    return rising && !fresh ? COALESCED : DELIVERED;
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

  /** ICW1. The answer is the inputs whose request or service it forgets; a level request stays. */
  icw1(value: number): number {
    const { options } = this;
    let forgotten = this.irr & ~this.elcr;
    this.icw4 = (value & 1) !== 0;
    if (options.initForgetsLevels) this.last = 0;
    this.irr &= this.elcr;
    this.imr = 0;
    this.priorityAdd = 0;
    this.specialMask = false;
    this.readIsr = false;
    if (options.initClearsIsr) {
      forgotten |= this.isr;
      this.isr = 0;
      this.rotateOnAutoEoi = false;
      this.poll = false;
    }
    if (!this.icw4) {
      this.specialFullyNested = false;
      this.autoEoi = false;
    }
    this.init = options.single ? ((value & 3) << 2) | 1 : 1;
    return forgotten;
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
