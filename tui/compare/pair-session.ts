/** One watcher's view of a comparison: whose numbers, how far scrolled, which theme. The keys are the monitor's. */
import { BURST } from '../commands.ts';
import { type Action, bindingOf } from '../keymap.ts';
import type { Size } from '../watched.ts';
import { Watcher, type WatcherOptions, type WatcherUi } from '../watcher.ts';
import type { Contest, PairSubject } from './model.ts';
import type { PairDriver, PairFrame } from './pair-driver.ts';
import { bodyHeight, bodyRows, pairScreen } from './pair-screen.ts';

export interface PairUi extends WatcherUi {
  readonly subject: string;
  /** first row of the table on the screen */
  readonly top: number;
  readonly hideEqual: boolean;
  readonly help: boolean;
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
  theme: (session) => session.nextTheme(),
  help: (session) => session.update({ help: !session.ui.help }),
  clear: (session) => session.update({ help: false }),
  suspend: (session) => session.options.suspend(),
  quit: (session) => session.options.quit(),
};

/** Those whose keys do something here. */
export const PAIR_ACTIONS = Object.keys(ACTS) as readonly Action[];

export class PairSession extends Watcher<PairFrame, PairUi> {
  constructor(
    readonly driver: PairDriver,
    readonly contest: Contest,
    readonly options: WatcherOptions,
  ) {
    const { domains } = driver.get().snapshots[0];
    // what a comparison is most about: the first guest
    const { name: subject } = domains.at(1) ?? domains[0]!;
    super(driver, options, {
      subject,
      top: 0,
      hideEqual: false,
      theme: options.theme,
      help: false,
      notice: '',
    });
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

  override resize(size: Size): void {
    super.resize(size);
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

  turn(direction: 1 | -1): void {
    const { subjects } = this;
    const at = subjects.indexOf(this.subject);
    this.update({ subject: subjects[(at + direction + subjects.length) % subjects.length]!.name, top: 0 });
  }

  scroll(by: number): void {
    const most = Math.max(0, bodyRows(this).length - bodyHeight(this));
    this.update({ top: Math.max(0, Math.min(most, this.ui.top + by)) });
  }
}
