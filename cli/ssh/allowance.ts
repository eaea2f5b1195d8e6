/** So much at once, and so much a second: what is beyond is refused until time has passed. */
export class Allowance {
  private left: number;
  private last: number;

  constructor(
    private readonly most: number,
    private readonly perSecond: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.left = most;
    this.last = now();
  }

  /** Takes as much as wanted, even if that is more than there is. @returns ms until something is left again, 0: there is */
  spend(amount: number): number {
    this.refill();
    this.left -= amount;
    return this.left > 0 ? 0 : Math.ceil((-this.left / this.perSecond) * 1000) + 1;
  }

  /** Takes one if there is one. */
  take(): boolean {
    this.refill();
    if (this.left < 1) return false;
    this.left--;
    return true;
  }

  private refill(): void {
    const now = this.now();
    this.left = Math.min(this.most, this.left + ((now - this.last) / 1000) * this.perSecond);
    this.last = now;
  }
}
