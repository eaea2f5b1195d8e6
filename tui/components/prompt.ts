/** The line where a filter, a delay or the letter of a dump is typed. */

import type { Dump } from '../dump.ts';
import { displayWidth, sanitize } from '../format.ts';
import type { Glyphs } from '../glyphs.ts';
import { LineBuilder } from '../line.ts';
import type { Prompt as PromptState } from '../session.ts';
import type { Paint } from '../theme.ts';

export interface PromptProps {
  readonly prompt: PromptState;
  /** what there is to be dumped */
  readonly dumps: readonly Dump[];
  /** what is wrong with it so far */
  readonly error: string | undefined;
  readonly width: number;
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

export function promptLine({ prompt, dumps, error, width, paint, glyphs }: PromptProps): string {
  if (prompt.kind === 'dump') return dumpLine(dumps, width).paint(paint, width, glyphs.ellipsis);
  const name = ` ${asked(prompt, glyphs)}: `;
  const help = prompt.kind === 'filter' ? 'Enter keeps, Esc clears' : 'Enter sets, Esc leaves';
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

function asked({ kind, domain = '', irq, source = '' }: PromptState, { ascii }: Glyphs): string {
  switch (kind) {
    case 'filter':
      return 'filter';
    case 'affinity':
      return `CPUs of ${sanitize(domain, ascii)} irq ${irq}, as 0-1,3`;
    case 'rate':
      return `${sanitize(source, ascii)}, how many a second`;
    default:
      return 'seconds between frames';
  }
}

/** ` dump: e event channels  i interrupts ...`, or the letters alone where room is short. */
function dumpLine(dumps: readonly Dump[], width: number): LineBuilder {
  const write = (told: boolean) => {
    const line = new LineBuilder().add(' dump: ', 'key');
    for (const { key, about } of dumps) line.add(key, 'key').add(told ? ` ${about}  ` : ' ');
    return line.add(' Esc leaves', 'dim');
  };
  const long = write(true);
  return long.width <= width ? long : write(false);
}
