/** One local APIC with what its processor is about to take, in full or in a line. */
import {
  type CpuSnapshot,
  highestOf,
  type Interruption,
  interruption,
  type LapicSnapshot,
  type X86Snapshot,
} from '../../engine/index.ts';
import { sanitize } from '../format.ts';
import { fitSegments, LineBuilder, type Segment, spread } from '../line.ts';
import { isXen, isXenOnX86, type Subject } from '../subject.ts';
import { addRow, DIGITS, hex2, highestText, membersOfRow, rowsInUse, type VectorMap } from './bitmap.ts';
import { cpuPlace } from './cpu-place.ts';

/** A processor of a domain, or of Xen, as the lines need it. */
export interface Processor {
  readonly apic: LapicSnapshot;
  readonly subject: Subject;
  /** the physical ones of the machine */
  readonly cpus: readonly CpuSnapshot[];
  readonly x86: X86Snapshot;
  readonly ascii: boolean;
}

/** Whose a vector is on this processor; empty where nobody handles it. */
export function ownerOf({ apic, x86, ascii }: Processor, vector: number): string {
  return sanitize(x86.vectors[apic.cpu]?.[vector] ?? '', ascii);
}

/** `51 virtio0-input.0` */
function named(processor: Processor, vector: number): string {
  return `${hex2(vector)} ${ownerOf(processor, vector)}`.trimEnd();
}

/** The sets of vectors in the order in which an interrupt meets them. */
export function mapsOf({ irr, isr, tmr, posted }: LapicSnapshot): VectorMap[] {
  return [
    ...(posted ? [{ name: 'PIR', words: posted.pir, role: 'warn' as const }] : []),
    { name: 'IRR', words: irr, role: 'warn' },
    { name: 'ISR', words: isr, role: 'good' },
    { name: 'TMR', words: tmr, role: 'accent' },
  ];
}

/** A virtual processor has its place in its VMCS, a physical one is where it is. */
function placeOf({ apic, cpus, ascii }: Processor): string {
  return apic.vmcs ? sanitize(apic.vmcs.place, ascii) : cpuPlace(cpus[apic.cpu]!, ascii);
}

function nameOf({ apic, x86 }: Processor): string {
  const digits = String(x86.lapics.length - 1).length;
  return `${apic.vmcs ? 'vCPU' : 'CPU'} ${String(apic.cpu).padEnd(digits)}`;
}

/** Who runs where, and what its priorities let through. */
export function headLine(processor: Processor, width: number): LineBuilder {
  const { apic } = processor;
  const left: Segment[] = [
    { text: ` ${nameOf(processor)}`, role: 'title', keep: 9 },
    { text: placeOf(processor), keep: 5 },
    { text: apic.x2apic ? 'x2APIC' : 'xAPIC', role: 'dim', keep: 1 },
  ];
  const right: Segment[] = [
    ...apicvBadge(processor),
    { text: `IF ${Number(apic.interruptFlag)}`, keep: 4, ...(apic.interruptFlag ? {} : { role: 'warn' }) },
    { text: `TPR ${hex2(apic.tpr)}`, keep: 7 },
    { text: `PPR ${hex2(apic.ppr)}`, keep: 8 },
    ...(apic.vmcs ? [windowOf(apic.vmcs.interruptWindow, apic.vmcs.nmiWindow)] : []),
  ];
  return spread(left, right, width);
}

function windowOf(interrupt: boolean, nmi: boolean): Segment {
  const asked = [...(interrupt ? ['irq'] : []), ...(nmi ? ['nmi'] : [])];
  if (asked.length === 0) return { text: 'window -', keep: 6 };
  return { text: `window ${asked.join('+')}`, role: 'warn', keep: 6 };
}

function postedText({ on, sn, nv }: NonNullable<LapicSnapshot['posted']>): string {
  return `ON ${Number(on)} SN ${Number(sn)} NV ${hex2(nv)}`;
}

const hex8 = (value: number) => (value >>> 0).toString(16).padStart(8, '0');

/** What an interruption-information word says. */
function infoText(info: Interruption | null, owner: (vector: number) => string): string {
  if (!info) return '-';
  return `${info.type} ${hex2(info.vector)} ${owner(info.vector)}`.trimEnd();
}

/**
 * What is injected, what was interrupted by it, why the guest was left, and what waits in the descriptor of posted
 * interrupts: in one line, or in two where that is too long and there may be two.
 */
