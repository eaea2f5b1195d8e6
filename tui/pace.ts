/** How simulated time keeps up with the watcher's: the speed asked for, and the one that is reached. */

/** real ms that a slice may take before input is looked at */
export const BUDGET = 10;
/** real ms between slices when the machine keeps up */
export const PERIOD = 20;
/** after a longer standstill simulated time does not try to catch up */
export const STALL = 250;

export class Pace {
  /** reached during the last delay; NaN while unknown */
  achieved = Number.NaN;
  /** where simulated and real time met last */
  private anchor = { sim: 0, real: 0 };
  private measured = { sim: 0, ran: 0 };

  constructor(
    private readonly clock: { readonly now: number },
    private wanted: number,
  ) {}

  /** Simulated seconds a second; Infinity: as fast as possible. */
  get speed(): number {
    return this.wanted;
  }

  setSpeed(speed: number, real: number): void {
    this.wanted = speed;
    this.achieved = Number.NaN;
    this.meet(real);
  }

  /** What was missed until this moment is not caught up with. */
  meet(real: number): void {
    this.anchor = { sim: this.clock.now, real };
  }

  /** The simulated time that it should be by now. */
  target(real: number): number {
    if (this.wanted === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return Math.floor(this.anchor.sim + (real - this.anchor.real) * 1e6 * this.wanted);
  }

  /** A measurement begins. @param ran real ms that the machine has run so far */
  begin(ran: number): void {
    this.measured = { sim: this.clock.now, ran };
  }

  /** A measurement ends, and the next begins. */
  measure(ran: number): void {
    const { sim, ran: before } = this.measured;
    if (ran > before) this.achieved = (this.clock.now - sim) / (ran - before) / 1e6;
    this.begin(ran);
  }
}
