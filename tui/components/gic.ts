/** The physical GIC: a CPU's two interfaces, physical and virtual, and the interrupts that are on their way. */
import {
  type CpuSnapshot,
  type GicCpuSnapshot,
  type GicInterruptSnapshot,
  hcrBits,
  misrBits,
  type XenArmSnapshot,
} from '../../engine/index.ts';
import { grouped, padLeft, sanitize } from '../format.ts';
import { LineBuilder, type Segment, spread } from '../line.ts';
import type { Session } from '../session.ts';
import type { Role } from '../theme.ts';
import { hex2 } from './bitmap.ts';
import { cpuPlace } from './cpu-place.ts';

/** running priority of a CPU that handles nothing, and what IAR reads when there is nothing */
const IDLE = 256;
const NOTHING = 1020;

/** A CPU as the lines need it. */
export interface GicProcessor {
  readonly gic: GicCpuSnapshot;
  readonly xen: XenArmSnapshot;
  readonly cpu: CpuSnapshot;
  readonly ascii: boolean;
}

function usedLrs({ lrMask, lrs }: GicCpuSnapshot): number {
  let n = 0;
  for (let lr = 0; lr < lrs; lr++) n += (lrMask >>> lr) & 1;
  return n;
}

/** ` list registers  CPU0 dom0.0 2 of 4 En UIE  CPU1 -`: how many each CPU has in use, and for whom. */
export function registersLine({ size, paint, glyphs }: Session, { gic }: XenArmSnapshot): string {
  const line = new LineBuilder().add(' list registers ', 'dim');
  for (const cpu of gic.cpus) {
    const used = usedLrs(cpu);
    line.add(` CPU${cpu.cpu} `, 'dim');
    if (cpu.vcpu === null) {
      line.add('- ', 'dim');
      continue;
    }
    const bits = hcrBits(cpu.hcr);
    line.add(`${cpu.vcpu} ${used} of ${cpu.lrs} `, used === cpu.lrs ? 'warn' : undefined);
    if (bits.includes('UIE')) line.add('UIE ', 'warn');
  }
  return line.paint(paint, size.columns, glyphs.ellipsis);
}

function nameOf({ gic, xen }: GicProcessor): string {
  return `CPU ${String(gic.cpu).padEnd(String(xen.gic.cpus.length - 1).length)}`;
}

const runningText = ({ running }: GicCpuSnapshot) => `running ${running >= IDLE ? '-' : hex2(running)}`;
const pendingText = ({ pending }: GicCpuSnapshot) => `next ${pending >= NOTHING ? '-' : pending}`;

/** Where the CPU is, what its interface lets through; its softirqs; its virtual interface. */
export function gicHead(processor: GicProcessor, width: number): LineBuilder[] {
  const { gic, xen } = processor;
  const { sent, skipped } = xen.eventChecks;
  const left: Segment[] = [
    { text: ` ${nameOf(processor)}`, role: 'title', keep: 9 },
    { text: cpuPlace(processor.cpu, processor.ascii), keep: 5 },
  ];
  const right: Segment[] = [
    { text: `PMR ${hex2(gic.pmr)}`, keep: 4 },
    { text: runningText(gic), keep: 7 },
    { text: pendingText(gic), keep: 8, ...(gic.pending < NOTHING ? { role: 'warn' } : {}) },
    { text: `signals ${gic.signal}`, keep: 6, ...(gic.signal === 'none' ? {} : { role: 'warn' }) },
    { text: gic.split ? 'EOImode 1' : 'EOImode 0', role: 'dim', keep: 2 },
  ];
  const raised = xen.softirqs.filter((s) => s.pending[gic.cpu]).map((s) => s.name);
  const checks = `event checks of all CPUs: ${grouped(sent)} sent${skipped > 0 ? `, ${grouped(skipped)} saved` : ''} `;
  const softirqs: Segment[] = [
    { text: ' softirqs raised ', role: 'dim', keep: 9 },
    { text: raised.join(' ') || '-', role: raised.length > 0 ? 'warn' : 'dim', keep: 9 },
  ];
  return [
    spread(left, right, width),
    spread(softirqs, [{ text: checks, role: 'dim', keep: 1 }], width),
    virtualLine(processor, width),
  ];
}

