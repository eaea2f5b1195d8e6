/** -b: a block of text for every update, as top prints them. */
import type { DomainSnapshot, IrqRow, IrqState, Snapshot } from '../../engine/index.ts';
import { cpuListText } from '../../tui/cpu-list.ts';
import { isXen, type Subject } from '../../tui/subject.ts';
import { chosenOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { type Column, table } from '../table.ts';
import { printable, UsageError } from '../usage.ts';
import { asShown, type Changes, count, Deltas, perSecond, type Report, secondsText } from './report.ts';
import {
  type ColumnChoice,
  type ColumnName,
  chosenColumns,
  columnChoice,
  type RowChoice,
  rowChoice,
} from './rows.ts';
import { xenBlock } from './xen.ts';

export class TextReport implements Report {
  private readonly deltas = new Deltas();
  private upcalls = 0;
  private first = true;

  private readonly choice: RowChoice;
  private readonly columns: ColumnChoice | undefined;

  constructor(private readonly options: Options) {
    const { output } = options;
    this.choice = rowChoice(options);
    this.columns = output === undefined ? undefined : columnChoice('--output', output);
  }

  begin(before: Snapshot): string {
    this.deltas.begin(before);
    const chosen = chosenOf(before, this.options.domain);
    this.check(chosen);
    this.upcalls = upcallsOf(chosen);
    return '';
  }

  /** @throws UsageError */
  private check(chosen: Subject): void {
    const { output, cpuList } = this.options;
    if (isXen(chosen)) {
      const given = output === undefined ? cpuList && '--cpu-list' : '--output';
      if (given) throw new UsageError(`${given}: goes with the rows of a domain, not of Xen`);
      return;
    }
    const { cpus } = chosen.interrupts;
    const missing = cpuList?.find((cpu) => !cpus.includes(cpu));
    if (missing === undefined) return;
    throw new UsageError(`--cpu-list: ${chosen.name} has CPUs ${cpuListText(cpus)}, not ${missing}`);
  }

  update(now: Snapshot): string {
    const chosen = chosenOf(now, this.options.domain);
    const changes = this.deltas.update(now);
    const text = this.first ? '' : '\n';
    this.first = false;
    if (isXen(chosen)) return text + xenBlock(now, chosen, changes, this.choice);
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
    const { cpuList = cpus } = this.options;
    const names = chosenColumns(hwirqs ? USUAL : USUAL.filter((name) => name !== 'HWIRQ'), this.columns);
    /** their places in a row's counts */
    const shown = cpuList.map((cpu) => cpus.indexOf(cpu)).filter((i) => i >= 0);
    const columns = names.flatMap((name) =>
      name === 'CPU' ? shown.map((i) => ({ ...WIDTHS.CPU, title: `CPU${cpus[i]}` })) : [WIDTHS[name]],
    );
    const out: string[][] = [];
    const add = (key: number | string, counts: readonly number[], words: Words) => {
      const delta = changes.of(domain, key);
      const { CHIP = '', TYPE = '', NAME = '' } = words;
      if (!this.choice({ delta, counts, words: [key, CHIP, TYPE, NAME] })) return;
      const cells: Words = {
        IRQ: String(key),
        TOTAL: String(counts.reduce((sum, n) => sum + n, 0)),
        DELTA: String(delta),
        RATE: perSecond(delta, changes),
        ...words,
      };
      out.push(
        names.flatMap((name) =>
          name === 'CPU'
            ? shown.map((i) => (i < counts.length ? String(asShown(counts[i]!)) : ''))
            : [cells[name] ?? ''],
        ),
      );
    };
    rows.forEach((row, i) => {
      add(row.irq, row.counts, {
        PMA: flags(domain.irqStates[i]),
        CHIP: row.chip,
        HWIRQ: row.hwirq === null ? '-' : String(row.hwirq),
        TYPE: typeOf(row),
        NAME: row.actions.join(', '),
      });
    });
    for (const row of arch) add(row.label, row.counts, { NAME: row.text });
    return table(columns, out);
  }
}

/** Cells by their columns. */
type Words = Partial<Record<ColumnName, string>>;

const USUAL: readonly ColumnName[] = ['IRQ', 'CPU', 'RATE', 'PMA', 'CHIP', 'HWIRQ', 'TYPE', 'NAME'];

const WIDTHS: Readonly<Record<ColumnName, Column>> = {
  IRQ: { title: 'IRQ', right: true, least: 4 },
  CPU: { title: 'CPU', right: true, least: 10 },
  TOTAL: { title: 'TOTAL', right: true, least: 10 },
  DELTA: { title: 'DELTA', right: true, least: 8 },
  RATE: { title: '/s', right: true, least: 8 },
  PMA: { title: 'PMA' },
  CHIP: { title: 'CHIP', least: 10 },
  HWIRQ: { title: 'HWIRQ', right: true },
  TYPE: { title: 'TYPE' },
  NAME: { title: 'NAME' },
};

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
