/** What waits in Xen: on each CPU the interrupts of guests without their EOI, and the softirqs that are raised. */
import type { PendingEoiSnapshot, XenX86Snapshot } from '../../engine/index.ts';
import { grouped, sanitize } from '../format.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';
import { vectorText } from '../subject.ts';

/**
 * ` pending EOI  CPU1 0xa0 irq 24, 0x51 irq 16 ready  irq_ratelimit 123 now irq 7`: the stacks that are not empty, their tops
 * first, and the brakes that have been used, in a line.
 */
export function stacksLine({ size, paint, glyphs }: Session, xen: XenX86Snapshot): string {
  const line = new LineBuilder().add(' pending EOI ', 'dim');
  xen.pendingEoi.forEach((stack, cpu) => {
    if (stack.length > 0)
      line
        .add(` CPU${cpu} `)
        .add([...stack].reverse().map(briefly).join(', '), 'warn')
        .add(' ');
  });
  if (xen.pendingEoi.every((stack) => stack.length === 0)) line.add(' none', 'dim');
  for (const { name, count, irqs } of xen.brakes) {
    if (count === 0) continue;
    line.add(`  ${name} `, 'dim').add(grouped(count));
    if (irqs.length > 0) line.add(` now irq ${irqs.join(', ')}`, 'warn');
  }
  return line.paint(paint, size.columns, glyphs.ellipsis);
}

function briefly({ irq, vector, ready }: PendingEoiSnapshot): string {
  return `${vectorText(vector)} irq ${irq}${ready ? ' ready' : ''}`;
}

/**
 * Of one CPU: the softirqs that are raised, and the stack of interrupts without their EOI, the top first, as far as
 * there is room; in a single line where that is all there is.
 */
export function xenWaitingLines(
  xen: XenX86Snapshot,
  cpu: number,
  width: number,
  most: number,
  ascii: boolean,
): LineBuilder[] {
  const raised = xen.softirqs.filter((softirq) => softirq.pending[cpu]).map((softirq) => softirq.name);
  const stack = [...xen.pendingEoi[cpu]!].reverse();
  const { sent, skipped } = xen.eventChecks;
  const softirqs = new LineBuilder()
    .add(' softirqs raised  ')
    .add(raised.join(' ') || '-', raised.length > 0 ? 'warn' : 'dim');
  const pending = new LineBuilder().add(' pending EOI  ');
  const brief = stack.map(briefly).join(', ');
  if (most < 2 || brief === '') pending.add(brief || '-', brief === '' ? 'dim' : 'warn');
  if (most < 2) return [softirqs.add('  ').append(pending)];
  const checks = `event checks of all CPUs: ${grouped(sent)} sent, ${grouped(skipped)} saved by mwait `;
  if (softirqs.width + 2 + checks.length <= width) softirqs.to(width - checks.length).add(checks, 'dim');
  if (brief === '') return [softirqs, pending];
  const entries = stack.map((entry, i) => entryLine(xen, entry, i === 0, ascii));
  return [
    softirqs,
    ...entries.map((entry, i) => (i === 0 ? pending : new LineBuilder().to(EOI)).append(entry)),
  ];
}

/** column of the entries */
const EOI = 14;

/** `0x51  ready, below another  irq 16 IO-APIC-level  dom0:16 i801` */
function entryLine(
  xen: XenX86Snapshot,
  entry: PendingEoiSnapshot,
  top: boolean,
  ascii: boolean,
): LineBuilder {
  const { irq, vector, ready } = entry;
  const known = xen.vectors.find((v) => v.vector === vector);
  const state = !ready ? 'waits for its guests' : top ? 'ready' : 'ready, below another';
  return new LineBuilder()
    .add(`${vectorText(vector)}  `)
    .add(`${state}  `, ready ? 'good' : 'warn')
    .add(sanitize(`${known?.what ?? `irq ${irq}`}  ${known?.owner ?? ''}`, ascii));
}
