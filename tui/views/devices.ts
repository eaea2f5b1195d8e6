/** What can be fired, and what goes on by itself; below it the books of the selected device. */
import type { Snapshot } from '../../engine/index.ts';
import type { DeviceRow } from '../devices-table.ts';
import { grouped, sanitize } from '../format.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';
import { isXenOnX86, vectorText } from '../subject.ts';
import { countersLines } from './interrupts.ts';

export function devicesLines(session: Session): string[] {
  const { table, size, paint, glyphs } = session;
  const row = table?.rows[table.selected] as DeviceRow | undefined;
  const line = row ? aboutRow(session, row) : new LineBuilder();
  return [...countersLines(session), line.paint(paint, size.columns, glyphs.ellipsis)];
}

/** ` kbd: 12 raised = 10 delivered + 1 coalesced + 1 ignored (masked 1) + 0 pending, in dom0 irq 1` */
function aboutRow({ frame }: Session, row: DeviceRow): LineBuilder {
  const { snapshot } = frame;
  const line = new LineBuilder().add(` ${row.label}`, 'title');
  const { device, source, fates } = row;
  if (source) {
    const first = source.first === null ? 'no pause' : grouped(source.first);
    const now = source.rate === source.first ? '' : `; ${first} ${source.unit} in the scenario`;
    return line.add(`  ${row.what}, ${row.pace}${now}`);
  }
  if (!device || !fates) return line;
  const n = (count: number, what: string) => `${grouped(count)} ${what}`;
  const { raised, delivered, coalesced, ignored, pending } = fates;
  const why = reasons(snapshot, device.sources);
  const sum = [
    n(delivered, 'delivered'),
    n(coalesced, 'coalesced'),
    `${n(ignored, 'ignored')}${why === '' ? '' : ` (${why})`}`,
    n(pending, 'pending'),
  ];
  line.add(`  ${n(raised, 'raised')} = ${sum.join(' + ')}`);
  const rows = endRows(snapshot, row);
  if (rows !== '') line.add(`, in ${rows}`);
  return line;
}

/** Why raises were lost: `masked 3, unbound 1`. */
function reasons({ books }: Snapshot, sources: readonly string[]): string {
  const sums = new Map<string, number>();
  for (const { source, ignored } of books) {
    if (!sources.includes(source)) continue;
    for (const [why, count] of Object.entries(ignored)) sums.set(why, (sums.get(why) ?? 0) + count);
  }
  return [...sums].map(([why, count]) => `${sanitize(why)} ${grouped(count)}`).join(', ');
}

/** `dom0 irq 53 54`; of Xen by vector or INTID. */
function endRows({ domains, xen }: Snapshot, { device }: DeviceRow): string {
  const [first] = device?.ends ?? [];
  if (!first) return '';
  const ofXen = xen?.id === first.domain;
  const name = ofXen ? 'Xen' : domains.find((d) => d.id === first.domain)?.name;
  const number = (irq: number) => (xen && ofXen && isXenOnX86(xen) ? vectorText(irq) : String(irq));
  const numbers = device!.ends.map(({ irq }) => number(irq));
  return `${name} ${ofXen ? '' : 'irq '}${numbers.join(' ')}`;
}
