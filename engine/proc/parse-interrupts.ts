/**
 * /proc/interrupts into fields.
 *
 * No file says which kernel printed it, and a blank more or less is all the difference. So each dialect
 * reads the file on its own, and a line counts as read only if printing its fields gives the line again:
 * what is accepted is printed back byte for byte (blanks lost at the end of a line aside). If no dialect
 * reads all of the file, the one that came furthest says what is wrong.
 */
import { FormatError, printable } from '../core/errors.ts';
import { LAYOUTS, type Layout, printsItself } from './dialects.ts';
import {
  isWide,
  longestChip,
  printArchRow,
  printHeader,
  printInterrupts,
  printNumber,
  printTail,
} from './print-interrupts.ts';
import { cpusOf, difference, linesOf, sameLine } from './text.ts';
import type { ArchRow, Interrupts, IrqRow } from './types.ts';

const HEADER = 'a header with CPU0 CPU1 ...';
const MAX_U32 = 4294967295;
/** more than any chip and flow handler are called */
const LONGEST_CHIP = 256;
/** rows of one number, which a machine with one CPU does not show */
const SINGLES = ['ERR', 'MIS', 'Err'];
/** chips with a dash, of the dialect that glues the flow handler's name to them by another */
const DASHED =
  /^((IR-)?(IO|PCI|XT|HT|DMAR|HPET)-(APIC|MSI|MSI-X|PIC|IRQ)|xen-(dyn|dyn-lateeoi|pirq|percpu))$/;
/** a chip ending so has its flow handler's name glued to it */
const GLUED = /-(edge|level|fasteoi|percpu|virq|ipi|event)$/;

/** @throws FormatError naming the line */
export function parseInterrupts(text: string, file: string): Interrupts {
  const lines = linesOf(text, file, HEADER);
  const header = lines[0]!;
  const cpus = cpusOf(header, file);
  const precision = header.indexOf('C') - 8;
  const right = printHeader(Math.min(10, Math.max(3, precision)), cpus);
  if (!sameLine(header, right)) throw new FormatError(file, 1, difference(header, right, 'Linux'));
  let best: { readonly found: Interrupts; readonly doubts: number } | undefined;
  let error: FormatError | undefined;
  for (const layout of LAYOUTS) {
    if (precision < layout.minPrecision || precision > layout.maxPrecision) continue;
    try {
      const found = new Reader(layout, file, lines, cpus, precision).read();
      const doubts = doubtsOf(layout, found, lines);
      if (!best || doubts < best.doubts) best = { found, doubts };
      if (doubts === 0) break;
    } catch (e) {
      if (!(e instanceof FormatError)) throw e;
      if (!error || e.line > error.line) error = e;
    }
  }
  if (best) return best.found;
  throw error!;
}

/** How many lines are unlikely in this dialect though they can be read that way. */
function doubtsOf(layout: Layout, found: Interrupts, lines: readonly string[]): number {
  const printed = printInterrupts(found).split('\n');
  let doubts = lines.reduce((sum, line, n) => (line === printed[n] ? sum : sum + 1), 0);
  for (const row of found.rows) {
    if (row.ownChip !== undefined) doubts++;
    else if (layout.details && row.hwirq === null && row.name === null && isGlued(row.chip)) doubts++;
  }
  for (const row of found.arch) if (layout.archText && !row.single && row.text === '') doubts++;
  return doubts;
}

function isGlued(chip: string): boolean {
  return GLUED.test(chip) && !DASHED.test(chip);
}

/** Reads a file as one dialect. */
class Reader {
  private readonly chipWidth: number;

  constructor(
    private readonly layout: Layout,
    private readonly file: string,
    private readonly lines: readonly string[],
    private readonly cpus: readonly number[],
    private readonly precision: number,
  ) {
    this.chipWidth = this.column();
  }

  read(): Interrupts {
    const rows: IrqRow[] = [];
    const arch: ArchRow[] = [];
    for (let n = 1; n < this.lines.length; n++) {
      const line = this.lines[n]!;
      const label = /^ *([^\s:]+):/.exec(line);
      if (!label) throw this.wrong(n, `no number or name with a colon in "${printable(line, 30)}"`);
      const at = label[0].length;
      if (!/^\d+$/.test(label[1]!)) {
        arch.push(this.archRow(n, label[1]!, at, arch));
        continue;
      }
      if (arch.length > 0)
        throw this.wrong(n, `irq ${label[1]} below ${arch.at(-1)!.label}; numbers come first`);
      rows.push(this.irqRow(n, label[1]!, at, rows));
    }
    if (rows.length + arch.length === 0) throw this.wrong(0, 'no rows below the header');
    const { cpus, precision } = this;
    const found: Interrupts = { dialect: this.layout.dialect, cpus, rows, arch, precision };
    const told = this.layout.chipWidth > 0 || this.chipWidth === longestChip(rows);
    return told ? found : { ...found, chipWidth: this.chipWidth };
  }

