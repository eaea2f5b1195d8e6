/**
 * Runs a machine against the watcher's time and publishes what there is to see. No React here.
 *
 * The machine advances in slices of a few milliseconds, so that keys are answered in between; commands
 * therefore always take effect between two events. A frame is published once per delay, at once after a
 * command, and more often while the interrupt that was fired last is still under way.
 *
 * Time goes both ways: who goes back sees the machine as it was, and what was recorded from there on comes
 * again until something else is done.
 */
import type { Command, EventChannelsSnapshot, Machine, Outcome, Place } from '../engine/index.ts';
import { Beat, type Host } from './beat.ts';
import { Course, type Goal } from './course.ts';
import type { Cue, Frame, RunState, ScriptedFire } from './frame.ts';
import type { History } from './history.ts';
import { Journal, type Recorded, type Scribe } from './journal.ts';
import { JourneyWatch } from './journey-watch.ts';
import { Pace } from './pace.ts';
import { type Circumstances, Publisher } from './publisher.ts';
import { Sights } from './sights.ts';
import { Slices } from './slices.ts';
import { FASTEST } from './speeds.ts';
import { Travel } from './travel.ts';
import { Walk } from './walk.ts';

export interface DriverOptions {
  readonly speed?: number | undefined;
  readonly delay?: number | undefined;
  readonly fires?: readonly ScriptedFire[] | undefined;
  /** what a script does beside that */
  readonly cues?: readonly Cue[] | undefined;
  /** an earlier run of this machine, which is repeated before anything new */
  readonly recorded?: Recorded | undefined;
  /** writes down what is done */
  readonly scribe?: Scribe | undefined;
  readonly onError?: ((error: Error) => void) | undefined;
}

export class Driver {
  /** what counters did */
  readonly history: History;
  /** For `useSyncExternalStore`: the same object until something was published. */
  readonly get: () => Frame;
  readonly subscribe: (listener: () => void) => () => void;
  private readonly journal: Journal;
  private readonly journey: JourneyWatch;
  private readonly course: Course;
  private readonly travel: Travel;
  private readonly walk: Walk;
  private readonly sights: Sights;
  private readonly slices: Slices;
  private readonly pace: Pace;
  private readonly beat: Beat;
  private readonly publisher: Publisher;
  private state: RunState = 'paused';
  /** seeking: is it there? */
  private found: () => boolean = () => true;
  /** real ms that the machine ran, and that were new */
  private watched = 0;

  constructor(
    readonly machine: Machine,
    private readonly host: Host,
    private readonly options: DriverOptions = {},
  ) {
    const { fires = [], cues = [], recorded, scribe, speed = 1, delay = 1 } = options;
    const now = () => host.now();
    const script = [...fires.map(cueOf), ...cues];
    this.journal = new Journal(recorded, scribe);
    this.walk = new Walk(machine);
    this.sights = new Sights(machine, this.walk);
    this.journey = new JourneyWatch(
      machine,
      () => this.journal.done,
      () => this.sights.written,
    );
    this.course = new Course(machine, this.journal, this.journey, now, script, (cue) => this.follow(cue));
    this.slices = new Slices(host, this.course, this.journal);
    this.travel = new Travel(machine, this.course, this.journal, now);
    this.pace = new Pace(machine.clock, speed);
    this.beat = new Beat(host, this.pace, () => this.slice(), delay);
    this.publisher = new Publisher(
      this.sights,
      this.journey,
      this.travel,
      this.walk,
      () => this.circumstances,
    );
    this.history = this.publisher.history;
    this.get = this.publisher.get;
    this.subscribe = this.publisher.subscribe;
  }

  /** Lets time run. */
  run(): void {
    if (this.state === 'running') return;
    this.arrive();
    this.leaveEvent();
    this.state = 'running';
    this.beat.start();
    this.publisher.restate();
  }

  pause(): void {
    this.halt();
    this.show();
  }

  togglePause(): void {
    if (this.state === 'paused' || this.travel.goal) this.run();
    else this.pause();
  }

  /** Stops time without a word: the terminal is away, or the monitor ends. The answer lets it go on. */
  suspend(): () => void {
    const { state } = this;
    this.beat.stop();
    this.state = 'paused';
    return () => {
      if (this.travel.goal) this.goOn();
      else if (state === 'running') this.run();
    };
  }