export function injectionLines(processor: Processor, width: number, most: number): LineBuilder[] {
  const { vmcs, posted } = processor.apic;
  if (!vmcs) return [];
  const fields = new Map(vmcs.fields);
  const owner = (vector: number) => ownerOf(processor, vector);
  const entry = interruption(vmcs.entryInfo);
  const role = entry ? ({ role: 'warn' } as const) : {};
  const left: Segment[] = [
    { text: ' entry-info', keep: 9 },
    { text: hex8(vmcs.entryInfo), keep: 9, ...role },
    { text: infoText(entry, owner), keep: 8, ...role },
  ];
  const idt = interruption(fields.get('IDT-vectoring information') ?? 0);
  const right: Segment[] = [
    { text: idt ? `idt-info ${infoText(idt, owner)}` : '', role: 'warn', keep: 7 },
    { text: exitText(processor, fields), keep: 5 },
    ...statusOf(processor),
    ...pvEoiOf(processor),
    { text: posted ? postedText(posted) : '', keep: 6 },
  ];
  const together = spread(left, right, width);
  const texts = [...left, ...right].filter(({ text }) => text !== '');
  const whole = fitSegments(texts, width, 2).length === texts.length;
  if (whole || most < 2) return [together];
  const [first, ...rest] = right.filter(({ text }) => text !== '');
  const second = first ? [{ ...first, text: ` ${first.text}` }, ...rest] : [];
  return [spread(left, [], width), spread(second, [], width)];
}

/** `exit EXTERNAL_INTERRUPT fd`; the vector is the host's. */
function exitText({ subject, ascii }: Processor, fields: ReadonlyMap<string, number>): string {
  const reason = fields.get('Exit reason');
  if (reason === undefined) return '';
  const rows = isXen(subject) ? [] : subject.exits?.rows;
  const name = rows?.find((row) => row.reason === (reason & 0xffff))?.name;
  const info = interruption(fields.get('VM-exit interruption information') ?? 0);
  const vector = info ? ` ${hex2(info.vector)}` : '';
  return `exit ${name === undefined ? reason : sanitize(name, ascii)}${vector}`;
}

/**
 * Virtual-interrupt delivery: the vector requested and the one in service as the processor knows them. What is not the
 * highest of IRR or of ISR is marked: `SVI 00 !ISR ec`.
 */
function statusOf({ apic }: Processor): Segment[] {
  const { apicv } = apic.vmcs!;
  if (!apicv?.active) return [];
  const { rvi, svi, stale } = apicv;
  const [request, service] = [`RVI ${hex2(rvi)}`, `SVI ${hex2(svi)}`];
  if (stale.length === 0) return rvi === 0 && svi === 0 ? [] : [{ text: `${request} ${service}`, keep: 4 }];
  const field = (name: 'RVI' | 'SVI', text: string, map: string, words: readonly number[]): Segment =>
    stale.includes(name)
      ? { text: `${text} !${map} ${highestText(words)}`, role: 'bad', keep: 10 }
      : { text, keep: 4 };
  return [field('RVI', request, 'IRR', apic.irr), field('SVI', service, 'ISR', apic.isr)];
}

/** PV EOI: the guest may end its interrupt by the bit, or it has, and ISR shows it till the next exit. */
function pvEoiOf({ apic: { pvEoi } }: Processor): Segment[] {
  if (pvEoi === undefined) return [];
  return [
    pvEoi === 1 ? { text: 'PV EOI 1', keep: 4 } : { text: 'PV EOI 0: ISR is over', role: 'warn', keep: 4 },
  ];
}

/** Where the processor could deliver by itself: does it? */
function apicvBadge({ apic }: Processor): Segment[] {
  const apicv = apic.vmcs?.apicv;
  if (!apicv) return [];
  return [apicv.active ? { text: 'APICv on', keep: 3 } : { text: 'APICv off', role: 'warn', keep: 7 }];
}

