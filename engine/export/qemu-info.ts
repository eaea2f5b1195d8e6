/**
 * What QEMU's monitor prints for `info lapic`, `info pic` and `info irq` of a machine under KVM, from a snapshot:
 * x86_cpu_dump_local_apic_state (target/i386/cpu-dump.c), ioapic_print_redtbl (hw/intc/ioapic_common.c),
 * pic_print_info (hw/intc/i8259_common.c), qmp_x_query_irq (monitor/qmp-cmds.c).
 */
import { lowestBit } from '../core/bits.ts';
import type { DomainSnapshot, IoApicSnapshot, LapicSnapshot, PicSnapshot, X86Snapshot } from '../snapshot.ts';
import { isMember, membersOf, redirection } from './x86-words.ts';

/** The topics of `info` that there are for a machine with x86 chips. */
const QEMU_TOPICS = ['lapic', 'pic', 'irq'] as const;
export type QemuTopic = (typeof QEMU_TOPICS)[number];

/** The topics that a domain has something to say to. */
export function qemuTopics({ x86 }: DomainSnapshot): readonly QemuTopic[] {
  if (!x86) return [];
  const board = x86.ioapic !== null || x86.pic !== null;
  const has = { lapic: x86.lapics.length > 0, pic: board, irq: board && x86.rises !== undefined };
  return QEMU_TOPICS.filter((topic) => has[topic]);
}

