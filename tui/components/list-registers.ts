/** The list registers of one virtual CPU on ARM, and what Xen keeps for it beside them. */
import {
  type ArmSnapshot,
  type ArmVcpuSnapshot,
  activePriorities,
  guestPriorityMask,
  hcrBits,
} from '../../engine/index.ts';
import { padLeft, sanitize } from '../format.ts';
import { LineBuilder, type Segment, spread } from '../line.ts';
import type { Role } from '../theme.ts';
import { hex2 } from './bitmap.ts';

/** A virtual CPU as the lines need it. */
export interface ArmProcessor {
  readonly vcpu: ArmVcpuSnapshot;
  readonly arm: ArmSnapshot;
  readonly ascii: boolean;
}

type ListRegister = ArmVcpuSnapshot['lrs'][number];

/** Who in its kernel an interrupt is for; empty where nobody handles it. */
function nameOf({ arm, ascii }: ArmProcessor, intid: number): string {
  return sanitize(arm.names[intid] ?? '', ascii);
}

function vcpuName({ vcpu, arm }: ArmProcessor): string {
  return `vCPU ${String(vcpu.vcpu).padEnd(String(arm.vcpus.length - 1).length)}`;
}

/** Only the CPU that it runs on has one. */
function hcrText(hcr: number | null): string {
  return `HCR ${hcr === null ? '-' : hcrBits(hcr).join(' ') || '0'}`;
}

function apText({ ap0, ap1 }: ArmVcpuSnapshot, version: 2 | 3): string {
  const list = (ap: number) => activePriorities(ap).map(hex2).join(' ') || '-';
  return version === 2 ? `APR ${list(ap0)}` : `AP0R ${list(ap0)}  AP1R ${list(ap1)}`;
}

/** Who runs where, and what its priorities let through. */
function headLine({ vcpu, arm, ascii }: ArmProcessor, width: number, title: string): LineBuilder {
  const { hcr, vmcr, irqsMasked } = vcpu;
  const hex8 = (vmcr >>> 0).toString(16).padStart(8, '0');
  const left: Segment[] = [
    { text: ` ${title}`, role: 'title', keep: 9 },
    { text: sanitize(vcpu.place, ascii), keep: 6 },
    { text: vcpu.live ? 'live' : 'saved', role: vcpu.live ? 'good' : 'dim', keep: 3 },
  ];
  const right: Segment[] = [
    { text: `I ${Number(irqsMasked)}`, keep: 4, ...(irqsMasked ? { role: 'warn' } : {}) },
    {
      text: hcrText(hcr),
      keep: 8,
      ...(hcr !== null && hcrBits(hcr).length > 1 ? { role: 'warn' } : {}),
    },
    { text: `VMCR ${hex8}`, keep: 1 },
    { text: `PMR ${hex2(guestPriorityMask(vmcr))}`, keep: 7 },
    { text: apText(vcpu, arm.version), keep: 5 },
  ];
  return spread(left, right, width);
}

/** What is in flight, each with its list register, and of that what waits for one; what is only queued still. */
function listsLine(processor: ArmProcessor, width: number): LineBuilder {
  const { inflight, waiting, leftQueued } = processor.vcpu;
  const named = (intid: number) => `${intid} ${nameOf(processor, intid)}`.trimEnd();
  const queued = waiting.map(named).join(', ');
  const line = new LineBuilder().add(' waiting ', 'dim').add(queued || '-', queued ? 'warn' : 'dim');
  line.to(Math.max(line.width + 3, 30)).add('in flight ', 'dim');
  if (inflight.length === 0) line.add('-', 'dim');
  inflight.forEach(({ irq, lr }, i) => {
    if (i > 0) line.add(', ');
    line.add(named(irq)).add(lr === null ? ' no LR' : ` LR${lr}`, lr === null ? 'warn' : 'dim');
  });
  if (leftQueued.length > 0) {
    line.add('   QUEUED left over ', 'dim').add(leftQueued.map(named).join(', '), 'warn');
  }
  return line.cut(width, processor.ascii ? '~' : '…');
}

