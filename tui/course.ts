/**
 * The course that a machine takes: its events, and between them the commands of a script, those of the journal
 * where it is gone through again, and those that are given now.
 */
import type { Command, Machine, Ns, Outcome } from '../engine/index.ts';
import type { Cue } from './frame.ts';
import { compare, type Journal, type Moment } from './journal.ts';
import type { JourneyWatch } from './journey-watch.ts';

/** A moment to come to. */
export interface Goal extends Moment {
  /** time stays where the last event left it, `at` is just a bound */
  readonly soon?: boolean;
}

export class Course {
  private readonly script: readonly Cue[];
  /** when each cue of the script came to be, its commands done */
  private cued: Moment[] = [];
  /** how many of them were before this moment */
  private passed = 0;
  /** on the way to a moment nothing is told */
  private travelling = false;

  constructor(
    private readonly machine: Machine,
    private readonly journal: Journal,
    private readonly journeys: JourneyWatch,
    private readonly now: () => number,
    script: readonly Cue[],
    /** is told of a cue that is passed while time runs */
    private readonly follow: (cue: Cue) => void,
  ) {
    this.script = [...script].sort((a, b) => a.at - b.at);
  }

  get here(): Moment {
    return { ...this.machine.place, done: this.journal.done };
  }

  /** Will anything ever happen by itself? */
  get over(): boolean {
    const { journal, machine, script, cued } = this;
    return !journal.end && cued.length === script.length && machine.clock.next === Number.POSITIVE_INFINITY;
  }

  /** The next event or command up to a moment; false: there is none. */
  step(limit: Ns): boolean {
    const { clock } = this.machine;
    if (this.journal.end) return this.again(this.journal.end, limit);
    return this.cueDue(Math.min(clock.next, limit)) || (clock.next <= limit && this.event());
  }

  /** The same where it has been recorded. */
  private again(end: Moment, limit: Ns): boolean {
    const { machine, journal, cued, passed } = this;
    const { clock } = machine;
    const next = journal.next && { ...journal.next, done: journal.done };
    const cue = cued[passed];
    const command = next && (!cue || compare(next, cue) < 0) ? next.command : undefined;
    const stop = command ? next! : (cue ?? end);
    if (clock.events < stop.events && clock.next <= stop.at) return clock.next <= limit && this.event();
    if (clock.events !== stop.events || clock.now > stop.at) throw new Error(ASTRAY);
    if (stop.at > limit) return false;
    this.idle(stop.at);
    if (clock.events !== stop.events) throw new Error(ASTRAY);
    if (command) this.repeat(command);
    else if (cue) this.pass(passed);
    else journal.reachedEnd();
    return true;
  }

  /** Time passes up to a moment; what is due until then has run. */
  wait(until: Ns): void {
    const end = this.journal.end?.at ?? Number.POSITIVE_INFINITY;
    if (until < Number.POSITIVE_INFINITY) this.machine.runUntil(Math.min(until, end));
  }

  /** Time passes up to a moment, before which nothing is due. At that very moment there may be more. */
  private idle(until: Ns): void {
    if (this.machine.clock.now < until) this.wait(until);
  }

  /** On to a moment that is not before this one, while `go` says so. @returns whether it is there */
  reach(goal: Goal, go: () => boolean): boolean {
    const { machine, journal } = this;
    this.travelling = true;
    try {
      while (machine.clock.events < goal.events || journal.done < goal.done) {
        if (!go()) return false;
        if (!this.step(goal.at)) break;
      }
    } finally {
      this.travelling = false;
    }
    if (!goal.soon) this.idle(goal.at);
    this.moved();
    this.settle();
    return true;
  }

  /** Is this the end of what was recorded? */
  private settle(): void {
    const { end } = this.journal;
    if (end && compare(end, this.here) === 0) this.journal.reachedEnd();
  }

  /**
   * Something is done to the machine, now.
   * @param changing is called before what was recorded after this moment is discarded
   */
  perform(command: Command, changing?: (here: Moment) => void): Outcome {
    const { machine, journal } = this;
    const { here } = this;
    const { written } = machine.shop.trace;
    const outcome = machine.do(command);
    if (outcome.refused !== undefined) return outcome;
    if (journal.end) {
      changing?.(here);
      this.journeys.forget(here.done, written);
      this.cued = this.cued.slice(0, this.passed);
    }
    journal.add(here, command);
    this.journeys.fired(this.now());
    return outcome;
  }

  private repeat(command: Command): void {
    if (this.machine.do(command).refused !== undefined) throw new Error(ASTRAY);
    this.journal.repeated();
    this.journeys.fired(this.now());
    this.settle();
  }

  /** The machine was brought elsewhere. */
  moved(): void {
    const { here } = this;
    this.passed = this.cued.filter((moment) => compare(moment, here) <= 0).length;
  }

  /** Does what the script has next if that is due before `limit`; everything earlier has run. */
  private cueDue(limit: Ns): boolean {
    const { script, cued, machine } = this;
    const cue = script[cued.length];
    if (!cue || cue.at >= limit) return false;
    machine.runUntil(cue.at);
    for (const command of cue.commands) this.perform(command);
    cued.push(this.here);
    this.pass(cued.length - 1);
    return true;
  }

  private pass(index: number): void {
    this.passed = index + 1;
    if (!this.travelling) this.follow(this.script[index]!);
  }

  private event(): boolean {
    if (!this.machine.step()) return false;
    this.journeys.look();
    this.settle();
    return true;
  }
}

const ASTRAY = 'the run takes another course than the one that was recorded';
