/**
 * The time of an HVM guest (hvm_get_guest_time and its like, xen/arch/x86/hvm/vpt.c): Xen's system time less an offset of
 * each virtual CPU, which stands still while that does not run if missed ticks are to be delayed.
 */
import type { Ns } from '../../../core/clock.ts';
import type { Plain } from '../../../core/state.ts';

export class GuestTime {
  /** system time at which the guest's began (-stime_offset of the domain) */
  private start: Ns;
  /** the last that was told (last_guest_time) */
  private last: Ns = 0;
  /** of each virtual CPU (stime_offset) */
  private readonly offsets: Ns[] = [];
  /** of each virtual CPU: the time at which it stands still; 0: it does not (guest_time) */
  private readonly frozen: Ns[] = [];

  /**
   * @param now system time
   * @param strict no moment is told twice (since 4.0); else time only does not go back (3.4)
   */
  constructor(
    private readonly now: () => Ns,
    private readonly strict: boolean,
  ) {
    this.start = now();
  }

  /** hvm_get_guest_time */
  of(vcpu: number): Ns {
    const time = this.now() - this.start;
    if (time > this.last) this.last = time;
    else if (this.strict) this.last++;
    return this.last + this.offset(vcpu);
  }

  /** As `of`, without being told. */
  look(vcpu: number): Ns {
    return Math.max(this.now() - this.start, this.last) + this.offset(vcpu);
  }

  /** hvm_set_guest_time */
  set(vcpu: number, time: Ns): void {
    const by = time - this.of(vcpu);
    this.offsets[vcpu] = this.offset(vcpu) + by;
  }

  /** pt_freeze_time */
  freeze(vcpu: number): void {
    this.frozen[vcpu] = this.of(vcpu);
  }

  /** pt_thaw_time */
  thaw(vcpu: number): void {
    const time = this.frozen[vcpu] ?? 0;
    if (time === 0) return;
    this.set(vcpu, time);
    this.frozen[vcpu] = 0;
  }

  private offset(vcpu: number): Ns {
    return this.offsets[vcpu] ?? 0;
  }

  save(): Plain {
    const list = (values: readonly Ns[]) => Array.from(values, (n) => n ?? 0);
    return {
      start: this.start,
      last: this.last,
      offsets: list(this.offsets),
      frozen: list(this.frozen),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { start: Ns; last: Ns; offsets: Ns[]; frozen: Ns[] };
    this.start = s.start;
    this.last = s.last;
    this.offsets.splice(0, Infinity, ...s.offsets);
    this.frozen.splice(0, Infinity, ...s.frozen);
  }
}
