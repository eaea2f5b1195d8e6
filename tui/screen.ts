/** The whole screen as lines of text: exactly as many as the terminal has, whatever is shown. */
import { footerLines } from './components/footer.ts';
import { headerLines, titleLine } from './components/header.ts';
import { truncate } from './format.ts';
import { geometryOf } from './geometry.ts';
import { helpHeight } from './help-text.ts';
import { type Session, type Size, SMALLEST } from './session.ts';
import { helpView } from './views/help.ts';
import { interruptsLines } from './views/interrupts.ts';

export function screenLines(session: Session): string[] {
  const { frame, ui, size, paint, glyphs } = session;
  if (session.tooSmall) return [tooSmallLine(size)];
  const shared = { frame, width: size.columns, paint, glyphs };
  const { devices } = frame.snapshot;
  const middle =
    ui.overlay === 'help'
      ? [titleLine(shared), ...helpView({ ...shared, height: helpHeight(devices, size), top: ui.helpTop })]
      : [...headerLines({ ...shared, cpuLines: geometryOf(size).cpuLines }), ...interruptsLines(session)];
  return [...middle, ...footerLines({ ...shared, devices })];
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
