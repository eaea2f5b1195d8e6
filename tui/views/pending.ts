/**
 * What waits for the processors of one domain: one of them in full, the others a line each, the controllers of the
 * board, and event channels. The more room, the more of it: at first what is set, then whole maps, then everything side by side.
 */
import type { LapicSnapshot, X86Snapshot } from '../../engine/index.ts';
import { WHOLE_HEIGHT, wholeMaps, wholeWidth } from '../components/bitmap.ts';
import { ioApicLines, ioApicWants, picLine } from '../components/board.ts';
import { channelLines } from '../components/channels.ts';
import {
  compactMaps,
  extraRows,
  headLine,
  injectionLines,
  mapsOf,
  oneLine,
  type Processor,
  sideLines,
} from '../components/lapic.ts';
import { xenWaitingLines } from '../components/xen-waits.ts';
import { roomOf } from '../geometry.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';
import { isXen, isXenOnX86 } from '../subject.ts';
import { gicLines, listRegisterLines } from './pending-arm.ts';

/** cells that the fields beside whole maps need */
const SIDE = 45;
/** cells that the board beside everything else needs */
const BOARD = 72;
const GAP = 2;
/** lines of a view that is not cramped */
const ROOMY = 12;

interface Area {
  readonly chosen: Processor;
  /** the other processors, in order, starting behind the chosen one */
  readonly others: readonly LapicSnapshot[];
  readonly x86: X86Snapshot;
  readonly width: number;
  readonly height: number;
}

export function pendingLines(session: Session): string[] {
  const { frame, ui, size, paint, glyphs } = session;
  const height = roomOf(frame.snapshot, size, ui.prompt !== null);
  const lines = linesOf(session, height);
  const texts = lines.slice(0, height).map((line) => line.paint(paint, size.columns, glyphs.ellipsis));
  while (texts.length < height) texts.push('');
  return texts;
}

/** lines that event channels get below chips at least; the chips have twice as many. With less room it is one line */
const CHANNELS = 6;

function linesOf(session: Session, height: number): LineBuilder[] {
  const { subject, size, glyphs, vcpu, driver } = session;
  if (isXen(subject)) {
    return isXenOnX86(subject) ? chipLines(session, height) : gicLines(session, subject, height);
  }
  const events = subject.channels.length > 0 ? driver.channels(subject.id) : undefined;
  const channels = (room: number) =>
    events ? channelLines({ domain: subject, events, vcpu, ascii: glyphs.ascii }, size.columns, room) : [];
  if (subject.x86 === undefined && subject.arm === undefined) return channels(height);
  if (!events) return chipsOf(session, height);
  if (height < 3 * CHANNELS) return [...chipsOf(session, height - 1).slice(0, height - 1), ...channels(1)];
  const most = height - 1 - Math.floor(height / 3);
  const chips = chipsOf(session, most).slice(0, most);
  return [...chips, new LineBuilder(), ...channels(height - 1 - chips.length)];
}

function chipsOf(session: Session, height: number): LineBuilder[] {
  const { subject } = session;
  if (!isXen(subject) && subject.arm) return listRegisterLines(session, subject.arm, height);
  return chipLines(session, height);
}

function chipLines(session: Session, height: number): LineBuilder[] {
  const { subject, frame, size, glyphs, vcpu } = session;
  const x86 = (subject as { readonly x86: X86Snapshot }).x86;
  const chosen = { apic: x86.lapics[vcpu]!, subject, x86, cpus: frame.snapshot.cpus, ascii: glyphs.ascii };
  const others = [...x86.lapics.slice(vcpu + 1), ...x86.lapics.slice(0, vcpu)];
  return layout({ chosen, others, x86, width: size.columns, height });
}

function layout(area: Area): LineBuilder[] {
  const { chosen, width, height } = area;
  const maps = wholeWidth(mapsOf(chosen.apic).length);
  const left = maps + GAP + SIDE;
  const head = headLines(area);
  const least = head.length + WHOLE_HEIGHT + 1;
  if (left > width || height < least + Math.min(area.others.length, 2) + 5) return compact(area);
  const board = width - left - GAP;
  if (board < BOARD) return [...head, ...whole(area, maps, height - head.length)];
  const room = height - head.length;
  const beside = boardLines(area, room);
  return [...head, ...zip(full(area, maps, room), beside, left + GAP)];
}

function headLines({ chosen, width, height }: Area): LineBuilder[] {
  return [headLine(chosen, width), ...waitingLines(chosen, width, height < ROOMY ? 1 : 2)];
}

