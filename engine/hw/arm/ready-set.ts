/**
 * The interrupts that are ready for one CPU of a GIC: the best of them at hand, the others as bits. Nothing is searched when
 * something changes but those others, and these only when the best goes away.
 */
import { lowestBit } from '../../core/bits.ts';
import { PRIVATE, SPURIOUS } from './gic-regs.ts';

/** lower than any priority */
export const IDLE = 0x100;

/** 1024 bits */
const WORDS = 32;

/** The CPU's interface: the best, or its priority or group, may be another. */
export interface Receiver {
  update(): void;
}

/** While something is written that changes many interrupts at once, nobody is told; afterwards each one concerned once. */
export class Hold {
  /** not held: 0 */
  depth = 0;
  private readonly waiting: ReadySet[] = [];

  begin(): void {
    this.depth++;
  }

  end(): void {
    if (--this.depth > 0) return;
    for (const set of this.waiting) set.told();
    this.waiting.length = 0;
  }

  wait(set: ReadySet): void {
    this.waiting.push(set);
  }

  /** Ends without telling anybody. */
  drop(): void {
    this.depth--;
    for (const set of this.waiting) set.waits = false;
    this.waiting.length = 0;
  }
}

export class ReadySet {
  /** the one of the highest priority, the lowest INTID among equals; SPURIOUS: none */
  best = SPURIOUS;
  bestPriority = IDLE;
  /** the others */
  private readonly words = new Uint32Array(WORDS);
  /** words that have any, as bits */
  private some = 0;
  /** to be told at the end of a hold */
  waits = false;
  /** who is told */
  receiver: Receiver | undefined;

  /**
   * @param priority of the private interrupts of each CPU in turn, then of the shared
   * @param first where this CPU's are
   * @param shared where the shared would begin with INTID 0
   */
  constructor(
    private readonly priority: Uint8Array,
    private readonly first: number,
    private readonly shared: number,
    private readonly hold: Hold,
  ) {}

  /** The best, or something about it, may be another. */
  tell(): void {
    if (this.hold.depth === 0) this.receiver?.update();
    else if (!this.waits) {
      this.waits = true;
      this.hold.wait(this);
    }
  }

  told(): void {
    this.waits = false;
    this.receiver?.update();
  }

  add(intid: number, priority: number): void {
    const { best, bestPriority } = this;
    if (priority > bestPriority || (priority === bestPriority && intid > best)) {
      this.keep(intid);
      return;
    }
    if (best !== SPURIOUS) this.keep(best);
    this.best = intid;
    this.bestPriority = priority;
    this.tell();
  }

  remove(intid: number): void {
    if (this.best !== intid) {
      this.drop(intid);
      return;
    }
    this.best = SPURIOUS;
    this.bestPriority = IDLE;
    if (this.some !== 0) this.find();
    this.tell();
  }

  private keep(intid: number): void {
    const w = intid >> 5;
    this.words[w] = this.words[w]! | (1 << (intid & 31));
    this.some |= 1 << w;
  }

  private drop(intid: number): void {
    const w = intid >> 5;
    const rest = this.words[w]! & ~(1 << (intid & 31));
    this.words[w] = rest;
    if (rest === 0) this.some &= ~(1 << w);
  }

  /** The best of the others takes the place. */
  private find(): void {
    for (let some = this.some; some !== 0; some &= some - 1) {
      const w = lowestBit(some);
      const base = w * 32 < PRIVATE ? this.first : this.shared + w * 32;
      for (let word = this.words[w]!; word !== 0; word &= word - 1) {
        const bit = lowestBit(word);
        const priority = this.priority[base + bit]!;
        if (priority >= this.bestPriority) continue;
        this.best = w * 32 + bit;
        this.bestPriority = priority;
      }
    }
    this.drop(this.best);
  }

  /** Nobody is told. */
  clear(): void {
    this.words.fill(0);
    this.some = 0;
    this.best = SPURIOUS;
    this.bestPriority = IDLE;
  }
}
