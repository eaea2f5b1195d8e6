/** The line where a filter or a delay is typed. */

import { displayWidth, sanitize } from '../format.ts';
import type { Glyphs } from '../glyphs.ts';
import { LineBuilder } from '../line.ts';
import type { Prompt as PromptState } from '../session.ts';
import type { Paint } from '../theme.ts';

export interface PromptProps {
  readonly prompt: PromptState;
  /** what is wrong with it so far */
  readonly error: string | undefined;
  readonly width: number;
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

export function promptLine({ prompt, error, width, paint, glyphs }: PromptProps): string {
  const isFilter = prompt.kind === 'filter';
  const name = isFilter ? ' filter: ' : ' seconds between frames: ';
  const help = isFilter ? 'Enter keeps, Esc clears' : 'Enter sets, Esc leaves';
  const line = new LineBuilder().add(name, 'key');
  // the end of what is typed stays in sight
  const room = Math.max(8, width - line.width - 2);
  const typed = [...sanitize(prompt.text, glyphs.ascii)];
  while (displayWidth(typed.join('')) > room) typed.shift();
  line.add(typed.join('')).add(' ', 'selected');
  const note = error ? `! ${error}` : help;
  if (line.width + 3 + displayWidth(note) <= width) line.add('   ').add(note, error ? 'warn' : 'dim');
  return line.paint(paint, width, glyphs.ellipsis);
}
