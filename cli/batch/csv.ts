/** --csv: a line for every interrupt of every update (RFC 4180, the first line names the fields). */
import type { Snapshot } from '../../engine/index.ts';
import { cpusOf, isXen, type Subject, subjectsOf } from '../../tui/subject.ts';
import { chosenOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { printable } from '../usage.ts';
import { asShown, Deltas, type Report, secondsText } from './report.ts';
import { type RowChoice, rowChoice } from './rows.ts';
import { xenRows } from './xen-rows.ts';

const FIELDS = [
  'scenario',
  'seed',
  'time',
  'domain',
  'irq',
  'chip',
  'type',
  'name',
  'delta',
  'rate',
  'total',
];

export class CsvReport implements Report {
  private readonly deltas = new Deltas();
  private cpus = 0;

  private readonly choice: RowChoice;

  constructor(private readonly options: Options) {
    this.choice = rowChoice(options);
  }

  begin(before: Snapshot): string {
    this.deltas.begin(before);
    const shown = this.shown(before);
    this.cpus = Math.max(...shown.map((d) => (isXen(d) ? cpusOf(d) : d.interrupts.cpus.length)));
    return line([...FIELDS, ...Array.from({ length: this.cpus }, (_, i) => `cpu${i}`)]);
  }

  update(now: Snapshot): string {
    const changes = this.deltas.update(now);
    let text = '';
    for (const domain of this.shown(now)) {
      const row = (id: number | string, counts: readonly number[], what: readonly string[]) => {
        const delta = changes.of(domain, id);
        if (!this.choice({ delta, counts, words: [id, ...what] })) return;
        const rate = changes.seconds > 0 ? delta / changes.seconds : 0;
        text += line([
          now.scenario,
          String(now.seed),
          secondsText(now.time),
          domain.name,
          String(id),
          ...what,
          String(delta),
          rate.toFixed(3),
          String(counts.reduce((sum, n) => sum + n, 0)),
          ...Array.from({ length: this.cpus }, (_, i) =>
            i < counts.length ? String(asShown(counts[i]!)) : '',
          ),
        ]);
      };
      if (isXen(domain)) {
        for (const r of xenRows(domain)) row(r.key, r.counts, [r.what, '', r.owner]);
        continue;
      }
      for (const r of domain.interrupts.rows) {
        row(r.irq, r.counts, [r.chip, r.name ?? r.trigger ?? '', r.actions.join(' ')]);
      }
      for (const r of domain.interrupts.arch) row(r.label, r.counts, ['', '', r.text]);
    }
    return text;
  }

  /** One domain, or Xen, if -g names it, else all. */
  private shown(snapshot: Snapshot): readonly Subject[] {
    const { domain } = this.options;
    if (domain !== undefined) return [chosenOf(snapshot, domain)];
    return subjectsOf(snapshot);
  }
}

function line(fields: readonly string[]): string {
  return `${fields.map(field).join(',')}\n`;
}

function field(text: string): string {
  const safe = printable(text);
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
