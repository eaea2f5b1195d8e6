/** The overlay: over everything between the top line and the keys. */
import { sanitize } from '../format.ts';
import { LineBuilder } from '../line.ts';
import { type OverlayContent, overlayRoom } from '../overlay.ts';
import type { Session } from '../session.ts';

/** Its title, a blank, and as many of its lines as there is room for. */
export function overlayLines(session: Session, { title, lines: all }: OverlayContent): string[] {
  const { size, paint, glyphs, ui } = session;
  const room = overlayRoom(session);
  const start = Math.min(ui.overlayTop, Math.max(0, all.length - room));
  if (ui.notice !== '') title.add(`   ${sanitize(ui.notice, glyphs.ascii)}`, 'warn');
  if (all.length > room) {
    const end = Math.min(all.length, start + room);
    title.add(`   lines ${start + 1} to ${end} of ${all.length}, up and down scroll`, 'dim');
  }
  const lines = [title, new LineBuilder(), ...all.slice(start, start + room)];
  const texts = lines.map((line) => line.paint(paint, size.columns, glyphs.ellipsis));
  while (texts.length < room + 2) texts.push('');
  return texts;
}
