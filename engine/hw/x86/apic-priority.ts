/**
 * What a local APIC holds of vectors: requested (IRR), in service (ISR), level-triggered (TMR), and the priorities that
 * decide which is next (SDM volume 3, "Handling Interrupts with the Local APIC" and "Task and Processor Priorities").
 * The highest of IRR and ISR are kept at hand, so that nothing searches for them while they stay.
 */
import { Bitmap } from '../../core/bits.ts';
import { BASE_ENABLE, Reg } from './apic-regs.ts';

const TPR = Reg.TPR >> 4;
const PPR = Reg.PPR >> 4;

export class ApicPriority {
  readonly irr = new Bitmap(256);
  readonly isr = new Bitmap(256);
  /** of the vectors requested or in service: 1 for level */
  readonly tmr = new Bitmap(256);
  /** the register page, a word for each 16 bytes; the three maps are above */
  readonly regs = new Uint32Array(64);
  /** IA32_APIC_BASE, low half */
  base = 0;
  /** highest requested, highest in service; -1 for none */
  protected irrv = -1;
  protected isrv = -1;
  private readonly merged = { updated: false, highest: -1 };

  /** Merges posted requests into IRR: the highest then requested, and whether that one is new. Read the answer at once. */
  updateIrr(posted: Bitmap): { readonly updated: boolean; readonly highest: number } {
    const { words } = this.irr;
    let newest = -1;
    for (let w = 0; w < 8; w++) {
      const requests = posted.words[w]!;
      if (requests === 0) continue;
      const fresh = requests & ~words[w]!;
      if (fresh !== 0) newest = w * 32 + 31 - Math.clz32(fresh);
      words[w]! |= requests;
      posted.words[w] = 0;
      this.irr.watcher?.changed();
    }
    const { merged } = this;
    if (newest > this.irrv) this.irrv = newest;
    merged.updated = newest >= 0 && newest === this.irrv;
    merged.highest = this.irrv;
    return merged;
  }

  /** The vector that the processor would take now; -1 for none. */
  deliverable(): number {
    const { irrv } = this;
    if (irrv < 0 || (this.base & BASE_ENABLE) === 0) return -1;
    return (irrv & 0xf0) > this.updatePpr() ? irrv : -1;
  }

  /** PPR: the higher class of TPR and the vector in service. */
  updatePpr(): number {
    const tpr = this.regs[TPR]!;
    const isr = this.isrv < 0 ? 0 : this.isrv & 0xf0;
    const ppr = (tpr & 0xf0) >= isr ? tpr & 0xff : isr;
    this.regs[PPR] = ppr;
    return ppr;
  }

  /** The processor acknowledges the highest request: IRR to ISR. -1: there is none. */
  ack(): number {
    const vector = this.deliverable();
    if (vector >= 0) this.take(vector);
    return vector;
  }

  /** IRR to ISR, for a vector that is known to be the one. */
  take(vector: number): void {
    this.irr.clear(vector);
    if (vector === this.irrv) this.irrv = this.irr.highest();
    this.isr.set(vector);
    if (vector > this.isrv) this.isrv = vector;
    this.updatePpr();
  }

  /** The highest in service is over. The answer is its vector, -1 for none. */
  protected endService(): number {
    const vector = this.isrv;
    if (vector < 0) return -1;
    this.isr.clear(vector);
    this.isrv = this.isr.highest();
    this.updatePpr();
    return vector;
  }

  /** IRR or ISR were changed by the processor itself (virtual-interrupt delivery). */
  changed(): void {
    this.irr.watcher?.changed();
    this.isr.watcher?.changed();
    this.irrv = this.irr.highest();
    this.isrv = this.isr.highest();
  }

  /** The highest vector requested, and in service; -1 for none. */
  get highestRequest(): number {
    return this.irrv;
  }

  get highestInService(): number {
    return this.isrv;
  }

  /** As it was last worked out. */
  get ppr(): number {
    return this.regs[PPR]!;
  }
}
