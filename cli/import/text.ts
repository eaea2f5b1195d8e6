/** import: the recorded trace and the simulated run as text. */
import type { ExitClass } from '../../engine/exchange.ts';
import { grouped, wrap } from '../../tui/format.ts';
import { vectorText } from '../../tui/subject.ts';
import { secondsText } from '../batch/report.ts';
import { type Column, table } from '../table.ts';
import { printable } from '../usage.ts';
import type { ExitRow, GuestReport, ImportReport, Numbers, Row, SourceRow } from './measure.ts';

const WIDTH = 78;
/** seconds that are listed */
const MOST_SECONDS = 20;
const NAME = 20;

/** Why a class of exits differs, or what of it is not done. */
const WHY: Readonly<Record<ExitClass, string>> = {
  'external interrupt':
    "interrupts of the host itself, its ticks and kicks: the simulated host's own, not the recorded ones",
  'interrupt window':
    'opened while the guest cannot take a vector: how long that is depends on how fast guest and hypervisor are',
  HLT: 'the guest halts where the recorded one did, and again after an interrupt that has nothing for it to do',
  hypercall:
    'IPIs, and what this kernel needs for timers and event channels; other hypercalls are not driven',
  MSR: 'the EOIs, IPIs and timers of this kernel; other registers are not driven',
  'port I/O': 'writes to port 0x80 are driven, other ports are not',
  memory:
    'registers of the local APIC and the IOAPIC as this kernel uses them, and pages that were not there; registers of ' +
    'other devices are not driven',
  'virtual APIC': 'what APICv leaves for, as this kernel uses it',
  CPUID: 'driven',
  exception: 'first uses of the FPU are driven, but this hypervisor has loaded it before: they leave no more',
  NMI: 'not driven',
  registers: 'not driven',
  timer: 'the VMX-preemption timer, which SVM does not have',
  PAUSE: 'not driven',
  other: 'not driven',
};

export function importText({ capture, system, seed, guests, irqs }: ImportReport): string {
  const { file, format, records, length, cpus, isa, notes } = capture;
  const head = [
    `virqtop import - ${printable(file)}`,
    `recorded: ${format}, ${grouped(records)} records in ${secondsText(length)} s, ${cpus} CPUs, ${isa}`,
    ...notes.flatMap(indented),
    `simulated: ${system}, VMX, seed ${seed}`,
    '  driven by what raised interrupts there, and by what the guests did',
  ];
  const blocks = [
    `${head.join('\n')}\n`,
    ...guests.flatMap((guest) => guestBlocks(guest)),
    ...(irqs.length > 0 ? [sourceTable('INTERRUPTS OF THE HOST', irqs)] : []),
  ];
  return blocks.filter((text) => text !== '').join('\n');
}

function guestBlocks(guest: GuestReport): string[] {
  const { name, as, vcpus, sources, exits, injections } = guest;
  const vectors = (of: readonly number[]) => of.map(vectorText).join(' ');
  return [
    `${printable(name)}, ${vcpus} ${vcpus === 1 ? 'vCPU' : 'vCPUs'}, here ${as}\n`,
    sourceTable('RAISED', sources),
    table(
      [...numbers('EXITS'), { title: 'driven', right: true }],
      [...exits.map((row) => [...cells(row), grouped(row.driven)]), cells(total(exits))],
    ),
    why(exits),
    table(
      [...numbers('INJECTIONS'), { title: 'vectors there' }, { title: 'here' }],
      [
        ...injections.map((row) => [
          ...cells(row),
          vectors(row.recordedVectors),
          vectors(row.simulatedVectors),
        ]),
        cells(total(injections)),
      ],
    ),
    differ(injections).length > 0 ? paragraph(ABOUT_INJECTIONS) : '',
    seconds(exits, injections),
  ];
}

function numbers(title: string): Column[] {
  return [
    { title, least: NAME },
    { title: 'recorded', right: true },
    { title: 'simulated', right: true },
    { title: 'difference', right: true },
  ];
}

function cells({ name, recorded, simulated }: Numbers): string[] {
  return [name, grouped(recorded), grouped(simulated), signed(simulated - recorded)];
}

function signed(n: number): string {
  if (n === 0) return '.';
  return n > 0 ? `+${grouped(n)}` : `-${grouped(-n)}`;
}

function total(rows: readonly Numbers[]): Numbers {
  const sum = (of: (row: Numbers) => number) => rows.reduce((n, row) => n + of(row), 0);
  return { name: 'total', recorded: sum((r) => r.recorded), simulated: sum((r) => r.simulated) };
}

/** How often each raised there, and how often the simulated kernel has handled it. */
function sourceTable(title: string, sources: readonly SourceRow[]): string {
  const columns = numbers(title);
  columns[2] = { title: 'handled', right: true };
  return table(columns, sources.map(cells));
}

const ABOUT_INJECTIONS =
  'a level comes again after each EOI while it is held, and with it an edge of its vector that is held; what is raised ' +
  'again before it is taken comes once; vectors are the choice of a kernel';

function differ<T extends Row>(rows: readonly T[]): T[] {
  return rows.filter((row) => row.recorded !== row.simulated);
}

function paragraph(text: string): string {
  return `${indented(text).join('\n')}\n`;
}

function why(exits: readonly ExitRow[]): string {
  return differ(exits)
    .map(({ name }) => paragraph(`${name}: ${WHY[name]}`))
    .join('');
}

function seconds(exits: readonly Row[], injections: readonly Row[]): string {
  const each = (rows: readonly Row[], of: (row: Row) => readonly number[], second: number) =>
    rows.reduce((n, row) => n + (of(row)[second] ?? 0), 0);
  const last = Math.max(
    ...[...exits, ...injections].flatMap((r) => [r.recordedEach.length, r.simulatedEach.length]),
    0,
  );
  const shown = Math.min(last, MOST_SECONDS);
  const text = table(
    [
      { title: 'SECOND', right: true },
      { title: 'exits there', right: true },
      { title: 'here', right: true },
      { title: 'injections there', right: true },
      { title: 'here', right: true },
    ],
    Array.from({ length: shown }, (_, second) => [
      String(second),
      grouped(each(exits, (r) => r.recordedEach, second)),
      grouped(each(exits, (r) => r.simulatedEach, second)),
      grouped(each(injections, (r) => r.recordedEach, second)),
      grouped(each(injections, (r) => r.simulatedEach, second)),
    ]),
  );
  return shown < last ? `${text}${last - shown} seconds more; -J has them all\n` : text;
}

/** The further lines are indented more. */
function indented(text: string): string[] {
  return wrap(text, WIDTH - 2, '  ').map((line) => `  ${line}`);
}