/** The rows of the maps that hold something, one line each, with whose the vectors are. */
export function compactMaps(processor: Processor, extra: number): LineBuilder[] {
  const lines = [
    new LineBuilder()
      .add('       ')
      .add(DIGITS, 'heading')
      .add('  row: high digit, column: low digit', 'dim'),
  ];
  let left = extra;
  for (const map of mapsOf(processor.apic)) {
    const rows = rowsInUse(map.words);
    const shown = Math.min(rows.length, 1 + left);
    left -= Math.max(0, shown - 1);
    const first = new LineBuilder().add(` ${map.name} `, 'title');
    if (rows.length === 0) lines.push(addRow(first.add('- '), map, 0).add('  none', 'dim'));
    rows.slice(0, shown).forEach((row, i) => {
      const line = i === 0 ? first : new LineBuilder().add('     ');
      addRow(line.add(`${DIGITS[row]} `), map, row);
      const names = membersOfRow(map.words, row).map((v) => named(processor, v));
      line.add(`  ${names.join(', ')}`);
      const hidden = rows.length - shown;
      if (hidden > 0 && i === shown - 1)
        line.add(`, and ${hidden} ${hidden === 1 ? 'row' : 'rows'} more`, 'dim');
      lines.push(line);
    });
  }
  return lines;
}

/** Rows that compact maps could show beyond one for each map. */
export function extraRows(apic: LapicSnapshot): number {
  return mapsOf(apic).reduce((n, { words }) => n + Math.max(0, rowsInUse(words).length - 1), 0);
}

/** Fields that matter while something is injected; they stand before the others. */
const DEAR = [
  'VM-entry interruption-information',
  'VM-exit interruption information',
  'IDT-vectoring information',
  'Exit reason',
  'Exit qualification',
  'Guest interruptibility state',
  'Guest activity state',
  'Guest interrupt status',
  'TPR threshold',
  'Posted-interrupt notification vector',
];

/** Beside whole maps: whose the highest vectors are, and the fields of the VMCS. */
export function sideLines(processor: Processor, height: number): LineBuilder[] {
  const { apic } = processor;
  const lines = mapsOf(apic).map(({ name, words, role }) => {
    const highest = highestOf(words);
    const line = new LineBuilder().add(`${name} `, 'title');
    return highest < 0 ? line.add('none', 'dim') : line.add(named(processor, highest), role);
  });
  if (!apic.vmcs) return lines.slice(0, height);
  const { fields } = apic.vmcs;
  const dear = DEAR.flatMap((name) => fields.filter((f) => f[0] === name));
  const rest = fields.filter(([name]) => !DEAR.includes(name));
  lines.push(new LineBuilder(), new LineBuilder().add('VMCS', 'heading'));
  for (const [name, value] of [...dear, ...rest]) {
    lines.push(
      new LineBuilder()
        .add(hex8(value), value === 0 ? 'dim' : undefined)
        .add(` ${sanitize(name, processor.ascii)}`, value === 0 ? 'dim' : undefined),
    );
  }
  return lines.slice(0, height);
}

/** cells that a line of a processor is spread over at most */
const ONE_LINE = 118;

/** Any other processor in a line. */
export function oneLine(processor: Processor, width: number): LineBuilder {
  const { apic, subject } = processor;
  const service = highestOf(apic.isr);
  const entry = apic.vmcs && interruption(apic.vmcs.entryInfo);
  const left: Segment[] = [
    { text: ` ${nameOf(processor)}`, keep: 9 },
    { text: placeOf(processor), role: 'dim', keep: 2 },
    { text: service < 0 ? '' : `handles ${named(processor, service)}`, keep: 1 },
  ];
  const stack = isXenOnX86(subject) ? [...subject.pendingEoi[apic.cpu]!].reverse() : [];
  const right: Segment[] = [
    {
      text: stack.length > 0 ? `EOI ${stack.map((e) => hex2(e.vector)).join(' ')}` : '',
      role: 'warn',
      keep: 7,
    },
    { text: entry ? `inject ${hex2(entry.vector)}` : '', role: 'warn', keep: 7 },
    ...(apic.vmcs?.apicv?.active === false ? [{ text: 'APICv off', role: 'warn' as const, keep: 5 }] : []),
    ...(apic.vmcs?.apicv?.stale ?? []).map((name): Segment => ({ text: `!${name}`, role: 'bad', keep: 8 })),
    ...mapsOf(apic).map(({ name, words, role }): Segment => {
      const text = `${name} ${highestText(words).padEnd(2)}`;
      return highestOf(words) < 0 ? { text, keep: 6 } : { text, role, keep: 6 };
    }),
    { text: `PPR ${hex2(apic.ppr)}`, keep: 5 },
    { text: `IF ${Number(apic.interruptFlag)}`, keep: 3 },
  ];
  return spread(left, right, Math.min(width, ONE_LINE));
}
