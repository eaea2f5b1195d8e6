/** Makes frames of the machine as it is, keeps their history, and tells who is subscribed. */
import type { Snapshot } from '../engine/index.ts';
import { feed } from './feed.ts';
import type { Frame } from './frame.ts';
import { History } from './history.ts';
import type { JourneyWatch } from './journey-watch.ts';
import { Published } from './published.ts';
import type { Sights } from './sights.ts';
import type { Travel } from './travel.ts';
import type { Walk } from './walk.ts';

/** What a frame tells of the driver. */
export type Circumstances = Pick<Frame, 'state' | 'speed' | 'achieved' | 'delay' | 'past'> & {
  /** nothing will ever happen again */
  readonly over: boolean;
};

export class Publisher {
  readonly history = new History();
  private readonly frames: Published<Frame>;
  /** the snapshot that was seen last: what differs from it has changed */
  private seen: Snapshot;

  constructor(
    private readonly sights: Sights,
    private readonly journeys: JourneyWatch,
    private readonly travel: Travel,
    private readonly walk: Walk,
    private readonly about: () => Circumstances,
  ) {
    this.seen = this.look();
    this.remember(0);
    this.frames = new Published(this.makeFrame(this.seen, this.seen, 1));
  }

  /** The same object until something was published. */
  readonly get = (): Frame => this.frames.get();

  readonly subscribe = (listener: () => void): (() => void) => this.frames.subscribe(listener);

  private get frame(): Frame {
    return this.frames.get();
  }

  /** A moment is seen; what changes from here on is new. @param watched real ms by now */
  show(watched: number): void {
    const base = this.seen;
    this.seen = this.look();
    if (this.travel.beforeLast) this.lookBack();
    else this.remember(watched);
    this.emit(this.makeFrame(this.seen, base));
  }

  /** Publishes without moving the history on. Of a machine on its way to another moment nothing is shown. */
  publish(): void {
    if (this.travel.goal) this.restate();
    else this.emit(this.makeFrame(this.look(), this.frame.base));
  }

  /** The machine is as it was: what is new is what the driver does. */
  restate(): void {
    const { frame } = this;
    this.emit({ ...frame, ...this.about(), number: frame.number + 1 });
  }

  /** Another moment of the same event: what differs from the one before it has changed. */
  showRecord(): void {
    this.emit(this.makeFrame(this.look(), this.frame.snapshot));
  }

  /** What changes from here on is new. */
  pass(): void {
    this.seen = this.look();
  }

  /** Rates and sparklines begin anew. */
  reset(watched: number): void {
    this.history.reset();
    this.seen = this.look();
    this.remember(watched);
    this.emit(this.makeFrame(this.seen, this.seen));
  }

  /** The history is to end here, before something else is done than was recorded. */
  prepareToForget(): void {
    if (!this.travel.beforeLast) return;
    this.seen = this.look();
    this.lookBack();
  }

  /** The history goes on by what is seen now. */
  private remember(watched: number): void {
    const { history, seen, travel } = this;
    history.sample(seen.time, watched);
    feed(history, seen);
    travel.saw(history.position);
  }

  /** The history shows what it was like then. */
  private lookBack(): void {
    const { history, seen, travel } = this;
    history.lookAt(seen.time, travel.watchedHere);
    feed(history, seen);
  }

  private look(): Snapshot {
    return this.sights.snapshot(this.journeys.journey);
  }

  private makeFrame(snapshot: Snapshot, base: Snapshot, number = this.frame.number + 1): Frame {
    const { over, ...about } = this.about();
    const { journeys } = this.journeys;
    const ended = over || snapshot.ended !== undefined;
    return {
      number,
      snapshot,
      journeys,
      base,
      history: this.history,
      inside: this.walk.place,
      ...about,
      ended,
    };
  }

  private emit(frame: Frame): void {
    this.frames.set(frame);
  }
}
