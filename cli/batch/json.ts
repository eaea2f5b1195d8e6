/** -J: JSON lines, a snapshot each; `-g` keeps one domain, or Xen, `-z`, `-t` and `-f` choose rows. */
import type { DomainSnapshot, Snapshot, XenSnapshot } from '../../engine/index.ts';
import { isXen, isXenOnX86, takenBy } from '../../tui/subject.ts';
import { chosenOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { type Changes, Deltas, type Report } from './report.ts';
import { choosesRows, type RowChoice, rowChoice } from './rows.ts';
import { candidateOf, softirqKey, xenRows } from './xen-rows.ts';

export class JsonReport implements Report {
  private readonly deltas = new Deltas();

  constructor(private readonly options: Options) {}

  begin(before: Snapshot): string {
    this.deltas.begin(before);
    return '';
  }

  update(now: Snapshot): string {
    const { domain } = this.options;
    const changes = this.deltas.update(now);
    let { domains, xen } = now;
    if (domain !== undefined) {
      const chosen = chosenOf(now, domain);
      domains = isXen(chosen) ? [] : [chosen];
      xen = isXen(chosen) ? chosen : undefined;
    }
    if (choosesRows(this.options)) {
      const choice = rowChoice(this.options);
      domains = domains.map((d) => chosenRows(d, changes, choice));
      xen = xen && chosenXenRows(xen, changes, choice);
    }
    return `${JSON.stringify({ ...now, domains, xen })}\n`;
  }
}

/** The domain with chosen rows alone; states stay beside their rows. */
function chosenRows(domain: DomainSnapshot, changes: Changes, choice: RowChoice): DomainSnapshot {
  const { interrupts, irqStates } = domain;
  const chosen = interrupts.rows.map(({ irq, counts, chip, trigger, name, actions }) => {
    const words = [irq, chip, trigger, name, ...actions];
    return choice({ delta: changes.of(domain, irq), counts, words });
  });
  return {
    ...domain,
    interrupts: {
      ...interrupts,
      rows: interrupts.rows.filter((_, i) => chosen[i]),
      arch: interrupts.arch.filter(({ label, counts, text }) =>
        choice({ delta: changes.of(domain, label), counts, words: [label, text] }),
      ),
    },
    irqStates: irqStates.filter((_, i) => chosen[i]),
  };
}

function chosenXenRows(xen: XenSnapshot, changes: Changes, choice: RowChoice): XenSnapshot {
  const rows = xenRows(xen).filter((row) => choice(candidateOf(xen, row, changes)));
  const counted = new Set(rows.map(({ key }) => key));
  const softirqs = xen.softirqs.filter((s) => counted.has(softirqKey(s.name)));
  const taken = takenBy(xen).map(({ label }) => counted.has(label));
  return isXenOnX86(xen)
    ? { ...xen, vectors: xen.vectors.filter((_, i) => taken[i]), softirqs }
    : { ...xen, irqs: xen.irqs.filter((_, i) => taken[i]), softirqs };
}