  /**
   * The chip column of the 2026 series is as wide as the longest chip of the machine, which need not be
   * among those shown: where the hwirqs end and the names begin tells, in most rows.
   */
  private column(): number {
    const { layout, precision, lines } = this;
    if (layout.chipWidth > 0) return layout.chipWidth;
    const votes = new Map<number, number>();
    const before = precision + 1 + this.cpus.length * 11 + layout.gap.length;
    for (const line of lines) {
      const found = /^(\S+) +(\d+)?(-|Level |Edge )?/.exec(/^ *\d+:/.test(line) ? line.slice(before) : '');
      if (!found || printsItself(found[1]!)) continue;
      const [all, chip, hwirq, next = ''] = found;
      const end = all.length - next.length;
      const following = next === '' ? 2 : next === '-' ? 0 : 1;
      const width = hwirq
        ? end - Math.max(precision, hwirq.length) - 1
        : end - precision - layout.noHwirq! - following;
      if (width >= Math.max(8, chip!.length)) votes.set(width, (votes.get(width) ?? 0) + 1);
    }
    return [...votes].sort((x, y) => y[1] - x[1])[0]?.[0] ?? 8;
  }

  private irqRow(n: number, label: string, at: number, above: readonly IrqRow[]): IrqRow {
    const irq = this.count(n, label);
    const last = above.at(-1);
    if (last && irq <= last.irq) throw this.wrong(n, `irq ${irq} below ${last.irq}; numbers ascend`);
    const line = this.lines[n]!;
    const { counts, end } = this.counts(n, label, at);
    if (counts.length < this.cpus.length) throw this.tooFew(n, label, counts.length);
    const tail = line.slice(this.layout.counts === 'trailing' ? end + 1 : end);
    if (/^ *\d+( |$)/.test(tail)) throw this.tooMany(n, label);
    const bare: IrqRow = { irq, counts, chip: '', hwirq: null, trigger: null, name: null, actions: [] };
    const likely = [...this.tails(tail, bare)];
    if (likely.length === 0) throw this.wrong(n, `irq ${irq} has no chip; its name would follow the counts`);
    const head = printNumber(this.layout, this.precision, bare);
    if (line.slice(0, head.length) !== head) throw this.wrong(n, difference(line, head, this.layout.title));
    const own = likely.map((row) => ({ ...row, ownChip: !printsItself(row.chip) }));
    const print = (row: IrqRow) => printTail(this.layout, this.precision, this.chipWidth, row);
    const all = [...likely, ...own];
    const row = all.find((r) => print(r) === tail) ?? all.find((r) => sameLine(tail, print(r)));
    if (row) return row;
    throw this.wrong(n, difference(line, head + print(likely[0]!), this.layout.title));
  }

  /** What a row's end may mean, the likeliest first; printing decides. */
  private *tails(tail: string, bare: IrqRow): Generator<IrqRow> {
    const found = /^( *)(\S+)(.*)$/.exec(tail);
    if (!found) return;
    const [, , token, after] = found as unknown as [string, string, string, string];
    if (!this.layout.details) {
      yield { ...bare, chip: token, actions: actionsOf(after) };
      return;
    }
    for (const { chip, name } of this.splits(token)) {
      yield* this.afterChip({ ...bare, chip, name }, after);
    }
  }

  /** The 2.6.31 dialect glues chip and name where there is no hwirq between them. */
  private splits(token: string): { chip: string; name: string | null }[] {
    const whole = { chip: token, name: null };
    if (this.layout.noHwirq !== null || token.length > LONGEST_CHIP) return [whole];
    const parts: { chip: string; name: string | null }[] = [];
    for (let at = token.indexOf('-'); at > 0 && at < token.length - 1; at = token.indexOf('-', at + 1)) {
      parts.push({ chip: token.slice(0, at), name: token.slice(at + 1) });
    }
    const known = (p: { chip: string }) => (DASHED.test(p.chip) ? 0 : 1);
    parts.sort((a, b) => known(a) - known(b));
    return DASHED.test(token) ? [whole, ...parts] : [...parts, whole];
  }

