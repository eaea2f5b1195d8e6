/** What the interrupt hook has recorded, and what recording has cost each CPU. */
import type { HookSnapshot } from '../../engine/index.ts';
import { MAX_CPU_COLUMNS } from '../columns.ts';
import { count, duration, padLeft, rate } from '../format.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';
import { isXenOnX86 } from '../subject.ts';
import { countersLines } from './interrupts.ts';

export function hookLines(session: Session): string[] {
  const { subject, size, paint, glyphs, table } = session;
  if (!isXenOnX86(subject) || !table) return [];
  const { hook } = subject;
  const dressed = (line: LineBuilder) => line.paint(paint, size.columns, glyphs.ellipsis);
  const lines = countersLines(session);
  if (table.all === 0) lines[1] = dressed(hint(hook));
  return [...lines, ...costLines(hook, session).map(dressed)];
}

function hint({ on }: HookSnapshot): LineBuilder {
  if (on) return new LineBuilder().add(' no vector has come yet since the hook is on');
  return new LineBuilder()
    .add(' the hook is off: ')
    .add('H', 'key')
    .add(' records each vector that comes to Xen');
}

const LABEL = 22;
const CELL = 11;

/** Three lines: how often, and by CPU how much so far. */
function costLines({ on, cpus }: HookSnapshot, { frame, size }: Session): LineBuilder[] {
  const { history } = frame;
  const perSecond = (key: string) => cpus.reduce((n, _, cpu) => n + history.rate(`${key} ${cpu}`), 0);
  const apart = cpus.length <= MAX_CPU_COLUMNS && LABEL + (cpus.length + 1) * CELL <= size.columns;
  const row = (
    label: string,
    of: (cpu: HookSnapshot['cpus'][number]) => number,
    text: (n: number) => string,
  ) => {
    const line = new LineBuilder().add(` ${label}`, 'dim').to(LABEL);
    if (apart) for (const cpu of cpus) line.add(padLeft(text(of(cpu)), CELL));
    return line.add(padLeft(text(cpus.reduce((n, cpu) => n + of(cpu), 0)), CELL));
  };
  const head = new LineBuilder().add(' hook ').add(on ? 'on' : 'off', on ? 'warn' : undefined);
  if (on && Number.isFinite(perSecond('hook'))) {
    head.add(` ${rate(perSecond('hook'))}/s`);
  }
  head.to(LABEL);
  if (apart) cpus.forEach((_, cpu) => void head.add(padLeft(`CPU${cpu}`, CELL), 'heading'));
  head.add(padLeft('TOTAL', CELL), 'heading');
  return [
    head,
    row(
      'records',
      (cpu) => cpu.records,
      (n) => count(n, CELL - 1),
    ),
    row('added, interrupts off', (cpu) => cpu.added, duration),
  ];
}
