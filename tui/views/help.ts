/** The help overlay: over everything between the top line and the keys. */
import type { Frame } from '../frame.ts';
import type { Glyphs } from '../glyphs.ts';
import { helpBlocks, helpLines, helpRoom } from '../help-text.ts';
import { LineBuilder } from '../line.ts';
import type { Paint } from '../theme.ts';

export interface HelpProps {
  readonly frame: Frame;
  readonly width: number;
  readonly height: number;
  /** first line shown */
  readonly top: number;
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

/** Exactly `height` lines. */
export function helpView({ frame, width, height, top, paint, glyphs }: HelpProps): string[] {
  const all = helpLines(helpBlocks(frame.snapshot.devices, glyphs), width, glyphs.ellipsis);
  const room = helpRoom(height);
  const start = Math.min(top, Math.max(0, all.length - room));
  const title = new LineBuilder().add(' Keys of virqtop', 'title').add('   Esc or ? closes', 'dim');
  if (all.length > room) {
    const end = Math.min(all.length, start + room);
    title.add(`   lines ${start + 1} to ${end} of ${all.length}, up and down scroll`, 'dim');
  }
  const lines = [title, new LineBuilder(), ...all.slice(start, start + room)];
  const texts = lines.map((line) => line.paint(paint, width, glyphs.ellipsis));
  while (texts.length < height) texts.push('');
  return texts;
}
