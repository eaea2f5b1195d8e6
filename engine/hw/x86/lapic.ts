/**
 * A physical local APIC, plain: request, in-service and trigger-mode bits, highest vector first, priority
 * classes. Follows the Intel SDM volume 3, chapter "Advanced Programmable Interrupt Controller"; registers,
 * task priority, timer and inter-processor commands are not modelled here, the hypervisor's own timers and IPIs
 * arrive as vectors.
 */
import { Bitmap } from '../../core/bits.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';

export class LocalApic implements Part {
  readonly id: string;
  readonly irr = new Bitmap(256);
  readonly isr = new Bitmap(256);
  /** of the vectors requested or in service: 1 for level, whose EOI goes out to the IOAPICs */
  readonly tmr = new Bitmap(256);
  /** the highest vector requested; -1 for none */
  private irrv = -1;

  /** @param intr called when a vector comes in that the processor could take */
  constructor(
    readonly apicId: number,
    private readonly intr: () => void,
  ) {
    this.id = `lapic${apicId}`;
  }

  /** An interrupt message arrives. False: the request bit was set already, the two are one. */
  accept(vector: number, level = false): boolean {
    if (!this.irr.set(vector)) return false;
    if (vector > this.irrv) this.irrv = vector;
    if (level) this.tmr.set(vector);
    else this.tmr.clear(vector);
    if (this.deliverable() >= 0) this.intr();
    return true;
  }

  /** The vector the processor would take now; -1 for none. */
  deliverable(): number {
    const { irrv } = this;
    return irrv >= 0 && irrv >> 4 > this.isr.highest() >> 4 ? irrv : -1;
  }

  /** The processor takes the highest request: IRR to ISR. -1: there is none. */
  ack(): number {
    const vector = this.deliverable();
    if (vector < 0) return -1;
    this.irr.clear(vector);
    this.irrv = this.irr.highest();
    this.isr.set(vector);
    return vector;
  }

  /** End of interrupt: the highest in service is over. The answer is its vector, -1 for none. */
  eoi(): number {
    const vector = this.isr.highest();
    if (vector < 0) return -1;
    this.isr.clear(vector);
    if (this.deliverable() >= 0) this.intr();
    return vector;
  }

  save(): Plain {
    return [saveArray(this.irr.words), saveArray(this.isr.words), saveArray(this.tmr.words)];
  }

  restore(state: Plain): void {
    const [irr, isr, tmr] = state as [number[], number[], number[]];
    restoreArray(this.irr.words, irr);
    this.irrv = this.irr.highest();
    restoreArray(this.isr.words, isr);
    restoreArray(this.tmr.words, tmr);
  }
}
