/**
 * Runs a machine against the watcher's time and publishes what there is to see. No React here.
 *
 * The machine advances in slices of a few milliseconds, so that keys are answered in between; commands
 * therefore always take effect between two events. A frame is published once per delay, at once after a
 * command, and more often while the interrupt that was fired last is still under way.
 */
import {
  type Command,
  type EventLog,
  type EventQuery,
  type JourneySnapshot,
  type Machine,
  type Outcome,
  type Passage,
  pastJourney,
  pastJourneys,
  recentEvents,
  type Snapshot,
  takeSnapshot,
  type XenSnapshot,
} from '../engine/index.ts';
import { exitKey } from './exits-table.ts';
import {
  type Cue,
  DELAYS,
  type Frame,
  type RunState,
  rowKey,
  type ScriptedFire,
  SPEEDS,
  stepThrough,
} from './frame.ts';
import { History } from './history.ts';
import { JourneyWatch } from './journey-watch.ts';
import { latencyCounts } from './latency-table.ts';
import { isXenOnX86, subjectsOf } from './subject.ts';
import { sum } from './table-model.ts';
import { xenCounts } from './xen-table.ts';

/** Real time and timers; tests bring their own. */
export interface Host {
  /** milliseconds, never going back */
  now(): number;
  /** Calls back after so many milliseconds, 0: as soon as input was looked at. The answer cancels it. */
  after(ms: number, callback: () => void): () => void;
}

export interface DriverOptions {
  readonly speed?: number | undefined;
  readonly delay?: number | undefined;
  readonly fires?: readonly ScriptedFire[] | undefined;
  /** what a script does beside that */
  readonly cues?: readonly Cue[] | undefined;
  readonly onError?: ((error: Error) => void) | undefined;
}

const MIN_DELAY = 0.05;
const MAX_DELAY = 3600;
/** real ms that a slice may take before input is looked at */
const BUDGET = 10;
/** real ms between slices when the machine keeps up */
const PERIOD = 20;
/** after a longer standstill simulated time does not try to catch up */
const STALL = 250;
/** events between two looks at the real clock */
const STRIDE = 64;

export class Driver {
  readonly history = new History();
  private readonly listeners = new Set<() => void>();
  private readonly journey: JourneyWatch;
  /** what is still to come, by time */
  private readonly cues: Cue[];
  private frame: Frame;
  /** the snapshot that the history was fed with last */
  private sampled: Snapshot;
  private state: RunState = 'paused';
  /** seeking: is it there? */
  private found: () => boolean = () => true;
  private speed: number;
  private delay: number;
  private achieved = Number.NaN;
  private cancel: (() => void) | undefined;
  /** where simulated and real time met last */
  private anchor = { sim: 0, real: 0 };
  private lastSlice = 0;
  /** real ms that the machine ran */
  private watched = 0;
  private tick = { due: 0, sim: 0, watched: 0 };

  constructor(
    readonly machine: Machine,
    private readonly host: Host,
    private readonly options: DriverOptions = {},
  ) {
    this.speed = options.speed ?? 1;
    this.delay = options.delay ?? 1;
    const fires = (options.fires ?? []).map(cueOf);
    this.cues = [...fires, ...(options.cues ?? [])].sort((a, b) => a.at - b.at);
    this.journey = new JourneyWatch(machine);
    this.sampled = this.look();
    this.history.sample(this.sampled.time, 0);
    this.feed(this.sampled);
    this.frame = this.makeFrame(this.sampled, this.sampled, 1);
  }

  /** For `useSyncExternalStore`: the same object until something was published. */
  readonly get = (): Frame => this.frame;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Lets time run. */
  run(): void {
    if (this.state === 'running') return;
    this.state = 'running';
    const now = this.host.now();
    this.meet(now);
    this.lastSlice = now;
    this.tick = { due: now + this.delay * 1000, sim: this.machine.clock.now, watched: this.watched };
    this.schedule(0);
    this.publish();
  }

  pause(): void {
    this.halt();
    this.sample();
  }

  togglePause(): void {
    if (this.state === 'paused') this.run();
    else this.pause();
  }

  /** Stops time without a word: the terminal is away, or the monitor ends. The answer lets it go on. */
  suspend(): () => void {
    const { state } = this;
    this.halt();
    return () => {
      if (state === 'running') this.run();
    };
  }

  /** One event, then pause. */
  step(): void {
    this.halt();
    this.guard(() => {
      if (!this.cueDue(this.machine.clock.next)) this.event();
    });
    this.sample();
  }

