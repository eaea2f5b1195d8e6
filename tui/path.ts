/**
 * Which interrupt the path view follows, how much of its way it shows, and which hop is looked at. While paused a way
 * is revealed hop by hop, as several may happen in one event.
 */
import type { HopSnapshot, JourneySnapshot, Passage } from '../engine/index.ts';
import type { Driver } from './driver.ts';
import type { Session } from './session.ts';
import { isXenOnX86, vectorText } from './subject.ts';
import type { ViewName } from './views.ts';

/** What was chosen; without a choice it is what was fired last. */
export type PathChoice =
  | { readonly kind: 'fired'; readonly journey: number }
  | {
      readonly kind: 'row';
      /** a handler's row, or a vector of Xen's; null: one interrupt alone, out of the log */
      readonly by: Passage | null;
      /** as the title calls it */
      readonly name: string;
      /** the last interrupts of the row when they were looked up */
      readonly list: readonly JourneySnapshot[];
      readonly at: number;
    };

export interface PathUi {
  readonly choice: PathChoice | null;
  /** index of the hop that is looked at; null: the last one */
  readonly hop: number | null;
  /** hops that are revealed while paused; null: all */
  readonly shown: number | null;
  /** the view to go back to */
  readonly from: ViewName;
}

export const FIRST_PATH: PathUi = { choice: null, hop: null, shown: null, from: 'interrupts' };

/** The journey on the screen, as far as it is revealed. */
export interface PathModel {
  readonly journey: JourneySnapshot;
  readonly hops: readonly HopSnapshot[];
  /** its handler has run, and is revealed */
  readonly over: boolean;
  /** the hop that is looked at */
  readonly selected: number;
  /** it was chosen by the user */
  readonly pinned: boolean;
}

export function pathModel({ frame, ui }: Session): PathModel | null {
  const { path } = ui;
  const journey = chosen(path.choice, frame.journeys) ?? frame.snapshot.lastFired;
  if (!journey || journey.hops.length === 0) return null;
  const shown = frame.state === 'running' || path.shown === null ? journey.hops.length : path.shown;
  const hops = revealed(journey.hops, Math.max(1, shown));
  const last = hops.length - 1;
  return {
    journey,
    hops,
    over: hops.some((hop) => hop.end),
    selected: path.hop === null ? last : Math.max(0, Math.min(last, path.hop)),
    pinned: path.hop !== null,
  };
}

/** The first hops; of the time to one that is not among them nothing is told. */
function revealed(hops: readonly HopSnapshot[], shown: number): readonly HopSnapshot[] {
  if (shown >= hops.length) return hops;
  const seen = hops.slice(0, shown);
  return seen.map((hop, i) => {
    const known = seen.some((h, k) => k > i && (hop.cpu < 0 || h.cpu === hop.cpu));
    return known ? hop : { ...hop, next: null };
  });
}

function chosen(choice: PathChoice | null, fired: readonly JourneySnapshot[]): JourneySnapshot | undefined {
  if (choice?.kind === 'row') return choice.list[choice.at];
  return fired.find((j) => j.journey === choice?.journey);
}

/** Something was fired: it is followed, from its first hop on if time stands still. */
export function followFired(session: Session): void {
  const shown = session.frame.state === 'paused' ? 1 : null;
  updatePath(session, { choice: null, hop: null, shown });
}

/** Of another moment all hops are shown that had happened by then. */
export function showAllHops(session: Session): void {
  if (session.ui.path.shown !== null) updatePath(session, { hop: null, shown: null });
}

/** One hop on: one that has happened and is not revealed yet, or the next to happen. */
export function stepPath(session: Session): void {
  const { driver, frame, ui } = session;
  const { choice } = ui.path;
  const model = pathModel(session);
  const under = model && model.journey.journey === frame.snapshot.lastFired?.journey;
  if (!model || choice?.kind === 'row' || !under) {
    driver.step();
    return;
  }
  const next = model.hops.length + 1;
  const revealed = frame.state === 'paused' && next <= model.journey.hops.length;
  updatePath(session, { hop: null, shown: next });
  if (!revealed) driver.stepHop();
}

/** One hop back: one that is revealed is hidden, and where an event has brought more than one it stays undone. */
export function stepBackPath(session: Session): void {
  const { driver } = session;
  if (driver.get().state !== 'paused') driver.pause();
  const model = pathModel(session);
  const { choice } = session.ui.path;
  const shown = model?.hops.length ?? 0;
  const events = model && choice?.kind !== 'row' ? driver.eventsOf(model.journey.journey) : undefined;
  if (!events || shown < 2 || shown > events.length) {
    updatePath(session, { hop: null, shown: null });
    if (!driver.stepBack()) session.update({ notice: 'nothing was before this' });
    return;
  }
  updatePath(session, { hop: null, shown: shown - 1 });
  // what is still shown has happened by then
  const needed = Math.max(...events.slice(0, shown - 1));
  if (events[shown - 1]! > needed) driver.backBefore(events[shown - 1]!);
}