  /** One event, then pause. */
  step(): void {
    this.halt();
    this.guard(() => {
      this.begin();
      this.course.step(Number.POSITIVE_INFINITY);
    });
    this.show();
  }

  /** One trace record on: the next of the last event, or the first of another. Then pause. */
  stepRecord(): void {
    if (this.moveRecord(1)) return;
    this.halt();
    this.guard(() => {
      this.begin();
      this.walk.through(() => this.course.step(Number.POSITIVE_INFINITY));
    });
    this.show();
  }

  /** One record back. @returns whether the last event has it */
  stepBackRecord(): boolean {
    return this.moveRecord(-1);
  }

  private moveRecord(by: 1 | -1): boolean {
    const moved = this.walk.move(by);
    if (moved) this.publisher.showRecord();
    return moved;
  }

  /** Whoever was inside of an event stands at its end. */
  leaveEvent(): void {
    if (!this.walk.moment) return;
    this.walk.leave();
    this.publish();
  }

  /** To the next hop of an interrupt that is followed, then pause; one event where none is under way. */
  stepHop(): void {
    this.arrive();
    this.leaveEvent();
    const { journey } = this;
    journey.settle(Infinity);
    if (!journey.active) {
      this.step();
      return;
    }
    this.halt();
    journey.changed();
    this.found = () => {
      journey.settle(Infinity);
      return journey.changed() || !journey.active;
    };
    this.state = 'seeking';
    this.slice();
  }

  /** As fast as possible until an interrupt was taken, then pause. */
  seek(): void {
    this.halt();
    const { platform } = this.machine;
    const before = platform.totals().interrupts;
    this.found = () => platform.totals().interrupts !== before;
    this.state = 'seeking';
    this.beat.schedule(0);
    this.publish();
  }

  /** Back to the moment that was seen before, or forth again. @returns whether there is one */
  scrub(direction: 1 | -1): boolean {
    const { travel, beat, pace } = this;
    if (this.state !== 'paused' && !travel.goal) this.pause();
    const frame = Math.round(beat.delay * 1e9 * Math.min(FASTEST, pace.speed));
    const to = direction < 0 ? travel.before() : travel.after(frame);
    if (to) this.go(to);
    return to !== undefined;
  }

  /** To the end of what was recorded. @returns whether this is in the past */
  toEnd(): boolean {
    const { end } = this.journal;
    if (end) this.go(end);
    return end !== undefined;
  }

  /** One event or command back. @returns whether there is one */
  stepBack(): boolean {
    if (this.state !== 'paused' && !this.travel.goal) this.pause();
    this.arrive();
    const to = this.travel.back();
    if (to) this.go(to);
    return to !== undefined;
  }

  /** To just before the event that ran when so many had run. */
  backBefore(events: number): void {
    this.halt();
    const { at, done } = this.course.here;
    this.go({ events: events - 1, at, done, soon: true });
  }

  /** Where what was recorded ends: here, or ahead. */
  get end(): Place {
    return this.journal.end ?? this.machine.place;
  }

  /** How many events had run at each hop of a way that is kept. */
  eventsOf(journey: number): readonly number[] | undefined {
    return this.journey.eventsOf(journey);
  }

  setSpeed(speed: number): void {
    this.beat.setSpeed(speed);
    this.publish();
  }

  /** One step up or down the list of speeds. */
  faster(direction: 1 | -1): void {
    this.beat.faster(direction);
    this.publish();
  }

  setDelay(seconds: number): void {
    this.beat.setDelay(seconds);
    this.publish();
  }

  /** One step up or down the list of delays. */
  slower(direction: 1 | -1): void {
    this.beat.slower(direction);
    this.publish();
  }

  /** Does something to the machine; what came of it so far is on the next frame, which is published at once. */
  do(command: Command): Outcome {
    this.arrive();
    const outcome = this.guard(() => {
      this.begin();
      const done = this.perform(command);
      if (this.state === 'running') this.advance(this.pace.target(this.host.now()));
      return done;
    });
    if (this.state === 'paused') this.show();
    else this.publish();
    return outcome ?? { refused: 'the machine has failed' };
  }