  private *afterChip(row: IrqRow, after: string): Generator<IrqRow> {
    if (row.name !== null) {
      yield { ...row, actions: actionsOf(after) };
      return;
    }
    const number = /^ +(-?\d+)/.exec(after);
    if (number && Number.isSafeInteger(Number(number[1]))) {
      yield afterHwirq({ ...row, hwirq: Number(number[1]) }, after.slice(number[0].length));
    }
    const { noHwirq } = this.layout;
    const blanks = noHwirq === null ? 0 : this.precision + noHwirq;
    if (this.layout.chipWidth > 0) yield afterHwirq(row, after.slice(blanks));
    else {
      // the chip's own padding comes first: everything up to a name, a trigger or an action
      const pad = /^ */.exec(after)![0].length;
      for (const keep of [0, 1, 2]) if (pad >= keep) yield afterHwirq(row, after.slice(pad - keep));
    }
  }

  private archRow(n: number, label: string, at: number, above: readonly ArchRow[]): ArchRow {
    if (above.some((r) => r.label === label)) throw this.wrong(n, `a second row ${printable(label, 20)}`);
    const line = this.lines[n]!;
    const { counts, end } = this.counts(n, label, at);
    const text = line.slice(end).trim();
    if (counts.length === 0) throw this.tooFew(n, label, 0);
    if (counts.length < this.cpus.length && (counts.length > 1 || text !== '')) {
      throw this.tooFew(n, label, counts.length);
    }
    const single = text === '' && counts.length === 1 && (this.cpus.length > 1 || SINGLES.includes(label));
    if (/^\d+( |$)/.test(text)) throw this.tooMany(n, label);
    const row: ArchRow = { label, counts, text, single };
    const printed = printArchRow(this.layout, this.precision, row);
    if (!sameLine(line, printed)) throw this.wrong(n, difference(line, printed, this.layout.title));
    return row;
  }

  /** As many numbers as there are CPUs, from a column on; fewer if fewer follow. */
  private counts(n: number, label: string, at: number): { counts: number[]; end: number } {
    const line = this.lines[n]!;
    const next = / *(\d+)(?= |$)/y;
    next.lastIndex = at;
    const counts: number[] = [];
    let end = at;
    while (counts.length < this.cpus.length) {
      const found = next.exec(line);
      if (!found) break;
      const value = this.count(n, found[1]!);
      if (value > MAX_U32 && !isWide(label)) {
        throw this.wrong(
          n,
          `count ${found[1]!.slice(0, 24)} of ${rowName(label)}; at most ${MAX_U32} would be right`,
        );
      }
      counts.push(value);
      end = next.lastIndex;
    }
    return { counts, end };
  }

  private count(n: number, digits: string): number {
    const value = Number(digits);
    if (Number.isSafeInteger(value)) return value;
    throw this.wrong(n, `number ${printable(digits, 24)} is too large; at most ${MAX_U32} would be right`);
  }

  private tooFew(n: number, label: string, counts: number): FormatError {
    const name = rowName(label);
    return this.wrong(n, `${name} has ${counts} counts; ${this.cpus.length} as in the header would be right`);
  }

  private tooMany(n: number, label: string): FormatError {
    const name = rowName(label);
    return this.wrong(n, `${name} has more counts than the header CPUs; ${this.cpus.length} would be right`);
  }

  private wrong(n: number, problem: string): FormatError {
    return new FormatError(this.file, n + 1, problem);
  }
}

function rowName(label: string): string {
  return /^\d+$/.test(label) ? `irq ${label.slice(0, 20)}` : printable(label, 20);
}

/** Trigger, flow handler and actions. */
function afterHwirq(row: IrqRow, rest: string): IrqRow {
  let s = rest;
  const shown = /^ (Level|Edge) {0,4}/.exec(s);
  const trigger = shown && (s.length <= 9 || s.slice(0, 9).trimEnd() === ` ${shown[1]}`) ? shown[1] : null;
  if (trigger) s = s.slice(9);
  const name = /^-(\S+)/.exec(s);
  if (name) s = s.slice(Math.max(9, name[0].length));
  return {
    ...row,
    trigger: trigger as IrqRow['trigger'],
    name: name ? name[1]! : null,
    actions: actionsOf(s),
  };
}

function actionsOf(s: string): string[] {
  const names = s.trim();
  return names === '' ? [] : names.split(', ');
}
