/**
 * From one or two captures of /proc/interrupts to what a machine needs to go on from there: where each
 * counter stands and how fast it grows.
 *
 * Two captures tell the growth by their difference. One tells it by its counts since boot, if it is known
 * how long ago that was; where it is not, the timer rows tell, at 250 ticks a second on each CPU.
 */
import { printable, UserError } from '../core/errors.ts';
import { layoutOf } from '../proc/dialects.ts';
import { isWide } from '../proc/print-interrupts.ts';
import type { Interrupts, IrqRow } from '../proc/types.ts';

export interface Capture {
  readonly name: string;
  readonly interrupts: Interrupts;
}

/** A row and its growth. */
export interface ImportedRow {
  /** the number, or the name of a row of the architecture's: `17`, `RES` */
  readonly label: string;
  /** who handles it, or what the row's text says */
  readonly title: string;
  readonly irq: IrqRow | null;
  /** per column; one for a row of one number */
  readonly start: readonly number[];
  /** what is added in the interval, per column */
  readonly growth: readonly number[];
  /** the row counts nothing of its own but what these do, by index; empty where it does */
  readonly sumOf: readonly number[];
}

export interface Import {
  /** where to start from */
  readonly first: Interrupts;
  /** in the order of the file */
  readonly rows: readonly ImportedRow[];
  /** in which the growth happens */
  readonly seconds: number;
}

export interface Interval {
  readonly intervalSeconds?: number | undefined;
  readonly uptimeSeconds?: number | undefined;
}

const WRAP = 4294967296;
const TICKS = 250;
/** a hundred years */
const MAX_SECONDS = 3_153_600_000;
/** interrupts a second that one CPU can take at most */
const MAX_RATE = 1_000_000;
/** rows that count the ticks of each CPU */
const TIMERS = /^(timer\d*|arch_timer)$/;
/** On Xen the architecture's rows count the same events as these: drivers/xen/events/, arch/x86/xen/smp.c. */
const SUMS: Readonly<Record<string, RegExp>> = {
  RES: /^resched\d*$/,
  CAL: /^(callfunc|callfuncsingle|call1func)\d*$/,
};

/** @throws UserError if the captures do not fit together */
export function importProc(captures: readonly Capture[], interval: Interval): Import {
  const [a, b] = captures;
  if (!a || captures.length > 2)
    throw new UserError(`${captures.length} captures; one or two would be right`);
  checkInterval(interval, b !== undefined);
  if (b) checkSame(a, b);
  const first = a.interrupts;
  const second = b?.interrupts;
  const growth = (label: string, from: readonly number[], to: readonly number[] | undefined): number[] =>
    from.map((count, n) => {
      if (to === undefined) return count;
      const gained = isWide(label) ? to[n]! - count : (to[n]! - count + WRAP) % WRAP;
      if (gained >= 0 && gained < WRAP / 2) return gained;
      const where = `row ${printable(label, 20)} of CPU${first.cpus[n]}`;
      throw new UserError(
        `${printable(b!.name, Infinity)}: ${where} goes back from ${count} to ${to[n]}; the later capture comes second`,
      );
    });
  const rows: ImportedRow[] = [
    ...first.rows.map((irq, n) => ({
      label: String(irq.irq),
      title: irq.actions.length > 0 ? irq.actions.join(', ') : irq.chip,
      irq,
      start: irq.counts,
      growth: growth(String(irq.irq), irq.counts, second?.rows[n]?.counts),
      sumOf: [],
    })),
    ...first.arch.map(({ label, text, counts }, n) => ({
      label,
      title: text || label,
      irq: null,
      start: counts,
      growth: growth(label, counts, second?.arch[n]?.counts),
      sumOf: sumOf(label, second ? [first, second] : [first]),
    })),
  ];
  const seconds = interval.intervalSeconds ?? interval.uptimeSeconds ?? guessUptime(a, rows);
  checkRates(rows, seconds, first.cpus);
  return { first, rows, seconds };
}

