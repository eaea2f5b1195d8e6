/** What a demo says, above the bottom line: a rule with its name, and a few lines of text. */
import { displayWidth, sanitize, truncate, wrap } from '../format.ts';
import type { Glyphs } from '../glyphs.ts';
import { LineBuilder } from '../line.ts';
import type { Paint } from '../theme.ts';

export interface CaptionProps {
  readonly title: string;
  readonly text: string;
  /** at the end of the rule; may be empty */
  readonly hint: string;
  /** lines of it all, the rule included */
  readonly height: number;
  readonly width: number;
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

/** Longer lines are hard to read. */
const WIDEST = 100;

export function captionLines({ title, text, hint, height, width, paint, glyphs }: CaptionProps): string[] {
  const end = hint === '' ? '' : ` ${sanitize(hint, glyphs.ascii)} `;
  const name = truncate(sanitize(title, glyphs.ascii), width - displayWidth(end) - 10, glyphs.ellipsis);
  const rule = new LineBuilder().add(glyphs.rule.repeat(3), 'dim').add(` ${name} `, 'title');
  const dashes = width - rule.width - displayWidth(end) - (end === '' ? 0 : 3);
  rule.add(glyphs.rule.repeat(Math.max(0, dashes)), 'dim');
  if (end !== '') rule.add(end, 'key').add(glyphs.rule.repeat(3), 'dim');
  const lines = [rule.paint(paint, width, glyphs.ellipsis)];
  const said = captionText(text, width);
  for (let i = 0; i < height - 1; i++) {
    const cut = i === height - 2 && said.length > height - 1 ? ` ${glyphs.ellipsis}` : '';
    const line = new LineBuilder().add(` ${sanitize(said[i] ?? '', glyphs.ascii)}${cut}`);
    lines.push(line.paint(paint, width, glyphs.ellipsis));
  }
  return lines;
}

/** What is said, in lines that fit beside a margin. */
export function captionText(text: string, width: number): string[] {
  return wrap(text, Math.min(WIDEST, width - 2));
}
