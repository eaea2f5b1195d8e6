/** The log of trace records, or on Xen x86 that of the interrupt hook. */
import { grouped } from '../format.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';
import { hookLines } from './hook.ts';
import { countersLines } from './interrupts.ts';

export function eventsLines(session: Session): string[] {
  if (session.tableName === 'hook') return hookLines(session);
  const { size, paint, glyphs } = session;
  return [...countersLines(session), stateLine(session).paint(paint, size.columns, glyphs.ellipsis)];
}

/** Does the log go on, and what does it hold? */
function stateLine({ log, table, frame, following }: Session): LineBuilder {
  const line = new LineBuilder().add(' ');
  if (!following) {
    line
      .add('held', 'warn')
      .add(`, ${grouped(log.newer)} newer records: `)
      .add('End', 'key')
      .add(' follows again');
  } else if (frame.state === 'paused') {
    line
      .add('paused', 'warn')
      .add(': ')
      .add('.', 'key')
      .add(' next event, ')
      .add('n', 'key')
      .add(' next interrupt');
  } else line.add('follows', 'good').add(', a row up holds it');
  const chosen = table?.rows[table.selected]?.journey ?? 0;
  if (chosen !== 0) line.add('   ').add('Enter', 'key').add(` path of #${chosen}`);
  return line;
}
