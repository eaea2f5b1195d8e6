/** The way of the interrupt that was fired last: every hop with its time, and how long it took in all. */
import type { HopSnapshot, JourneySnapshot } from '../../engine/index.ts';
import { displayWidth, duration, grouped, microseconds, padLeft, sanitize } from '../format.ts';
import type { Frame } from '../frame.ts';
import type { Glyphs } from '../glyphs.ts';
import { LineBuilder } from '../line.ts';
import type { Paint } from '../theme.ts';

export interface JourneyProps {
  readonly frame: Frame;
  readonly width: number;
  /** lines of the panel, the rule included */
  readonly height: number;
  /** hops below each other instead of beside */
  readonly tall: boolean;
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

export function journeyLines(props: JourneyProps): string[] {
  const { frame, height } = props;
  const journey = frame.snapshot.lastFired;
  const briefly = journey && { ...journey, hops: journey.hops.filter((hop) => hop.text !== '') };
  const body = briefly ? (props.tall ? column(briefly, props) : row(briefly, props)) : [hint(props)];
  const lines = [rule(journey, props), ...body.slice(0, height - 1)];
  while (lines.length < height) lines.push('');
  return lines;
}

/** `--- last fired: 3 disk --------- 4.1 us to the handler ---` */
function rule(journey: JourneySnapshot | null, { frame, width, paint, glyphs }: JourneyProps): string {
  const line = new LineBuilder();
  const dashes = (n: number) => line.add(glyphs.rule.repeat(Math.max(0, n)), 'dim');
  dashes(3);
  if (!journey) {
    line.add(' nothing fired yet ');
    dashes(width - line.width);
    return line.paint(paint, width, glyphs.ellipsis);
  }
  const device = frame.snapshot.devices.find((d) => d.name === journey.device);
  const times = device && device.fired > 1 ? `, ${grouped(device.fired)} times so far` : '';
  line
    .add(' last fired: ')
    .add(`${device ? `${device.key} ` : ''}${sanitize(journey.device, glyphs.ascii)}`, 'title')
    .add(`${times} `);
  const end = outcome(journey, frame);
  dashes(width - line.width - displayWidth(end) - 5);
  line.add(` ${end} `, journey.latency === null ? 'warn' : 'good');
  dashes(width - line.width);
  return line.paint(paint, width, glyphs.ellipsis);
}

function outcome({ latency, start }: JourneySnapshot, { snapshot, state }: Frame): string {
  if (latency !== null) return `${duration(latency)} to the handler`;
  const so = `under way for ${duration(snapshot.time - start)}`;
  return state === 'paused' ? `${so}: . steps on` : so;
}

function hint({ frame, width, paint, glyphs }: JourneyProps): string {
  const keys = frame.snapshot.devices.map((d) => d.key);
  const which = keys.length > 1 ? `${keys[0]} to ${keys.at(-1)}` : (keys[0] ?? 'nothing');
  return new LineBuilder()
    .add(' press ')
    .add(which, 'key')
    .add(' to fire a device and follow its interrupt hop by hop')
    .paint(paint, width, glyphs.ellipsis);
}

/** A hop with the CPU it is on, if that is news. */
interface Item {
  readonly time: string;
  readonly text: string;
  readonly end: boolean;
  readonly width: number;
}

function itemsOf(hops: readonly HopSnapshot[], ascii: boolean): Item[] {
  return hops.map((hop, i) => {
    const moved = hop.cpu >= 0 && hop.cpu !== hops[i - 1]?.cpu;
    const text = `${moved ? `CPU${hop.cpu} ` : ''}${sanitize(hop.text, ascii)}`;
    const time = microseconds(hop.at);
    return { time, text, end: hop.end, width: displayWidth(time) + 1 + displayWidth(text) };
  });
}

/** Hops beside each other, wrapped; if they do not fit some are left out. */
function row(journey: JourneySnapshot, { width, height, paint, glyphs }: JourneyProps): string[] {
  const items = itemsOf(journey.hops, glyphs.ascii);
  const gap: Item = { time: '', text: glyphs.ellipsis, end: false, width: displayWidth(glyphs.ellipsis) };
  let lines = wrap(items, width - 1);
  for (let less = 1; lines.length > height - 1 && less < items.length - 1; less++) {
    const { from, to } = keptOf(journey.hops, less);
    const kept = [items[0]!, ...(from > 1 ? [gap] : []), ...items.slice(from, to)];
    lines = wrap(to < items.length ? [...kept, gap] : kept, width - 1);
  }
  return lines.map((line, n) => {
    const out = new LineBuilder().add(' ');
    line.forEach((item, i) => {
      if (i > 0 || n > 0) out.add(`${i > 0 ? ' ' : ''}${glyphs.hop} `, 'dim');
      if (item.time !== '') out.add(item.time, 'time').add(' ');
      out.add(item.text, item.end ? 'changed' : undefined);
    });
    return out.paint(paint, width, glyphs.ellipsis);
  });
}

/**
 * Which hops are kept besides the first if so many must go: those after the handler go first, from the end, then those
 * after the first.
 */
function keptOf(hops: readonly HopSnapshot[], less: number): { readonly from: number; readonly to: number } {
  const handler = hops.findLastIndex((hop) => hop.end);
  const after = handler < 0 ? 0 : Math.min(less, hops.length - 1 - handler);
  return { from: 1 + less - after, to: hops.length - after };
}

function wrap(items: readonly Item[], width: number): Item[][] {
  const lines: Item[][] = [[]];
  let used = 0;
  for (const item of items) {
    const needed = item.width + 3;
    if (used > 0 && used + needed > width) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1)!.push(item);
    used += needed;
  }
  return lines;
}

/** Hops below each other: when, what it cost, where, what. */
function column(journey: JourneySnapshot, { width, height, paint, glyphs }: JourneyProps): string[] {
  const { hops } = journey;
  const room = height - 2;
  let from = 1;
  let to = hops.length;
  for (let less = 1; to - from + 1 + Number(from > 1) + Number(to < hops.length) > room; less++) {
    ({ from, to } = keptOf(hops, less));
  }
  const more = (n: number) => lines.push(`          ${glyphs.ellipsis} ${n} more`);
  const head = '      at us     +us   CPU   hop';
  const lines = [new LineBuilder().add(head, 'heading').paint(paint, width, glyphs.ellipsis)];
  const costs = hops.map((hop, i) => hop.at - (hops[i - 1]?.at ?? 0));
  const dearest = Math.max(1, ...costs);
  const longest = Math.max(...hops.map((h) => displayWidth(sanitize(h.text, glyphs.ascii))));
  const bars = Math.min(40, width - 26 - longest - 4);
  hops.forEach((hop, i) => {
    if (i > 0 && i < from) {
      if (i === 1) more(from - 1);
      return;
    }
    if (i >= to) {
      if (i === to) more(hops.length - to);
      return;
    }
    const cost = costs[i]!;
    const line = new LineBuilder()
      .add(padLeft(microseconds(hop.at), 11), 'time')
      .add(i === 0 ? '        ' : padLeft(`+${microseconds(cost)}`, 8))
      .add(padLeft(hop.cpu >= 0 ? String(hop.cpu) : '-', 6))
      .add('   ')
      .add(sanitize(hop.text, glyphs.ascii), hop.end ? 'changed' : undefined);
    if (bars >= 8 && cost > 0) {
      const marks = Math.max(1, Math.round((cost / dearest) * bars));
      line.to(26 + longest + 4).add(glyphs.bar.guest.repeat(marks), 'spark');
    }
    lines.push(line.paint(paint, width, glyphs.ellipsis));
  });
  return lines;
}
