/**
 * A processor's own time, and where it went. What a decision costs is added to the processor's own time, which then runs
 * ahead of the clock; its next stretch of code begins there. A stretch is a guest's, or of who runs guests: the hypervisor,
 * the host's kernel.
 */
import type { Clock, Ns } from './clock.ts';

export class CpuTime {
  private guestNs: Ns = 0;
  private hostNs: Ns = 0;
  private idleNs: Ns = 0;
  /** its time where that runs ahead of the clock */
  private busyUntil: Ns = 0;
  /** when the stretch begins, or began, that runs now */
  private stretchStart: Ns = 0;
  /** a guest's code within the time ahead: charged at once, it counts as the guest's only as the clock passes it */
  private pieceFrom: Ns = 0;
  private pieceTo: Ns = 0;

  constructor(private readonly clock: Clock) {}

  /** The processor's own. */
  get now(): Ns {
    const { now } = this.clock;
    return this.busyUntil > now ? this.busyUntil : now;
  }

  /** Does it run ahead of the clock? */
  get ahead(): boolean {
    return this.busyUntil > this.clock.now;
  }

  /** The host's code runs for `ns`. */
  charge(ns: Ns): void {
    this.busyUntil = this.now + ns;
    this.hostNs += ns;
  }

  /** The guest's code does, within a decision of its kernel's. */
  spendInGuest(ns: Ns): void {
    this.pieceFrom = this.now;
    this.busyUntil = this.now + ns;
    this.pieceTo = this.busyUntil;
    this.guestNs += ns;
  }

  /** The idle loop is over. */
  idled(): void {
    const { now } = this.clock;
    if (now > this.busyUntil) this.idleNs += now - this.busyUntil;
  }

  /** The processor waits for others from now on. */
  wait(): void {
    this.busyUntil = this.now;
  }

  /** And has seen at `when` that it may go on. @returns when it does */
  waited(when: Ns): Ns {
    const until = Math.max(when, this.now);
    this.hostNs += until - this.busyUntil;
    this.busyUntil = until;
    return until;
  }

  /** A stretch begins where its own time is. @returns when */
  begin(): Ns {
    this.stretchStart = this.now;
    return this.stretchStart;
  }

  /** It ends now; one that has not begun yet is left whole. @returns when */
  end(guest: boolean): Ns {
    const { now } = this.clock;
    const at = now > this.stretchStart ? now : this.stretchStart;
    if (guest) this.guestNs += at - this.stretchStart;
    else this.hostNs += at - this.stretchStart;
    return at;
  }

  // where it went up to the clock's now; the three add up to that

  /** @param runs a stretch of a guest does */
  inGuest(runs: boolean): Ns {
    return this.guestNs - this.pieceLeft + (runs ? this.running : 0);
  }

  /** @param runs a stretch of the host's does @param waits the processor waits for others */
  inHost(runs: boolean, waits: boolean): Ns {
    const ahead = this.busyUntil - this.clock.now - this.pieceLeft;
    return this.hostNs - (waits ? ahead : Math.max(0, ahead)) + (runs ? this.running : 0);
  }

  /** @param idles it does now */
  inIdle(idles: boolean): Ns {
    return this.idleNs + (idles ? Math.max(0, this.clock.now - this.busyUntil) : 0);
  }

  /** What of the piece is still to come. */
  private get pieceLeft(): Ns {
    return Math.max(0, this.pieceTo - Math.max(this.clock.now, this.pieceFrom));
  }

  private get running(): Ns {
    return Math.max(0, this.clock.now - this.stretchStart);
  }

  save(): number[] {
    const { guestNs, hostNs, idleNs, busyUntil, stretchStart, pieceFrom, pieceTo } = this;
    return [guestNs, hostNs, idleNs, busyUntil, stretchStart, pieceFrom, pieceTo];
  }

  restore(saved: readonly number[]): void {
    const [guestNs, hostNs, idleNs, busyUntil, stretchStart, pieceFrom, pieceTo] = saved;
    this.guestNs = guestNs!;
    this.hostNs = hostNs!;
    this.idleNs = idleNs!;
    this.busyUntil = busyUntil!;
    this.stretchStart = stretchStart!;
    this.pieceFrom = pieceFrom!;
    this.pieceTo = pieceTo!;
  }
}