  /** To the next hop of an interrupt that is followed, then pause; one event where none is under way. */
  stepHop(): void {
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
    this.schedule(0);
    this.publish();
  }

  setSpeed(speed: number): void {
    this.speed = speed;
    this.achieved = Number.NaN;
    this.meet(this.host.now());
    this.publish();
  }

  /** One step up or down the list of speeds. */
  faster(direction: 1 | -1): void {
    this.setSpeed(stepThrough(SPEEDS, this.speed, direction));
  }

  setDelay(seconds: number): void {
    this.delay = Math.min(MAX_DELAY, Math.max(MIN_DELAY, seconds));
    this.tick.due = Math.min(this.tick.due, this.host.now() + this.delay * 1000);
    this.publish();
  }

  /** One step up or down the list of delays. */
  slower(direction: 1 | -1): void {
    this.setDelay(stepThrough(DELAYS, this.delay, direction));
  }

  /** Does something to the machine; what came of it so far is on the next frame, which is published at once. */
  do(command: Command): Outcome {
    const outcome = this.guard(() => {
      const done = this.perform(command);
      if (this.state === 'running') this.advance(this.target(this.host.now()));
      return done;
    });
    if (this.state === 'paused') this.sample();
    else this.publish();
    return outcome ?? { refused: 'the machine has failed' };
  }

  /** Interrupts that came to a handler's row, or by a vector, as far as the trace goes back, oldest first. */
  past(by: Passage, name: string): JourneySnapshot[] {
    return pastJourneys(this.machine, by, name);
  }

  /** One interrupt; null if the trace has lost it. */
  pastOne(journey: number, name: string): JourneySnapshot | null {
    return pastJourney(this.machine, journey, name);
  }

  /** The last records of the trace, in words. */
  events(query: EventQuery): EventLog {
    return recentEvents(this.machine, query);
  }

  /** Rates and sparklines begin anew. */
  resetRates(): void {
    this.history.reset();
    this.sampled = this.look();
    this.history.sample(this.sampled.time, this.watched);
    this.feed(this.sampled);
    this.emit(this.makeFrame(this.sampled, this.sampled));
  }

  private readonly slice = (): void => {
    this.cancel = undefined;
    const kept = this.guard(() => (this.state === 'seeking' ? this.seekSlice() : this.runSlice()));
    if (this.state === 'paused') return;
    const wait = kept ? Math.min(PERIOD, this.tick.due - this.host.now()) : 0;
    this.schedule(Math.max(0, wait));
  };

  /** @returns whether the machine kept up with real time */
  private runSlice(): boolean {
    const now = this.host.now();
    if (now - this.lastSlice > STALL) this.meet(now - STALL);
    this.watched += Math.min(now - this.lastSlice, STALL);
    this.lastSlice = now;
    const kept = this.advance(this.target(now));
    if (!kept) this.meet(this.host.now());
    if (now >= this.tick.due) {
      this.onTick(now);
    } else if (this.journey.active) {
      if (this.journey.changed()) this.publish();
      this.journey.settle(now);
    }
    return kept;
  }

  /** @returns whether it was found */
  private seekSlice(): boolean {
    const { machine, host } = this;
    const deadline = host.now() + BUDGET;
    for (let n = 1; n % STRIDE !== 0 || host.now() < deadline; n++) {
      const more = this.cueDue(machine.clock.next) || this.event();
      if (this.state === 'paused') return true;
      if (!more || this.found()) {
        this.pause();
        return true;
      }
    }
    return false;
  }

  /** One event, and what it did to the journeys that are followed; false when nothing is queued. */
  private event(): boolean {
    const { machine, journey } = this;
    if (!machine.step()) return false;
    if (journey.active) journey.look();
    return true;
  }

  /** Runs to a moment unless a slice's time is up first; false if it was. */
  private advance(target: number): boolean {
    const { machine, host } = this;
    const { clock } = machine;
    const deadline = host.now() + BUDGET;
    for (let n = 1; ; n++) {
      const { next } = clock;
      const cue = this.cueDue(Math.min(next, target));
      if (cue?.pause || cue?.speed !== undefined) return true;
      if (!cue) {
        if (next > target || next === Number.POSITIVE_INFINITY) break;
        this.event();
      }
      if (n % STRIDE === 0 && host.now() >= deadline) return false;
    }
    if (target !== Number.POSITIVE_INFINITY) machine.runUntil(target);
    return true;
  }