/** Beyond its state: one that Xen has not looked at since the guest was done with it, and what only looks like one. */
function stateOf({ state, used, value }: ListRegister): readonly [text: string, role?: Role] {
  if (state === 'pending') return ['pending', 'warn'];
  if (state === 'active') return ['active', 'good'];
  if (state === 'pending and active') return ['pend+act', 'warn'];
  if (used) return ['done', 'accent'];
  return [/^0+$/.test(value) ? 'empty' : '- stale -', 'dim'];
}

const HEADING = '  LR  state      virq  pirq  prio  ';

function registerLine(processor: ArmProcessor, lr: ListRegister): LineBuilder {
  const [state, role] = stateOf(lr);
  const base: Role | undefined = lr.used ? undefined : 'dim';
  const line = new LineBuilder()
    .add(padLeft(String(lr.lr), 4), base)
    .add('  ')
    .add(state.padEnd(9), role);
  if (state === 'empty') return line;
  const { virq, pirq, priority, value } = lr;
  line.add(
    `${padLeft(String(virq), 6)}${padLeft(pirq === null ? '-' : String(pirq), 6)}    ${hex2(priority)}  ${value}  `,
    base,
  );
  return line.add(nameOf(processor, virq), base);
}

/** Lines of a virtual CPU in full. */
export function fullHeight({ vcpu }: ArmProcessor): number {
  return 3 + vcpu.lrs.length;
}

/** A virtual CPU in full: its head, its lists, its list registers, in so many lines at most. */
export function fullLines(processor: ArmProcessor, width: number, height: number): LineBuilder[] {
  const { vcpu, arm } = processor;
  const digits = arm.version === 2 ? 8 : 16;
  const heading = `${HEADING}${(vcpu.live ? 'HW_LR' : 'VCPU_LR').padEnd(digits)}  what`;
  const room = Math.max(1, height - 3);
  return [
    headLine(processor, width, vcpuName(processor)),
    listsLine(processor, width),
    new LineBuilder().add(heading, 'heading'),
    ...registerLines(processor, room),
  ];
}

/** All registers, or those that are used before those that are not. */
function registerLines(processor: ArmProcessor, room: number): LineBuilder[] {
  const { lrs } = processor.vcpu;
  if (lrs.length <= room) return lrs.map((lr) => registerLine(processor, lr));
  const dear = [...lrs].sort((a, b) => Number(b.used) - Number(a.used) || a.lr - b.lr).slice(0, room - 1);
  const shown = lrs.filter((lr) => dear.includes(lr)).map((lr) => registerLine(processor, lr));
  return [...shown, new LineBuilder().add(`      ${lrs.length - dear.length} more list registers`, 'dim')];
}

/** cells that a line of a virtual CPU is spread over at most */
const ONE_LINE = 118;
/** cells that the rest of such a line may need */
const BESIDE = 62;

/** Any other in a line. */
export function oneLine(processor: ArmProcessor, width: number): LineBuilder {
  const { vcpu, ascii } = processor;
  const lrs = vcpu.lrs.filter((lr) => lr.used);
  const whole = lrs.map((lr) => `LR${lr.lr} ${lr.virq} ${stateOf(lr)[0]}`).join(', ');
  // what is in them, where there is no room for more
  const texts = whole.length <= width - BESIDE ? whole : `LRs ${lrs.map((lr) => lr.virq).join(' ')}`;
  const left: Segment[] = [
    { text: ` ${vcpuName(processor)}`, keep: 9 },
    { text: sanitize(vcpu.place, ascii), role: 'dim', keep: 5 },
    { text: texts, keep: 6 },
  ];
  const right: Segment[] = [
    { text: vcpu.waiting.length > 0 ? `waiting ${vcpu.waiting.join(' ')}` : '', role: 'warn', keep: 7 },
    { text: hcrText(vcpu.hcr), keep: 4 },
    { text: `I ${Number(vcpu.irqsMasked)}`, keep: 3 },
  ];
  return spread(left, right, Math.min(width, ONE_LINE));
}
