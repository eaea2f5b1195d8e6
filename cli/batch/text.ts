/** -b: a block of text for every update, as top prints them. */
import type { DomainSnapshot, IrqRow, IrqState, Snapshot } from '../../engine/index.ts';
import { isXen, type Subject } from '../../tui/subject.ts';
import { chosenOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { printable } from '../usage.ts';
import { asShown, type Changes, count, Deltas, perSecond, type Report, secondsText } from './report.ts';
import { type Column, table } from './table.ts';
import { xenBlock } from './xen.ts';

export class TextReport implements Report {
  private readonly deltas = new Deltas();
  private upcalls = 0;
  private first = true;

  constructor(private readonly options: Options) {}

  begin(before: Snapshot): string {
    this.deltas.begin(before);
    this.upcalls = upcallsOf(chosenOf(before, this.options.domain));
    return '';
  }

  update(now: Snapshot): string {
    const chosen = chosenOf(now, this.options.domain);
    const changes = this.deltas.update(now);
    const text = this.first ? '' : '\n';
    this.first = false;
    if (isXen(chosen)) return text + xenBlock(now, chosen, changes, this.options.skipZero ?? false);
    return text + this.header(now, chosen, changes) + this.rows(chosen, changes);
  }

  private header(now: Snapshot, domain: DomainSnapshot, changes: Changes): string {
    const interrupts = domain.interrupts.rows.reduce((n, row) => n + changes.of(domain, row.irq), 0);
    const upcalls = upcallsOf(domain) - this.upcalls;
    this.upcalls += upcalls;
    const rates = [`${perSecond(interrupts, changes)} interrupts/s`];
    if (domain.channels.length > 0) rates.push(`${perSecond(upcalls, changes)} upcalls/s`);
    const names = now.domains.map((d) => d.name);
    const lines = [
      `virqtop - scenario ${now.scenario}, seed ${now.seed}, time ${secondsText(now.time)} s`,
      `Host: ${now.system}${now.ended === undefined ? '' : `, ended: ${now.ended}`}, ${count(now.cpus.length, 'CPU')}, ${count(names.length, 'domain')}: ${names.join(' ')}`,
      `Domain ${domain.name}: ${domain.kind}, ${count(domain.vcpus.length, 'vCPU')}, ${rates.join(', ')}`,
    ];
    return `${lines.map(printable).join('\n')}\n\n`;
  }

  private rows(domain: DomainSnapshot, changes: Changes): string {
    const { cpus, rows, arch } = domain.interrupts;
    const hwirqs = rows.some((row) => row.hwirq !== null);
    const columns: Column[] = [
      { title: 'IRQ', right: true, least: 4 },
      ...cpus.map((cpu) => ({ title: `CPU${cpu}`, right: true, least: 10 })),
      { title: '/s', right: true, least: 8 },
      { title: 'PMA' },
      { title: 'CHIP', least: 10 },
      ...(hwirqs ? [{ title: 'HWIRQ', right: true }] : []),
      { title: 'TYPE' },
      { title: 'NAME' },
    ];
    const out: string[][] = [];
    rows.forEach((row, i) => {
      const delta = changes.of(domain, row.irq);
      if (this.options.skipZero && delta === 0) return;
      out.push([
        String(row.irq),
        ...row.counts.map((n) => String(asShown(n))),
        perSecond(delta, changes),
        flags(domain.irqStates[i]),
        row.chip,
        ...(hwirqs ? [row.hwirq === null ? '-' : String(row.hwirq)] : []),
        typeOf(row),
        row.actions.join(', '),
      ]);
    });
    for (const row of arch) {
      const delta = changes.of(domain, row.label);
      if (this.options.skipZero && delta === 0) continue;
      const blanks = row.single ? cpus.slice(1).map(() => '') : [];
      const numbers = row.counts.map((n) => String(asShown(n)));
      out.push([
        row.label,
        ...numbers,
        ...blanks,
        perSecond(delta, changes),
        '',
        '',
        ...(hwirqs ? [''] : []),
        '',
        row.text,
      ]);
    }
    return table(columns, out);
  }
}

function typeOf(row: IrqRow): string {
  return [row.trigger, row.name].filter((part) => part !== null).join(' ') || '-';
}

/** Pending, masked, active. */
function flags(state: IrqState | undefined): string {
  if (!state) return '...';
  return `${state.pending ? 'P' : '.'}${state.masked ? 'M' : '.'}${state.active ? 'A' : '.'}`;
}

function upcallsOf(domain: Subject): number {
  return isXen(domain) ? 0 : domain.vcpus.reduce((n, v) => n + v.upcalls, 0);
}
