/** -J: JSON lines, a snapshot each; `-g` keeps one domain, or Xen, `-z` the rows that counted. */
import type { DomainSnapshot, Snapshot, XenSnapshot } from '../../engine/index.ts';
import { isXen, isXenOnX86, takenBy } from '../../tui/subject.ts';
import { chosenOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { type Changes, Deltas, type Report } from './report.ts';
import { softirqKey, xenRows } from './xen-rows.ts';

export class JsonReport implements Report {
  private readonly deltas = new Deltas();

  constructor(private readonly options: Options) {}

  begin(before: Snapshot): string {
    this.deltas.begin(before);
    return '';
  }

  update(now: Snapshot): string {
    const { domain, skipZero } = this.options;
    const changes = this.deltas.update(now);
    let { domains, xen } = now;
    if (domain !== undefined) {
      const chosen = chosenOf(now, domain);
      domains = isXen(chosen) ? [] : [chosen];
      xen = isXen(chosen) ? chosen : undefined;
    }
    if (skipZero) {
      domains = domains.map((d) => busy(d, changes));
      xen = xen && busyXen(xen, changes);
    }
    return `${JSON.stringify({ ...now, domains, xen })}\n`;
  }
}

/** The domain with the rows alone that counted; states stay beside their rows. */
function busy(domain: DomainSnapshot, changes: Changes): DomainSnapshot {
  const { interrupts, irqStates } = domain;
  const counted = interrupts.rows.map((row) => changes.of(domain, row.irq) > 0);
  return {
    ...domain,
    interrupts: {
      ...interrupts,
      rows: interrupts.rows.filter((_, i) => counted[i]),
      arch: interrupts.arch.filter((row) => changes.of(domain, row.label) > 0),
    },
    irqStates: irqStates.filter((_, i) => counted[i]),
  };
}

function busyXen(xen: XenSnapshot, changes: Changes): XenSnapshot {
  const counted = new Set(xenRows(xen).flatMap(({ key }) => (changes.of(xen, key) > 0 ? [key] : [])));
  const softirqs = xen.softirqs.filter((s) => counted.has(softirqKey(s.name)));
  const taken = takenBy(xen).map(({ label }) => counted.has(label));
  return isXenOnX86(xen)
    ? { ...xen, vectors: xen.vectors.filter((_, i) => taken[i]), softirqs }
    : { ...xen, irqs: xen.irqs.filter((_, i) => taken[i]), softirqs };
}
