/**
 * All that was ever done to a machine from outside, and where: with the scenario and the seed that is the whole run.
 * Going back in time leaves the commands that are still to come: they are given again at their places, unless
 * something else is done before; then they are discarded.
 */
import type { Command, Done, Place } from '../engine/index.ts';

/** A moment of a run. At one place it may be before or after a command. */
export interface Moment extends Place {
  /** commands that were given before it */
  readonly done: number;
}

/** Less than 0: a comes before b. */
export function compare(a: Moment, b: Moment): number {
  return a.events - b.events || a.at - b.at || a.done - b.done;
}

/** Who writes down what happens to the journal. */
export interface Scribe {
  /** A command was given, for the first time. */
  did(done: Done): void;
  /** What was recorded after this moment is discarded. */
  wentBack(to: Moment): void;
}

export class Journal {
  private readonly commands: Done[];
  /** how many of the commands have been given */
  private given = 0;
  /** where what was recorded ends; undefined: now */
  private stop: Moment | undefined;

  /** @param recorded of an earlier run, which is repeated */
  constructor(
    recorded?: Recorded,
    private readonly scribe?: Scribe,
  ) {
    this.commands = [...(recorded?.commands ?? [])];
    this.stop = recorded && { ...recorded.end, done: this.commands.length };
  }

  /** Commands given so far. */
  get done(): number {
    return this.given;
  }

  /** The end of what was recorded, while the machine is before it. */
  get end(): Moment | undefined {
    return this.stop;
  }

  /** The recorded command that comes next; undefined: none before the end. */
  get next(): Done | undefined {
    return this.commands[this.given];
  }

  /** The command that was given last. */
  get last(): Done | undefined {
    return this.commands[this.given - 1];
  }

  /** The next recorded command was given again. */
  repeated(): void {
    this.given++;
  }

  /** The machine was brought to an earlier moment, or to a later one that was recorded. */
  goTo(moment: Moment, from: Moment): void {
    this.stop ??= from;
    this.given = moment.done;
  }

  /** The machine has come to the end of what was recorded: from here on all is new. */
  reachedEnd(): void {
    this.stop = undefined;
  }

  /** A new command was given. What was recorded after this moment is discarded. @returns whether anything was */
  add(place: Place, command: Command): boolean {
    const { stop } = this;
    const here = { ...place, done: this.given };
    if (stop) {
      this.commands.length = this.given;
      this.stop = undefined;
      this.scribe?.wentBack(here);
    }
    const done = { ...place, command };
    this.commands.push(done);
    this.given++;
    this.scribe?.did(done);
    return stop !== undefined;
  }
}

/** A run that was recorded: its commands in their order, and where it ended. */
export interface Recorded {
  readonly commands: readonly Done[];
  readonly end: Place;
}
