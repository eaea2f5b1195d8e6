/**
 * For each CPU of a GIC the interrupts that are ready for it, and the best at hand. Nothing is searched when something
 * changes but the ready interrupts of one CPU, and these only when its best goes away.
 */
import { lowestBit } from '../../core/bits.ts';
import { PRIVATE, SPURIOUS } from './gic-regs.ts';

/** lower than any priority */
export const IDLE = 0x100;

/** words of a set: 1024 bits, and one that tells which words have any */
const SET = 33;
const SUMMARY = 32;

export class ReadySets {
  /** the ready interrupt of the highest priority, the lowest INTID among equals; SPURIOUS: none */
  readonly best: Uint16Array;
  readonly bestPriority: Uint16Array;
  private readonly words: Uint32Array;
  private readonly shared: number;

  /**
   * @param priority of the private interrupts of each CPU in turn, then of the shared
   * @param changed the best of a CPU, or its priority, may be another
   */
  constructor(
    cpus: number,
    private readonly priority: Uint8Array,
    private readonly changed: (cpu: number) => void,
  ) {
    this.best = new Uint16Array(cpus).fill(SPURIOUS);
    this.bestPriority = new Uint16Array(cpus).fill(IDLE);
    this.words = new Uint32Array(cpus * SET);
    this.shared = (cpus - 1) * PRIVATE;
  }

  /** An interrupt is ready now, or no longer; `n`: where its priority is. */
  place(cpu: number, intid: number, n: number, ready: boolean): void {
    if (ready) this.add(cpu, intid, this.priority[n]!);
    else this.remove(cpu, intid);
  }

  private add(cpu: number, intid: number, priority: number): void {
    const { words } = this;
    const set = cpu * SET;
    const w = intid >> 5;
    words[set + w] = words[set + w]! | (1 << (intid & 31));
    words[set + SUMMARY] = words[set + SUMMARY]! | (1 << w);
    const best = this.bestPriority[cpu]!;
    if (priority > best || (priority === best && intid > this.best[cpu]!)) return;
    this.best[cpu] = intid;
    this.bestPriority[cpu] = priority;
    this.changed(cpu);
  }

  private remove(cpu: number, intid: number): void {
    const { words } = this;
    const set = cpu * SET;
    const w = intid >> 5;
    const rest = words[set + w]! & ~(1 << (intid & 31));
    words[set + w] = rest;
    if (rest === 0) words[set + SUMMARY] = words[set + SUMMARY]! & ~(1 << w);
    if (this.best[cpu] === intid) this.find(cpu);
  }

  private find(cpu: number): void {
    const { words, priority } = this;
    const set = cpu * SET;
    let best = SPURIOUS;
    let bestPriority = IDLE;
    for (let some = words[set + SUMMARY]!; some !== 0; some &= some - 1) {
      const w = lowestBit(some);
      // the first word has the private ones
      const base = w === 0 ? cpu * PRIVATE : this.shared + w * 32;
      for (let word = words[set + w]!; word !== 0; word &= word - 1) {
        const bit = lowestBit(word);
        if (priority[base + bit]! >= bestPriority) continue;
        best = w * 32 + bit;
        bestPriority = priority[base + bit]!;
      }
    }
    this.best[cpu] = best;
    this.bestPriority[cpu] = bestPriority;
    this.changed(cpu);
  }

  clear(): void {
    this.words.fill(0);
    this.best.fill(SPURIOUS);
    this.bestPriority.fill(IDLE);
  }
}
