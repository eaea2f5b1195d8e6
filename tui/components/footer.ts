/** The bottom of the screen: what can be fired, and the keys that matter most. */
import type { DeviceSnapshot } from '../../engine/index.ts';
import { displayWidth, sanitize } from '../format.ts';
import type { Glyphs } from '../glyphs.ts';
import { type Action, KEYMAP } from '../keymap.ts';
import { fitSegments, LineBuilder } from '../line.ts';
import type { Paint } from '../theme.ts';

export interface FooterProps {
  readonly devices: readonly DeviceSnapshot[];
  /** keys of actions that have no effect here are not worth their place */
  readonly without?: readonly Action[];
  readonly width: number;
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

/** Beside the fire keys there must be room for the dearest of the others. */
const ROOM_FOR_KEYS = 31;

function fireWidth(devices: readonly DeviceSnapshot[]): number {
  return devices.reduce((n, d) => n + 1 + displayWidth(d.key) + 1 + displayWidth(sanitize(d.name)) + 1, 0);
}

/** One line, or two where fire keys and the others do not fit beside each other. */
export function footerHeight(devices: readonly DeviceSnapshot[], width: number): 1 | 2 {
  return fireWidth(devices) + ROOM_FOR_KEYS <= width ? 1 : 2;
}

export function footerLines({ devices, without = [], width, paint, glyphs }: FooterProps): string[] {
  const fire = new LineBuilder();
  for (const { key, name } of devices) {
    fire
      .add(' ')
      .add(key, 'key')
      .add(` ${sanitize(name, glyphs.ascii)} `);
  }
  if (footerHeight(devices, width) === 1) {
    addKeys(fire.add('  '), without, width);
    return [fire.paint(paint, width, glyphs.ellipsis)];
  }
  const keys = new LineBuilder();
  addKeys(keys, without, width);
  return [fire.paint(paint, width, glyphs.ellipsis), keys.paint(paint, width, glyphs.ellipsis)];
}

function addKeys(line: LineBuilder, without: readonly Action[], width: number): void {
  const items = KEYMAP.flatMap(({ footer, action }) => (footer && !without.includes(action) ? [footer] : []));
  const segments = items.map(({ key, word, keep }) => ({ text: `${key} ${word}`, keep }));
  const kept = new Set(fitSegments(segments, width - line.width - 2, 2).map((s) => s.text));
  for (const { key, word } of items) {
    if (kept.has(`${key} ${word}`)) line.add(' ').add(key, 'key').add(` ${word} `);
  }
}