/** The interrupt of the same source before or after. */
export function neighbourPath(session: Session, direction: 1 | -1): void {
  const { frame, ui } = session;
  const { choice } = ui.path;
  if (choice?.kind === 'row') neighbourOfRow(session, choice, direction);
  else {
    const now = pathModel(session)?.journey;
    const same = frame.journeys.filter((j) => j.device === now?.device);
    const next = same[same.findIndex((j) => j.journey === now?.journey) + direction];
    if (!next) session.update({ notice: direction > 0 ? 'that is the last one' : 'that is the first one' });
    else {
      const newest = next.journey === frame.snapshot.lastFired?.journey;
      const fired: PathChoice | null = newest ? null : { kind: 'fired', journey: next.journey };
      updatePath(session, { choice: fired, hop: null, shown: null });
    }
  }
}

function neighbourOfRow(
  session: Session,
  choice: Extract<PathChoice, { kind: 'row' }>,
  direction: 1 | -1,
): void {
  const at = choice.at + direction;
  if (choice.list[at]) {
    updatePath(session, { choice: { ...choice, at }, hop: null });
    return;
  }
  if (!choice.by) {
    session.update({ notice: 'Events has opened this one alone: its row in Interrupts knows the others' });
    return;
  }
  // later ones may have come since
  const { journey } = choice.list[choice.at]!;
  const list = direction > 0 ? session.driver.look().past(choice.by, choice.name) : [];
  const later = list.findIndex((j) => j.journey > journey);
  if (later >= 0) updatePath(session, { choice: { ...choice, list, at: later }, hop: null });
  else session.update({ notice: direction > 0 ? 'that is the last one' : 'none before it is known' });
}

/** The path of the selected row's last interrupt, or of the one that a line of the event log tells of. */
export function openPath(session: Session): void {
  const found = selectedPath(session);
  if (typeof found === 'string') session.update({ notice: found });
  else {
    const path = {
      choice: { kind: 'row' as const, ...found },
      hop: null,
      shown: null,
      from: session.view.name,
    };
    session.update({ view: 'path', overlay: null, path });
  }
}

type Found = Omit<Extract<PathChoice, { kind: 'row' }>, 'kind'>;

/** What Enter would follow; a text: why nothing. */
function selectedPath({ driver, subject, table }: Session): Found | string {
  const { follow: by, label, journey } = table?.rows[table.selected] ?? {};
  if (!by && journey !== undefined) return loggedPath(driver, journey);
  if (!by) return 'Enter follows an interrupt: choose its row first';
  const what = 'vector' in by && isXenOnX86(subject) ? vectorText(by.vector) : label;
  const name = `${subject.name}:${what}`;
  if (journey === 0) return 'no raise stands behind it: it has no path';
  const list = driver.look().past(by, name);
  const at = journey === undefined ? list.length - 1 : list.findIndex((j) => j.journey === journey);
  if (at >= 0) return { by, name, list, at };
  const one = journey === undefined ? null : driver.look().pastOne(journey, name);
  if (one) return { by, name, list: [one], at: 0 };
  return 'vector' in by
    ? `no raise behind vector ${what} lately`
    : `no interrupt ${what} of ${subject.name} lately`;
}

/** The interrupt that a record of the log belongs to, named by its raise. */
function loggedPath(driver: Driver, journey: number): Found | string {
  if (journey === 0) return 'no raise stands behind it: it has no path';
  const one = driver.look().pastOne(journey, '');
  const raise = one?.hops[0];
  if (!one || !raise) return `the trace has lost #${journey} meanwhile: pause first`;
  const device = raise.text || `${raise.name} ${raise.detail}`;
  return { by: null, name: device, list: [{ ...one, device }], at: 0 };
}

/** Back to where Enter was pressed. */
export function leavePath(session: Session): void {
  session.update({ view: session.ui.path.from });
}

/** Looks at another hop; the last one is followed again. */
export function moveHop(session: Session, by: number): void {
  const model = pathModel(session);
  if (!model) return;
  const last = model.hops.length - 1;
  const hop = Math.max(0, Math.min(last, model.selected + by));
  updatePath(session, { hop: hop === last ? null : hop });
}

function updatePath(session: Session, change: Partial<PathUi>): void {
  session.update({ path: { ...session.ui.path, ...change } });
}
