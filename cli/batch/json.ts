/** -J: JSON lines, a snapshot each; `-g` keeps one domain, `-z` the rows that counted. */
import type { DomainSnapshot, Snapshot } from '../../engine/index.ts';
import { domainOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { type Changes, Deltas, type Report } from './report.ts';

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
    let domains = domain === undefined ? now.domains : [domainOf(now, domain)];
    if (skipZero) domains = domains.map((d) => busy(d, changes));
    return `${JSON.stringify({ ...now, domains })}\n`;
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
