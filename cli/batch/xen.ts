/** -b -g Xen: what Xen itself has taken and run on each CPU, and what it holds. */
import type { PendingEoiSnapshot, Snapshot, XenSnapshot, XenX86Snapshot } from '../../engine/index.ts';
import { cpusOf, isXenOnX86 } from '../../tui/subject.ts';
import { type Column, table } from '../table.ts';
import { printable } from '../usage.ts';
import { gicTables } from './gic.ts';
import { asShown, type Changes, count, perSecond, secondsText } from './report.ts';
import type { RowChoice } from './rows.ts';
import { candidateOf, type XenRow, xenRows } from './xen-rows.ts';

export function xenBlock(now: Snapshot, xen: XenSnapshot, changes: Changes, choice: RowChoice): string {
  const rows = xenRows(xen);
  const of = (kind: XenRow['kind']) =>
    rows.filter((row) => row.kind === kind && choice(candidateOf(xen, row, changes)));
  const onX86 = isXenOnX86(xen);
  const label = onX86 ? 'VECTOR' : 'INTID';
  const parts = [
    header(now, xen, changes, rows),
    counters(label, of('interrupt'), xen, changes, [{ title: 'WHAT' }, { title: 'OWNER' }]),
    counters('SOFTIRQ', of('softirq'), xen, changes, []),
    ...(onX86 ? [stacks(xen), brakes(xen)] : gicTables(xen)),
  ];
  return parts.join('\n');
}

function header(now: Snapshot, xen: XenSnapshot, changes: Changes, rows: readonly XenRow[]): string {
  const interrupts = rows.filter((row) => row.kind === 'interrupt');
  const rate = perSecond(
    interrupts.reduce((n, row) => n + changes.of(xen, row.key), 0),
    changes,
  );
  const { sent, skipped } = xen.eventChecks;
  const names = now.domains.map((d) => d.name);
  const lines = [
    `virqtop - scenario ${now.scenario}, seed ${now.seed}, time ${secondsText(now.time)} s`,
    `Host: ${now.system}${now.ended === undefined ? '' : `, ended: ${now.ended}`}, ${count(now.cpus.length, 'CPU')}, ${count(names.length, 'domain')}: ${names.join(' ')}`,
    `Xen: ${xen.kind}, ${rate} interrupts/s, event checks ${sent} sent${isXenOnX86(xen) ? `, ${skipped} saved by mwait` : ''}`,
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function counters(
  title: string,
  rows: readonly XenRow[],
  xen: XenSnapshot,
  changes: Changes,
  more: readonly Column[],
): string {
  const columns: Column[] = [
    { title, least: 7 },
    ...Array.from({ length: cpusOf(xen) }, (_, cpu) => ({ title: `CPU${cpu}`, right: true, least: 10 })),
    { title: '/s', right: true, least: 8 },
    ...more,
  ];
  return table(
    columns,
    rows.map(({ label, key, counts, what, owner }) => [
      label,
      ...counts.map((n) => String(asShown(n))),
      perSecond(changes.of(xen, key), changes),
      ...(more.length > 0 ? [what, owner] : []),
    ]),
  );
}

/** A line for each CPU, its stack from the bottom up. */
function stacks(xen: XenX86Snapshot): string {
  const rows = xen.pendingEoi.map((stack, cpu) => [`CPU${cpu}`, stack.map(entry).join(', ') || '-']);
  return table([{ title: 'PENDING EOI' }, { title: 'FROM THE BOTTOM UP' }], rows);
}

/** What holds back, or ends, interrupts; and which now. */
function brakes(xen: XenX86Snapshot): string {
  const columns = [{ title: 'BRAKE' }, { title: 'COUNT', right: true, least: 10 }, { title: 'NOW' }];
  return table(
    columns,
    xen.brakes.map(({ name, count, irqs }) => [
      name,
      String(count),
      irqs.map((irq) => `irq ${irq}`).join(', ') || '-',
    ]),
  );
}

function entry({ irq, vector, ready }: PendingEoiSnapshot): string {
  return `0x${vector.toString(16)} irq ${irq}${ready ? ' ready' : ''}`;
}