/** `info lapic` of every processor in turn, `info pic`, `info irq`; empty where the domain has no such chips. */
export function qemuInfo({ x86 }: DomainSnapshot, topic: QemuTopic): string {
  if (!x86) return '';
  if (topic === 'lapic') return x86.lapics.map(localApic).join('');
  return topic === 'pic' ? controllers(x86) : statistics(x86);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

// info lapic

const NMI = 4;
const LVT_MODES = ['Fixed', '...', 'SMI', '...', 'NMI', 'INIT', '...', 'ExtINT'];
const SHORTHANDS = ['no-shorthand', 'self', 'all-self', 'all'];
const FLAT = 0xf;
const CLUSTER = 0;

function localApic(apic: LapicSnapshot): string {
  const known = new Map(apic.registers);
  const reg = (name: string): number => {
    const value = known.get(name);
    if (value === undefined) throw new Error(`local APIC ${apic.apicId} does not tell its ${name}`);
    return value >>> 0;
  };
  const svr = reg('SVR');
  const model = reg('DFR') >>> 28;
  const logical = reg('LDR') >>> 24;
  const cluster = model === CLUSTER ? `(cluster ${logical >> 4}: id ${logical & 0xf})` : '';
  return [
    `dumping local APIC state for CPU ${String(apic.cpu).padEnd(2)}\n\n`,
    lvt('LVT0', reg('LVT0')),
    lvt('LVT1', reg('LVT1')),
    lvt('LVTPC', reg('LVTPC')),
    lvt('LVTERR', reg('LVTERR')),
    lvt('LVTTHMR', reg('LVTTHMR')),
    lvt('LVTT', reg('LVTT'), true),
    timer(reg('TDCR'), reg('TMICT'), reg('TMCCT')),
    `SPIV\t 0x${hex(svr, 8)} APIC ${svr & 0x100 ? 'enabled' : 'disabled'},`,
    ` focus=${svr & 0x200 ? 'on' : 'off'}, spurious vec ${svr & 0xff}\n`,
    icr(reg('ICR'), reg('ICR2'), apic.x2apic, model),
    `ESR\t 0x${hex(reg('ESR'), 8)}\n`,
    vectors('ISR', apic.isr, apic.tmr),
    vectors('IRR', apic.irr, apic.tmr),
    `\nAPR 0x${hex((known.get('APR') ?? 0) & 0xff, 2)} TPR 0x${hex(apic.tpr, 2)} DFR 0x${hex(model, 2)}`,
    ` LDR 0x${hex(logical, 2)}${cluster} PPR 0x${hex(apic.ppr, 2)}\n`,
  ].join('');
}

function lvt(name: string, value: number, isTimer = false): string {
  const mode = (value >>> 8) & 7;
  const repeat = value & (1 << 17) ? 'periodic' : value & (1 << 18) ? 'tsc-deadline' : 'one-shot';
  const words = [
    value & (1 << 13) ? 'active-lo' : 'active-hi',
    (value & (1 << 15) ? 'level' : 'edge').padEnd(5),
    (value & (1 << 16) ? 'masked' : '').padEnd(6),
    (value & (1 << 12) ? 'pending' : '').padEnd(7),
    (isTimer ? repeat : '').padEnd(12),
    LVT_MODES[mode]!.padEnd(6),
  ];
  const vector = mode === NMI ? '' : ` (vec ${value & 0xff})`;
  return `${name}\t 0x${hex(value, 8)} ${words.join(' ')}${vector}\n`;
}

function timer(divide: number, initial: number, current: number): string {
  const code = ((divide & 8) >> 1) | (divide & 3);
  const by = code === 7 ? 1 : 2 << code;
  return (
    `Timer\t DCR=0x${(divide & 0xf).toString(16)} (divide by ${by})` +
    ` initial_count = ${initial} current_count = ${current}\n`
  );
}

function icr(low: number, high: number, x2apic: boolean, model: number): string {
  const shorthand = (low >>> 18) & 3;
  const logical = (low & (1 << 11)) !== 0;
  const words = [
    logical ? 'logical' : 'physical',
    low & (1 << 15) ? 'level' : 'edge',
    low & (1 << 14) ? 'assert' : 'de-assert',
    SHORTHANDS[shorthand]!,
  ];
  const first = `ICR\t 0x${hex(low, 8)} ${words.join(' ')}\nICR2\t 0x${hex(high, 8)}`;
  if (shorthand !== 0) return `${first}\n`;
  return first + destination(high, logical, x2apic, model);
}

/** Where the last command went; of an unknown destination model QEMU says nothing, and leaves the line open. */
function destination(high: number, logical: boolean, x2apic: boolean, model: number): string {
  const bits = (value: number, size: number) => value.toString(2).padStart(size, '0');
  const field = x2apic ? high : high >>> 24;
  if (!logical) return x2apic ? ` cpu ${field} (X2APIC ID)\n` : ` cpu ${field & 0xf} (APIC ID)\n`;
  if (model === FLAT) return ` mask ${bits(high >>> 24, 8)} (APIC ID)\n`;
  if (model !== CLUSTER) return '';
  return x2apic
    ? ` cluster ${field >>> 16} mask ${bits(field & 0xffff, 16)} (X2APIC ID)\n`
    : ` cluster ${field >>> 4} mask ${bits(field & 0xf, 4)} (APIC ID)\n`;
}

function vectors(name: string, set: readonly number[], level: readonly number[]): string {
  const list = membersOf(set).map((v) => `${v}${isMember(level, v) ? '(level)' : ''} `);
  return `${name}\t ${list.length > 0 ? list.join('') : '(none)'}\n`;
}

// info pic

/** the version that KVM's IOAPIC has */
const IOAPIC_VERSION = 0x11;
const REDIRECTION_BASE = 0x10;
const PIN_MODES = ['fixed', 'lowest', 'SMI', '...', 'NMI', 'INIT', '...', 'extINT'];

function controllers({ ioapic, pic }: X86Snapshot): string {
  return (ioapic ? ioApic(ioapic) : '') + (pic ? pic.map(i8259).join('') : '');
}

function ioApic({ id, select, irr, pins }: IoApicSnapshot): string {
  let lines = 0;
  let remote = 0;
  let text = `ioapic0: ver=0x${IOAPIC_VERSION.toString(16)} id=0x${hex(id, 2)} sel=0x${hex(select, 2)}`;
  // a register below the table is called by an unsigned number as well
  text += select === 0 ? '\n' : ` (redir[${((select - REDIRECTION_BASE) >> 1) >>> 0}])\n`;
  for (const { pin, low, high, line } of pins) {
    const entry = redirection(low, high);
    const words = [
      entry.activeLow ? 'active-lo' : 'active-hi',
      (entry.level ? 'level' : 'edge').padEnd(5),
      (entry.masked ? 'masked' : '').padEnd(6),
      PIN_MODES[entry.mode]!.padEnd(6),
      entry.logical ? 'logical' : 'physical',
    ];
    const to = (entry.destination & (entry.logical ? 0xff : 0xf)).toString(16);
    text +=
      `  pin ${String(pin).padEnd(2)} 0x${hex(high >>> 0, 8)}${hex(low >>> 0, 8)}` +
      ` dest=${to} vec=${String(entry.vector).padEnd(3)} ${words.join(' ')}\n`;
    if (line) lines |= 1 << pin;
    if (entry.level && entry.remoteIrr) remote |= 1 << pin;
  }
  return text + pinSet('  IRR', irr ?? lines) + pinSet('  Remote IRR', remote);
}

function pinSet(name: string, set: number): string {
  let list = '';
  for (let rest = set; rest !== 0; rest &= rest - 1) list += `${String(lowestBit(rest)).padEnd(2)} `;
  return `${name.padEnd(10)} ${list === '' ? '(none)' : list}\n`;
}

function i8259(pic: PicSnapshot, index: number): string {
  const { irr, imr, isr, priorityAdd, base, readIsr, elcr, specialFullyNested } = pic;
  return (
    `pic${index}: irr=${hex(irr, 2)} imr=${hex(imr, 2)} isr=${hex(isr, 2)} hprio=${priorityAdd}` +
    ` irq_base=${hex(base, 2)} rr_sel=${Number(readIsr)} elcr=${hex(elcr, 2)} fnm=${Number(specialFullyNested)}\n`
  );
}

// info irq

const ISA_LINES = 16;
const IOAPIC_LINES = 24;

/** A line counts at every chip that it is wired to; of the two 8259As the master counts for both. */
function statistics({ ioapic, pic, rises = [] }: X86Snapshot): string {
  let text = '';
  if (ioapic) text += chipStatistics('kvm-ioapic', rises, IOAPIC_LINES);
  if (pic) text += chipStatistics('kvm-i8259', rises, ISA_LINES);
  return text;
}

function chipStatistics(type: string, rises: readonly number[], lines: number): string {
  const counted = rises
    .slice(0, lines)
    .flatMap((n, i) => (n > 0 ? [`${String(i).padStart(2)}: ${n}\n`] : []));
  return `IRQ statistics for ${type}:\n${counted.join('')}`;
}