/** What the hypervisor keeps for the processor. */
function waitingLines(chosen: Processor, width: number, most: number): LineBuilder[] {
  const { subject, apic, ascii } = chosen;
  if (!isXenOnX86(subject)) return injectionLines(chosen, width, most);
  return xenWaitingLines(subject, apic.cpu, width, most, ascii);
}

/** What is set, a line each: for small terminals. */
function compact(area: Area): LineBuilder[] {
  const { chosen, others, x86, height } = area;
  const head = headLines(area);
  const pic = x86.pic ? [picLine(x86.pic)] : [];
  const fixed = head.length + 1 + mapsOf(chosen.apic).length + pic.length;
  const [lines, board, extra] = shareOut(height - fixed, [
    { wants: others.length, least: 1 },
    { wants: ioApicWants(x86), least: 3 },
    { wants: extraRows(chosen.apic), least: 0 },
  ]);
  return [
    ...head,
    ...compactMaps(chosen, extra!),
    ...ioApicLines(x86, allPins(x86, height - fixed - lines! - extra!, board!), chosen.ascii),
    ...pic,
    ...otherLines(area, lines!),
  ];
}

/** Lines for the IOAPIC: all its pins where there is room for them, else its share. */
function allPins({ ioapic }: X86Snapshot, room: number, share: number): number {
  const pins = ioapic ? 1 + ioapic.pins.length : 0;
  return room >= pins ? pins : share;
}

/** Whole maps with the fields beside them, the board below. */
function whole(area: Area, maps: number, height: number): LineBuilder[] {
  const { chosen, others, x86 } = area;
  const pic = x86.pic ? [picLine(x86.pic)] : [];
  const room = height - WHOLE_HEIGHT - pic.length;
  const [lines, board] = shareOut(room, [
    { wants: others.length, least: 2 },
    { wants: ioApicWants(x86), least: 3 },
  ]);
  return [
    ...zip(wholeMaps(mapsOf(chosen.apic)), sideLines(chosen, WHOLE_HEIGHT), maps + GAP),
    ...ioApicLines(x86, allPins(x86, room - lines!, board!), chosen.ascii),
    ...pic,
    ...otherLines(area, lines!),
  ];
}

/** Whole maps with all fields beside them, the other processors below: the left of a wide terminal. */
function full(area: Area, maps: number, height: number): LineBuilder[] {
  const narrow = { ...area, width: maps };
  const below = otherLines(narrow, height - WHOLE_HEIGHT - 1);
  const left = [...wholeMaps(mapsOf(area.chosen.apic)), new LineBuilder(), ...below];
  return zip(left, sideLines(area.chosen, height), maps + GAP);
}

function boardLines({ x86, chosen }: Area, height: number): LineBuilder[] {
  const pic = x86.pic ? [new LineBuilder(), picLine(x86.pic)] : [];
  return [...ioApicLines(x86, height - pic.length, chosen.ascii), ...pic];
}

/** The others in at most so many lines. */
function otherLines({ chosen, others, width }: Area, height: number): LineBuilder[] {
  const cut = others.length > height;
  const shown = others.slice(0, cut ? Math.max(0, height - 1) : height);
  const lines = shown.map((apic) => oneLine({ ...chosen, apic }, width));
  if (cut && height > 0) {
    const rest = others.length - shown.length;
    lines.push(new LineBuilder().add(` ${rest} more processors, up and down choose`, 'dim'));
  }
  return lines;
}

interface Claim {
  readonly wants: number;
  /** what it gets before others get more than that */
  readonly least: number;
}

/** Deals out lines: first everybody's least in order, then the rest in the opposite one. */
function shareOut(lines: number, claims: readonly Claim[]): number[] {
  let left = Math.max(0, lines);
  const take = (wanted: number) => {
    const got = Math.min(left, Math.max(0, wanted));
    left -= got;
    return got;
  };
  const shares = claims.map(({ wants, least }) => take(Math.min(wants, least)));
  for (let i = claims.length - 1; i >= 0; i--) shares[i] = shares[i]! + take(claims[i]!.wants - shares[i]!);
  return shares;
}

/** Lines beside each other, the right ones from a column on. */
function zip(left: readonly LineBuilder[], right: readonly LineBuilder[], column: number): LineBuilder[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, i) => {
    const line = new LineBuilder();
    if (left[i]) line.append(left[i].cut(column - 1, ''));
    if (right[i]) line.to(column).append(right[i]);
    return line;
  });
}