  /** Does what the script has next if that is due before `limit`; everything earlier has run. */
  private cueDue(limit: number): Cue | undefined {
    const cue = this.cues[0];
    if (!cue || cue.at >= limit) return undefined;
    this.cues.shift();
    this.machine.runUntil(cue.at);
    for (const command of cue.commands) this.perform(command);
    if (cue.speed !== undefined) this.setSpeed(cue.speed);
    if (cue.pause) this.pause();
    return cue;
  }

  /** All that is ever done to the machine from outside comes by here. */
  private perform(command: Command): Outcome {
    const outcome = this.machine.do(command);
    this.journey.fired(this.host.now());
    return outcome;
  }

  /** The simulated time that it should be by now. */
  private target(now: number): number {
    if (this.speed === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return Math.floor(this.anchor.sim + (now - this.anchor.real) * 1e6 * this.speed);
  }

  private meet(real: number): void {
    this.anchor = { sim: this.machine.clock.now, real };
  }

  private onTick(now: number): void {
    const { watched, delay } = this;
    const sim = this.machine.clock.now;
    if (watched > this.tick.watched)
      this.achieved = (sim - this.tick.sim) / (watched - this.tick.watched) / 1e6;
    this.tick = { due: Math.max(this.tick.due, now - delay * 500) + delay * 1000, sim, watched };
    this.sample();
  }

  private halt(): void {
    this.cancel?.();
    this.cancel = undefined;
    this.state = 'paused';
  }

  private schedule(ms: number): void {
    this.cancel?.();
    this.cancel = this.host.after(ms, this.slice);
  }

  /** Feeds the history and publishes; what changes from here on is new. */
  private sample(): void {
    const base = this.sampled;
    this.sampled = this.look();
    this.history.sample(this.sampled.time, this.watched);
    this.feed(this.sampled);
    this.emit(this.makeFrame(this.sampled, base));
  }

  /** Publishes without moving the history on. */
  private publish(): void {
    this.emit(this.makeFrame(this.look(), this.frame.base));
  }

  private look(): Snapshot {
    return takeSnapshot(this.machine, this.journey.journey);
  }

  private makeFrame(snapshot: Snapshot, base: Snapshot, number = this.frame.number + 1): Frame {
    const { history, state, speed, achieved, delay } = this;
    const over = this.cues.length === 0 && this.machine.clock.next === Number.POSITIVE_INFINITY;
    const ended = over || snapshot.ended !== undefined;
    const { journeys } = this.journey;
    return { number, snapshot, journeys, base, history, state, speed, achieved, delay, ended };
  }

  private emit(frame: Frame): void {
    this.frame = frame;
    for (const listener of [...this.listeners]) listener();
  }

  private feed(snapshot: Snapshot): void {
    const { history } = this;
    history.count('interrupts', snapshot.totals.interrupts);
    history.count('upcalls', snapshot.totals.exits ?? snapshot.totals.upcalls);
    for (const cpu of snapshot.cpus) {
      history.count(`guest ${cpu.cpu}`, cpu.guestNs);
      history.count(`xen ${cpu.cpu}`, cpu.xenNs);
    }
    for (const { name, interrupts, exits } of snapshot.domains) {
      for (const row of interrupts.rows) history.count(rowKey(name, row.irq), sum(row.counts));
      for (const row of interrupts.arch) history.count(rowKey(name, row.label), sum(row.counts));
      for (const row of exits?.rows ?? []) history.count(exitKey(name, row.reason), sum(row.counts));
    }
    for (const subject of subjectsOf(snapshot))
      for (const [key, [n]] of latencyCounts(subject)) history.count(key, n!);
    if (snapshot.xen) this.feedXen(snapshot.xen);
  }

  private feedXen(xen: XenSnapshot): void {
    const { history } = this;
    for (const [key, counts] of xenCounts(xen)) history.count(key, sum(counts));
    if (!isXenOnX86(xen)) return;
    xen.hook.cpus.forEach(({ records, added }, cpu) => {
      history.count(`hook ${cpu}`, records);
      history.count(`hook added ${cpu}`, added);
    });
  }

  /** An error of the machine ends the run. */
  private guard<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.halt();
      this.options.onError?.(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }
}

function cueOf({ at, device, times }: ScriptedFire): Cue {
  return { at, commands: [{ do: 'fire', device, times }] };
}
