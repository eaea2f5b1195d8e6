/** The whole screen as lines of text: exactly as many as the terminal has, whatever is shown. */
import { captionLines } from './components/caption.ts';
import { domainLine } from './components/domain-line.ts';
import { footerLines } from './components/footer.ts';
import { headerLines, titleLine } from './components/header.ts';
import { journeyLines } from './components/journey.ts';
import { promptLine } from './components/prompt.ts';
import { dumpsOf } from './dump.ts';
import { truncate } from './format.ts';
import { geometryOf } from './geometry.ts';
import type { Action } from './keymap.ts';
import { overlayContent } from './overlay.ts';
import type { Session } from './session.ts';
import { isXen, isXenOnX86 } from './subject.ts';
import { devicesLines } from './views/devices.ts';
import { eventsLines } from './views/events.ts';
import { exitsLines } from './views/exits.ts';
import { hostLines } from './views/host.ts';
import { interruptsLines } from './views/interrupts.ts';
import { latencyLines } from './views/latency.ts';
import { overlayLines } from './views/overlay.ts';
import { pathLines } from './views/path.ts';
import { pendingLines } from './views/pending.ts';
import type { ViewName } from './views.ts';
import { type Size, SMALLEST } from './watched.ts';

/** What stands between the domains' line and the journey. */
const BODIES: Readonly<Record<ViewName, (session: Session) => string[]>> = {
  interrupts: interruptsLines,
  pending: pendingLines,
  exits: exitsLines,
  path: pathLines,
  latency: latencyLines,
  events: eventsLines,
  devices: devicesLines,
  host: hostLines,
};

/** Keys that have no effect in a view are not worth their place in its footer. */
const WITHOUT: Readonly<Record<ViewName, readonly Action[]>> = {
  interrupts: ['earlier', 'pace'],
  pending: ['earlier', 'path', 'sort', 'filter', 'raise', 'mask', 'affinity', 'pace'],
  exits: ['earlier', 'path', 'raise', 'mask', 'affinity', 'pace'],
  path: ['details', 'path', 'sort', 'filter', 'raise', 'mask', 'affinity', 'pace'],
  latency: ['earlier', 'details', 'pace'],
  events: ['earlier', 'details', 'sort', 'raise', 'mask', 'affinity', 'pace'],
  devices: ['earlier', 'path', 'mask', 'affinity'],
  host: ['earlier', 'path', 'raise', 'mask', 'affinity', 'pace'],
};

/** Nor is the hook beside anybody but Xen, whose own rows have a path and no more. */
function withoutOf({ view, subject, ui }: Session): readonly Action[] {
  const rest: Action[] = isXen(subject) && view.table?.(subject, ui) === 'xen' ? ['details'] : [];
  if (!isXenOnX86(subject)) rest.push('hook');
  return [...WITHOUT[view.name], ...rest];
}

export function screenLines(session: Session): string[] {
  const { frame, size, paint, glyphs } = session;
  if (session.tooSmall) return [tooSmallLine(session.terminal)];
  const shared = { frame, width: size.columns, paint, glyphs };
  const { devices } = frame.snapshot;
  const over = overlayContent(session);
  const middle = over ? [titleLine(shared), ...overlayLines(session, over)] : viewLines(session);
  const caption = session.director ? captionLines({ ...shared, ...session.director.caption }) : [];
  return [...middle, ...caption, ...footerLines({ ...shared, devices, without: withoutOf(session) })];
}

/** From the top to the footer: the view with what is always around it. */
function viewLines(session: Session): string[] {
  const { frame, ui, size, paint, glyphs, table } = session;
  const shared = { frame, width: size.columns, paint, glyphs };
  const { cpuLines, journeyLines: height, tallJourney: tall } = geometryOf(size);
  return [
    ...headerLines({ ...shared, cpuLines }),
    domainLine(session),
    ...BODIES[session.view.name](session),
    ...(session.view.name === 'path' ? [] : journeyLines({ ...shared, height, tall })),
    ...(ui.prompt
      ? [promptLine({ ...shared, prompt: ui.prompt, dumps: dumpsOf(session), error: table?.error })]
      : []),
  ];
}

export function tooSmallLine({ columns, rows }: Size): string {
  const needs = `needs ${SMALLEST.columns}x${SMALLEST.rows}`;
  const is = `${columns}x${rows}`;
  const wordings = [
    `virqtop ${needs}, this terminal is ${is}: make it larger, or q quits`,
    `virqtop ${needs}, this is ${is}`,
    `${needs}, is ${is}`,
    needs,
  ];
  return truncate(wordings.find((w) => w.length <= columns) ?? needs, columns, '');
}