function checkInterval({ intervalSeconds, uptimeSeconds }: Interval, two: boolean): void {
  for (const [name, value] of [
    ['interval', intervalSeconds],
    ['uptime', uptimeSeconds],
  ] as const) {
    if (value !== undefined && !(value > 0 && value < MAX_SECONDS)) {
      throw new UserError(`${name} of ${value} s; more than 0 and less than ${MAX_SECONDS} s would be right`);
    }
  }
  if (two && intervalSeconds === undefined) {
    throw new UserError(
      'two captures without the interval between them; --interval, e.g. 5s, would be right',
    );
  }
  if (two && uptimeSeconds !== undefined) {
    throw new UserError('two captures with an uptime; --uptime goes with one, --interval with two');
  }
  if (!two && intervalSeconds !== undefined) {
    throw new UserError('one capture with an interval; a second capture, or --uptime, would be right');
  }
}

/** @throws UserError naming the first CPU or row that only one of them has */
function checkSame(a: Capture, b: Capture): void {
  const [x, y] = [a.interrupts, b.interrupts];
  const differ = (what: string, there: string, here: string) =>
    new UserError(
      `${printable(b.name, Infinity)}: ${what} ${there}, in ${printable(a.name, Infinity)} ${here}; they must be alike`,
    );
  if (x.dialect !== y.dialect) {
    throw differ('the layout is of', layoutOf(y.dialect).title, layoutOf(x.dialect).title);
  }
  const columns = Math.max(x.cpus.length, y.cpus.length);
  for (let n = 0; n < columns; n++) {
    if (x.cpus[n] !== y.cpus[n]) throw differ(`column ${n + 1} is`, cpuName(y.cpus[n]), cpuName(x.cpus[n]));
  }
  const [rows, others] = [rowNames(x), rowNames(y)];
  for (let n = 0; n < Math.max(rows.length, others.length); n++) {
    if (rows[n] !== others[n]) throw differ(`row ${n + 1} is`, others[n] ?? 'missing', rows[n] ?? 'missing');
  }
}

function cpuName(cpu: number | undefined): string {
  return cpu === undefined ? 'missing' : `CPU${cpu}`;
}

/** What makes a row that row, as a message shows it. */
function rowNames(i: Interrupts): string[] {
  const numbered = i.rows.map(({ irq, chip, hwirq, trigger, name, actions }) =>
    [irq, chip, hwirq, trigger, name, actions.join(', ')].filter((x) => x !== null && x !== '').join(' '),
  );
  return [...numbered, ...i.arch.map(({ label, text }) => (text === '' ? label : `${label} ${text}`))];
}

/**
 * The rows that one of the architecture's counts once more; none if some file shows that it does not. It is
 * printed after them while counting goes on, so it may be a little ahead.
 */
function sumOf(label: string, files: readonly Interrupts[]): number[] {
  const pattern = SUMS[label];
  if (!pattern) return [];
  const parts = files[0]!.rows.flatMap((row, n) => (pattern.test(row.actions[0] ?? '') ? [n] : []));
  const agree = files.every(({ rows, arch }) =>
    arch
      .find((r) => r.label === label)!
      .counts.every((count, cpu) => {
        const sum = parts.reduce((total, n) => total + rows[n]!.counts[cpu]!, 0);
        const ahead = (count - (sum % WRAP) + WRAP) % WRAP;
        return ahead <= Math.max(16, sum / 1000);
      }),
  );
  return agree ? parts : [];
}

/** How long the machine has been up if each CPU takes 250 timer interrupts a second. */
function guessUptime(capture: Capture, rows: readonly ImportedRow[]): number {
  let ticks = 0;
  for (const { label, irq, start } of rows) {
    if (label === 'LOC' || (irq && TIMERS.test(irq.actions[0] ?? '')))
      ticks += start.reduce((a, b) => a + b, 0);
  }
  if (ticks > 0) return ticks / (TICKS * capture.interrupts.cpus.length);
  throw new UserError(
    `${printable(capture.name, Infinity)}: no timer row has counted, so the rates are unknown; --uptime would tell`,
  );
}

/** @throws UserError if a CPU would have to take more interrupts than it can */
function checkRates(rows: readonly ImportedRow[], seconds: number, cpus: readonly number[]): void {
  for (const [n, cpu] of cpus.entries()) {
    let total = 0;
    for (const row of rows) if (row.sumOf.length === 0) total += row.growth[n] ?? 0;
    if (total / seconds <= MAX_RATE) continue;
    throw new UserError(
      `CPU${cpu} takes ${total} interrupts in ${seconds} s; at most ${MAX_RATE} a second would be right`,
    );
  }
}
