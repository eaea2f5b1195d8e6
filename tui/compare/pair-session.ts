/** One watcher's view of a comparison: whose numbers, how far scrolled, which theme. The keys are the monitor's. */

import { BURST } from '../commands.ts';
import { duration, speed } from '../format.ts';
import type { Glyphs } from '../glyphs.ts';
import { type Action, bindingOf } from '../keymap.ts';
import { Published } from '../published.ts';
import { type Depth, type Paint, painter, THEMES } from '../theme.ts';
import { type Size, SMALLEST, type Watched } from '../watched.ts';
import type { Contest, PairSubject } from './model.ts';
import type { PairDriver, PairFrame } from './pair-driver.ts';
import { bodyHeight, bodyRows, pairScreen } from './pair-screen.ts';

export interface PairUi {
  readonly subject: string;
  /** first row of the table on the screen */
  readonly top: number;
  readonly hideEqual: boolean;
  readonly theme: string;
  readonly help: boolean;
  /** what the last key has to say, until the next one */
  readonly notice: string;
}

export interface PairState {
  readonly frame: PairFrame;
  readonly ui: PairUi;
  readonly size: Size;
}

export interface PairOptions {
  readonly theme: string;
  readonly depth: Depth;
  readonly glyphs: Glyphs;
  readonly size: Size;
  readonly quit: () => void;
  readonly suspend: () => void;
}

/** What the monitor's keys do here; the others have nothing to do. */
type Acts = Readonly<Partial<Record<Action, (session: PairSession, key: string) => void>>>;

const ACTS: Acts = {
  fire: (session, key) => session.fire(key, 1),
  burst(session) {
    const last = session.frame.journeys[0]?.device;
    if (last === undefined) session.update({ notice: 'nothing was fired yet: press a digit first' });
    else session.fire(last, BURST);
  },
  pause: ({ driver }) => driver.togglePause(),
  step: ({ driver }) => driver.step(),
  slower: (session) => session.changeSpeed(-1),
  faster: (session) => session.changeSpeed(1),
  nextDomain: (session) => session.turn(1),
  previousDomain: (session) => session.turn(-1),
  up: (session) => session.scroll(-1),
  down: (session) => session.scroll(1),
  pageUp: (session) => session.scroll(-session.page),
  pageDown: (session) => session.scroll(session.page),
  first: (session) => session.scroll(Number.NEGATIVE_INFINITY),
  last: (session) => session.scroll(Number.POSITIVE_INFINITY),
  hideIdle: (session) => session.update({ hideEqual: !session.ui.hideEqual, top: 0 }),
  resetRates(session) {
    session.driver.reset();
    session.update({ notice: 'averages begin anew' });
  },
  redrawFaster: (session) => session.redraw(-1),
  redrawSlower: (session) => session.redraw(1),
  theme(session) {
    const at = THEMES.findIndex((t) => t.name === session.ui.theme);
    const next = THEMES[(at + 1) % THEMES.length]!;
    session.update({ theme: next.name, notice: `theme ${next.name}: ${next.about}` });
  },
  help: (session) => session.update({ help: !session.ui.help }),
  clear: (session) => session.update({ help: false }),
  suspend: (session) => session.options.suspend(),
  quit: (session) => session.options.quit(),
};

/** Those whose keys do something here. */
export const PAIR_ACTIONS = Object.keys(ACTS) as readonly Action[];

export class PairSession implements Watched<PairState> {
  private readonly store: Published<PairState>;
  private paintOf: { theme: string; paint: Paint } | undefined;
  private readonly unsubscribe: () => void;

  constructor(
    readonly driver: PairDriver,
    readonly contest: Contest,
    readonly options: PairOptions,
  ) {
    const frame = driver.get();
    // what a comparison is most about: the first guest
    const subject = frame.snapshots[0].domains.at(1) ?? frame.snapshots[0].domains[0]!;
    this.store = new Published({
      frame,
      size: options.size,
      ui: { subject: subject.name, top: 0, hideEqual: false, theme: options.theme, help: false, notice: '' },
    });
    this.unsubscribe = driver.subscribe(() => this.set({ frame: driver.get() }));
  }

  /** For `useSyncExternalStore`: the same object until something changed. */
  readonly get = (): PairState => this.store.get();

  readonly subscribe = (listener: () => void): (() => void) => this.store.subscribe(listener);

  private get state(): PairState {
    return this.store.get();
  }

  close(): void {
    this.unsubscribe();
    this.store.close();
  }

  get frame(): PairFrame {
    return this.state.frame;
  }

  get ui(): PairUi {
    return this.state.ui;
  }

  get terminal(): Size {
    return this.size;
  }

  get size(): Size {
    return this.state.size;
  }

  get glyphs(): Glyphs {
    return this.options.glyphs;
  }

  get tooSmall(): boolean {
    const { columns, rows } = this.state.size;
    return columns < SMALLEST.columns || rows < SMALLEST.rows;
  }

  get paint(): Paint {
    const { theme } = this.ui;
    if (this.paintOf?.theme !== theme) {
      const found = THEMES.find((t) => t.name === theme) ?? THEMES[0]!;
      this.paintOf = { theme, paint: painter(found, this.options.depth) };
    }
    return this.paintOf.paint;
  }

  get subjects(): readonly PairSubject[] {
    return this.frame.comparison.subjects;
  }

  /** Whose numbers are on the screen. */
  get subject(): PairSubject {
    return this.subjects.find((s) => s.name === this.ui.subject) ?? this.subjects[0]!;
  }

  /** The whole screen. */
  lines(): string[] {
    return pairScreen(this);
  }

  get page(): number {
    return Math.max(1, bodyHeight(this) - 1);
  }

  update(ui: Partial<PairUi>): void {
    this.set({ ui: { ...this.ui, ...ui } });
  }

  resize(size: Size): void {
    this.set({ size });
    this.scroll(0);
  }

  /** A key was pressed. */
  press(key: string): void {
    this.store.atOnce(() => {
      if (this.ui.notice !== '') this.update({ notice: '' });
      const binding = bindingOf(key);
      if (!binding) return;
      const act = ACTS[binding.action];
      if (act) act(this, key);
      else this.update({ notice: `${binding.label} does nothing in a comparison` });
    });
  }

  fire(device: string, times: number): void {
    const [a, b] = this.driver.do({ do: 'fire', device, times });
    const sides = [
      [a, 'A'],
      [b, 'B'],
    ] as const;
    const refused = sides.flatMap(([outcome, side]) =>
      outcome.refused === undefined ? [] : [`${side}: ${outcome.refused}`],
    );
    if (refused.length > 0) this.update({ notice: refused.join('; ') });
  }

  changeSpeed(direction: 1 | -1): void {
    this.driver.faster(direction);
    this.update({ notice: `speed ${speed(this.driver.get().speed)}` });
  }

  redraw(direction: 1 | -1): void {
    this.driver.slower(direction);
    this.update({ notice: `a frame every ${duration(this.driver.get().delay * 1e9)}` });
  }

  turn(direction: 1 | -1): void {
    const { subjects } = this;
    const at = subjects.indexOf(this.subject);
    this.update({ subject: subjects[(at + direction + subjects.length) % subjects.length]!.name, top: 0 });
  }

  scroll(by: number): void {
    const most = Math.max(0, bodyRows(this).length - bodyHeight(this));
    this.update({ top: Math.max(0, Math.min(most, this.ui.top + by)) });
  }

  private set(change: Partial<PairState>): void {
    this.store.set({ ...this.state, ...change });
  }
}