/** ` list registers dom0.0 2 of 4 in use  HCR En  MISR -  vIRQ 1` */
function virtualLine({ gic }: GicProcessor, width: number): LineBuilder {
  const left: Segment[] = [
    { text: ' list registers  ', role: 'dim', keep: 5 },
    { text: `${gic.vcpu ?? 'nobody'} ${usedLrs(gic)} of ${gic.lrs} in use`, keep: 9 },
  ];
  const hcr = hcrBits(gic.hcr);
  const right: Segment[] = [
    { text: `HCR ${hcr.join(' ') || '0'}`, keep: 8, ...(hcr.length > 1 ? { role: 'warn' } : {}) },
    { text: `MISR ${misrBits(gic.misr).join(' ') || '-'}`, keep: 7 },
    { text: `vIRQ ${Number(gic.virq)} `, keep: 6, ...(gic.virq ? { role: 'warn' } : {}) },
  ];
  return spread(left, right, width);
}

/** Any other CPU in a line. */
export function gicLine(processor: GicProcessor, width: number): LineBuilder {
  const { gic } = processor;
  const left: Segment[] = [
    { text: ` ${nameOf(processor)}`, keep: 9 },
    { text: cpuPlace(processor.cpu, processor.ascii), role: 'dim', keep: 2 },
  ];
  const right: Segment[] = [
    { text: gic.vcpu === null ? '' : `${gic.vcpu} ${usedLrs(gic)} of ${gic.lrs} LRs`, keep: 6 },
    { text: runningText(gic), keep: 4 },
    { text: pendingText(gic), keep: 7, ...(gic.pending < NOTHING ? { role: 'warn' } : {}) },
    { text: `signals ${gic.signal}`, keep: 3 },
  ];
  return spread(left, right, Math.min(width, 118));
}

/** How much an interrupt is worth a line: something is going on; a wire is high; it may come. */
function worth({ pending, active, line }: GicInterruptSnapshot): number {
  if (pending || active) return 2;
  return line ? 1 : 0;
}

/** Something is going on in it, or it is one that somebody handles and the CPU can take. */
function matters(irq: GicInterruptSnapshot, cpu: number): boolean {
  return worth(irq) > 0 || (irq.owner !== '' && (irq.cpu < 0 || irq.cpu === cpu));
}

/** A CPU's own interrupts and the shared ones in so many lines at most: all, or those that are worth most. */
export function gicInterrupts({ gic, xen, ascii }: GicProcessor, height: number): LineBuilder[] {
  if (height < 2) return [];
  const all = xen.gic.interrupts.filter((irq) => matters(irq, gic.cpu));
  const cut = all.length > height - 1;
  const room = cut ? Math.max(1, height - 2) : height - 1;
  const dear = [...all.keys()].sort((a, b) => worth(all[b]!) - worth(all[a]!) || a - b).slice(0, room);
  const shown = dear.sort((a, b) => a - b).map((i) => all[i]!);
  const lines = [
    new LineBuilder().add(' INTID  CPU  state     line  trig   prio  for    owner', 'heading'),
    ...shown.map((irq) => interruptLine(irq, ascii)),
  ];
  if (cut)
    lines.push(new LineBuilder().add(`        ${all.length - shown.length} more that are enabled`, 'dim'));
  return lines;
}

function interruptLine(irq: GicInterruptSnapshot, ascii: boolean): LineBuilder {
  const { intid, cpu, pending, active, line, edge, priority, targets, enabled } = irq;
  const base: Role | undefined = worth(irq) === 0 ? 'dim' : undefined;
  const state = pending ? (active ? 'pend+act' : 'pending') : active ? 'active' : enabled ? '-' : 'off';
  const role: Role | undefined = pending ? 'warn' : active ? 'good' : base;
  const to = cpu >= 0 ? '' : targets.map((n) => `CPU${n}`).join(' ') || '-';
  return new LineBuilder()
    .add(`${padLeft(String(intid), 6)}  ${(cpu < 0 ? '-' : String(cpu)).padEnd(3)}  `, base)
    .add(state.padEnd(8), role)
    .add('  ')
    .add(line ? 'high' : 'low ', line ? 'warn' : base)
    .add(`  ${edge ? 'edge ' : 'level'}   ${hex2(priority)}   ${to.padEnd(5)}  `, base)
    .add(sanitize(irq.owner, ascii), base);
}
