/** What waits in Xen: on each CPU the interrupts of guests without their EOI, and the softirqs that are raised. */
import type { PendingEoiSnapshot, XenSnapshot } from '../../engine/index.ts';
import { grouped, pad, sanitize } from '../format.ts';
import { roomOf } from '../geometry.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';
import { vectorText } from '../xen-table.ts';

/** ` pending EOI  CPU1 51 irq 16 ready, a0 irq 24`: the stacks that are not empty, in one line. */
export function stacksLine({ size, paint, glyphs }: Session, xen: XenSnapshot): string {
  const line = new LineBuilder().add(' pending EOI ', 'dim');
  xen.pendingEoi.forEach((stack, cpu) => {
    if (stack.length > 0) line.add(` CPU${cpu} `).add(stack.map(briefly).join(', '), 'warn').add(' ');
  });
  if (xen.pendingEoi.every((stack) => stack.length === 0)) line.add(' none', 'dim');
  return line.paint(paint, size.columns, glyphs.ellipsis);
}

function briefly({ irq, vector, ready }: PendingEoiSnapshot): string {
  return `${vectorText(vector)} irq ${irq}${ready ? ' ready' : ''}`;
}

/** A block for each CPU, from the chosen one on, as far as there is room. */
export function xenPendingLines(session: Session, xen: XenSnapshot): string[] {
  const { frame, ui, size, paint, glyphs, vcpu } = session;
  const height = roomOf(frame.snapshot, size, ui.prompt !== null);
  const head = headLine(xen, size.columns);
  const blocks = xen.pendingEoi.map((_, cpu) => cpuLines(xen, cpu, size.columns, glyphs.ascii));
  const room = height - 1;
  // as far up as what is below still fits
  let first = blocks.length;
  for (let n = 0; first > 0 && n + blocks[first - 1]!.length <= room; ) n += blocks[--first]!.length;
  const lines = [head, ...blocks.slice(Math.min(vcpu, first)).flat()];
  if (lines.length > height) {
    lines.length = height - 1;
    lines.push(new LineBuilder().add(' more CPUs, up and down scroll', 'dim'));
  }
  const texts = lines.map((line) => line.paint(paint, size.columns, glyphs.ellipsis));
  while (texts.length < height) texts.push('');
  return texts;
}

const CPU = 7;
/** cells of the softirqs */
const RAISED = 24;

function headLine({ eventChecks: { sent, skipped } }: XenSnapshot, width: number): LineBuilder {
  const checks = `event checks ${grouped(sent)} sent, ${grouped(skipped)} saved by mwait`;
  const line = new LineBuilder()
    .add(pad(' CPU', CPU), 'heading')
    .add(pad('SOFTIRQS RAISED', RAISED), 'heading')
    .add('PENDING EOI, TOP FIRST', 'heading');
  return line.to(width - checks.length - 1).add(line.width + checks.length + 1 <= width ? checks : '', 'dim');
}

function cpuLines(xen: XenSnapshot, cpu: number, width: number, ascii: boolean): LineBuilder[] {
  const raised = xen.softirqs.filter((softirq) => softirq.pending[cpu]).map((softirq) => softirq.name);
  const stack = xen.pendingEoi[cpu]!;
  const line = new LineBuilder()
    .add(pad(` CPU${cpu}`, CPU))
    .add(pad(raised.join(' ') || '-', RAISED - 1, ascii ? '~' : '…'), raised.length > 0 ? 'warn' : 'dim')
    .add(' ');
  if (stack.length === 0) return [line.add('-', 'dim')];
  return stack
    .map((entry, i) => entryText(xen, entry, i === stack.length - 1, ascii))
    .reverse()
    .map((text, i) =>
      (i === 0 ? line : new LineBuilder().to(CPU + RAISED)).append(
        text.cut(width - CPU - RAISED, ascii ? '~' : '…'),
      ),
    );
}

/** `0x51  irq 16 IO-APIC-level  dom0:16 i801  ready, waits for those above` */
function entryText(
  xen: XenSnapshot,
  { irq, vector, ready }: PendingEoiSnapshot,
  top: boolean,
  ascii: boolean,
): LineBuilder {
  const known = xen.vectors.find((v) => v.vector === vector);
  const state = !ready ? 'waits for its guests' : top ? 'ready' : 'ready, below another';
  return new LineBuilder()
    .add(`${vectorText(vector)}  `)
    .add(`${state}  `, ready ? 'good' : 'warn')
    .add(sanitize(`${known?.what ?? `irq ${irq}`}  ${known?.owner ?? ''}`, ascii));
}