  /** Who looks closer has to be there first. */
  look(): Sights {
    this.arrive();
    return this.sights;
  }

  /** The event channels of a domain; undefined: it has none. */
  channels(domain: number): EventChannelsSnapshot | undefined {
    return this.sights.channels(domain);
  }

  /** Rates and sparklines begin anew. @returns false: not in the past */
  resetRates(): boolean {
    this.arrive();
    if (this.travel.beforeLast) return false;
    this.publisher.reset(this.watched);
    return true;
  }

  private slice(): void {
    const start = this.host.now();
    const kept = this.guard(() => {
      this.begin();
      return this.travel.goal
        ? this.travelSlice()
        : this.state === 'seeking'
          ? this.seekSlice()
          : this.runSlice();
    });
    if (!this.travel.goal) this.guard(() => this.travel.ran(this.host.now() - start));
    if (this.state !== 'paused') this.beat.goOn(kept === true);
  }

  /** @returns whether the machine kept up with real time */
  private runSlice(): boolean {
    const { journey } = this;
    const { now, kept, due } = this.beat.run((target, passed) => {
      if (!this.travel.beforeLast) this.watched += passed;
      return this.advance(target);
    });
    if (due) {
      this.show();
    } else if (journey.active) {
      if (journey.changed()) this.publish();
      journey.settle(now);
    }
    return kept;
  }

  /** @returns whether it was found */
  private seekSlice(): boolean {
    const go = this.slices.begin();
    while (go()) {
      const more = this.course.step(Number.POSITIVE_INFINITY);
      if (this.state === 'paused') return true;
      if (!more || this.found()) {
        this.pause();
        return true;
      }
    }
    return false;
  }

  /** @returns whether it is where it was sent */
  private travelSlice(): boolean {
    if (!this.proceed(this.slices.begin())) return false;
    this.pause();
    return true;
  }

  /** Runs to a moment unless a slice's time is up first; false if it was. */
  private advance(target: number): boolean {
    return this.slices.runTo(target, () => this.show());
  }

  /** All that is done to the machine from outside while it is watched comes by here. */
  private perform(command: Command): Outcome {
    const { travel, history, publisher } = this;
    publisher.prepareToForget();
    return this.course.perform(command, (here) => {
      history.forgetLater();
      travel.forget(here);
    });
  }

  /** The script sets the pace. */
  private follow({ speed, pause }: Cue): void {
    if (pause || speed !== undefined) this.slices.cutShort();
    if (speed !== undefined) this.setSpeed(speed);
    if (pause) this.pause();
  }

  /** Before the first event the first checkpoint is left. */
  private begin(): void {
    this.walk.leave();
    this.travel.ran(0);
  }

  private go(to: Goal): void {
    this.guard(() => {
      this.begin();
      this.travel.setOut(to);
    });
    this.goOn();
  }

  private goOn(): void {
    this.state = 'seeking';
    this.beat.schedule(0);
    this.publish();
  }

  /** Who wants to do something has to be there first. */
  private arrive(): void {
    if (!this.travel.goal) return;
    this.guard(() => this.proceed(() => true));
    this.pause();
  }

  private proceed(go: () => boolean): boolean {
    return this.travel.proceed(go, () => this.publisher.pass());
  }

  /** Time stands still. If it was on its way to a moment, it is there. */
  private halt(): void {
    this.arrive();
    this.beat.stop();
    this.state = 'paused';
  }

  /** Publishes a moment that is seen. */
  private show(): void {
    this.publisher.show(this.watched);
  }

  /** Publishes without moving the history on. */
  private publish(): void {
    this.publisher.publish();
  }

  private get circumstances(): Circumstances {
    const { state, journal, course, travel, pace } = this;
    const { delay } = this.beat;
    const { speed, achieved } = pace;
    const place = travel.goal ?? course.here;
    const { end } = journal;
    const past = end ? { ns: end.at - place.at, events: end.events - place.events } : null;
    return { state, speed, achieved, delay, past, over: course.over };
  }

  /** An error of the machine ends the run. */
  private guard<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.beat.stop();
      this.state = 'paused';
      this.travel.stay();
      this.options.onError?.(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }
}

function cueOf({ at, device, times }: ScriptedFire): Cue {
  return { at, commands: [{ do: 'fire', device, times }] };
}
